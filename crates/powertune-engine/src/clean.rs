//! `powertune clean`: puts back what an interrupted run left behind.

use jiff::Timestamp;
use powertune_core::{arn::FunctionRef, power::Power};

use crate::{
    error::{Cause, LeftBehind, TuneError},
    gateway::Gateway,
    mark::{self, Mark},
    prepare::before_changes,
    restore::restore,
};

/// What cleaning did.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleaned {
    /// The function, unqualified.
    pub function_arn: String,
    /// The run that had left its marks.
    pub mark: Option<Mark>,
    /// From what to what the memory size was changed.
    pub memory: Option<(Power, Power)>,
    /// The versions that were deleted.
    pub versions: Vec<String>,
    /// What could not be put back.
    pub left: Vec<LeftBehind>,
}

/// Puts the function back from the marks on it and on its versions. Doing it twice is the same as
/// doing it once.
///
/// # Errors
/// When the function can't be read, or when the marks are those of a run that may still be going
/// on, unless `force` is set.
pub async fn clean(
    gateway: &Gateway,
    function: &FunctionRef,
    force: bool,
) -> Result<Cleaned, TuneError> {
    let name = function.unqualified().to_string();
    let latest = gateway.function(&name, None).await.map_err(before_changes)?;
    let tags = gateway.tags(&latest.arn).await.map_err(before_changes)?;
    let mark = Mark::read(&tags);
    if let Some(mark) = mark.clone().filter(|mark| !force && may_be_alive(mark)) {
        return Err(TuneError::NotBegun(Cause::Alive { mark: Box::new(mark) }));
    }
    let mut cleaned = Cleaned {
        function_arn: latest.arn.clone(),
        mark: mark.clone(),
        memory: None,
        versions: Vec::new(),
        left: Vec::new(),
    };
    if mark.is_none() {
        // Without tags there can still be versions, if somebody took the tags away.
        let versions = gateway.versions(&latest.arn).await.map_err(before_changes)?;
        if !versions.iter().any(|version| mark::is_ours(&version.description)) {
            return Ok(cleaned);
        }
    }
    let original = mark.as_ref().and_then(|mark| mark.original);
    let run = mark.as_ref().map(|mark| mark.run.as_str());
    let restored = restore(gateway, &latest.arn, original, run).await;
    cleaned.memory = restored.memory;
    cleaned.versions = restored.versions;
    cleaned.left = restored.left;
    Ok(cleaned)
}

fn may_be_alive(mark: &Mark) -> bool {
    mark.until.is_some_and(|until| until > Timestamp::now())
}
