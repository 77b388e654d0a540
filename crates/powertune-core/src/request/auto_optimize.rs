//! The fields about applying the choice.

use super::{
    fields::{RequestFields, boolean, text},
    parse::flag,
};
use crate::arn::Qualifier;

/// The way to apply the chosen power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoOptimize {
    /// The alias to point to a new version. Without it, `$LATEST` is changed.
    pub alias: Option<String>,
    /// The permission to release the code and configuration of `$LATEST` by this alias.
    pub release_latest: ReleaseLatest,
}

/// The treatment of an alias whose code or configuration differs from `$LATEST`, memory size aside.
/// The new version is made from `$LATEST`, so moving the alias releases both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseLatest {
    /// `releaseLatest` is false: refuse the run.
    No,
    /// `releaseLatest` is absent: go on with a warning. aws-lambda-power-tuning has no such field,
    /// and its autoOptimizeAlias releases `$LATEST`.
    Unsaid,
    /// `releaseLatest` is true: go on.
    Yes,
}

/// Reads the fields about applying the choice. A dry run reads them too, because it reports the
/// change, and whether the alias can be moved.
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
