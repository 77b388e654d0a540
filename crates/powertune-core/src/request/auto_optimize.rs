//! What a request says of applying the choice.

use super::{
    RequestFields,
    fields::{boolean, text},
    flag,
};
use crate::arn::Qualifier;

/// Apply the chosen power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoOptimize {
    /// The alias that is pointed to a new version; without one, `$LATEST` is changed.
    pub alias: Option<String>,
    /// Whether that alias may get code or a configuration that it did not have.
    pub release_latest: ReleaseLatest,
}

/// What to do where the alias has other code or another configuration than `$LATEST`, memory size
/// aside: the new version is made of `$LATEST`, so that pointing the alias to it releases both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseLatest {
    /// Refuse the run: `releaseLatest` is false.
    No,
    /// Go on with a warning: `releaseLatest` is not there. To aws-lambda-power-tuning, which has no
    /// such field, autoOptimizeAlias means to release `$LATEST`.
    Unsaid,
    /// Go on: `releaseLatest` is true.
    Yes,
}

/// Reads whether, and where, the chosen power is applied. A dry run applies nothing, but says what
/// would be applied, and whether the alias can be moved.
pub(super) fn auto_optimize(fields: &mut RequestFields<'_>) -> Option<AutoOptimize> {
    let asked = flag(fields, "autoOptimize");
    let alias = fields.read("autoOptimizeAlias", |value| alias_name(text(value)?));
    let release_latest = match fields.read("releaseLatest", boolean) {
        None => ReleaseLatest::Unsaid,
        Some(false) => ReleaseLatest::No,
        Some(true) => ReleaseLatest::Yes,
    };
    if release_latest == ReleaseLatest::Yes && fields.get("autoOptimizeAlias").is_none() {
        fields
            .idle("releaseLatest", "it goes with autoOptimizeAlias, which names the alias to move");
    }
    if !asked {
        if alias.is_some() {
            fields.idle("autoOptimizeAlias", "it goes with autoOptimize, which applies the choice");
        }
        return None;
    }
    Some(AutoOptimize { alias, release_latest })
}

fn alias_name(name: &str) -> Result<String, String> {
    match name.parse() {
        Ok(Qualifier::Alias(alias)) => Ok(alias),
        _ => Err(format!(
            "{name:?} is not an alias name: letters, digits, - and _, not digits alone, 128 at most"
        )),
    }
}
