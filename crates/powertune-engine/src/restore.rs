//! Puts a function back as it was: its memory size, the versions that were published, the tags.
//!
//! The end of a run and `powertune clean` after a crash are the same code; they differ in how they
//! know what there is to undo. Doing it twice is the same as doing it once.

use powertune_core::power::Power;

use crate::{
    conflict::{ATTEMPTS, is_meeting, repeated},
    error::LeftBehind,
    gateway::{ErrorKind, Gateway, Version},
    held::Held,
    mark::{self, Mark},
    publish::wait,
};

/// What is to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undo {
    /// The memory size that `$LATEST` is to have, if it has one that any of these hold.
    pub(crate) memory: Option<(Power, Vec<Held>)>,
    /// Whose test versions are deleted.
    pub(crate) versions: Whose,
    /// The ids of runs that may have published their choice and not come to point an alias to it:
    /// a choice that no alias points to is of no use to anybody.
    pub(crate) unapplied: Vec<String>,
    /// The keys of the tags that go when all that is done.
    pub(crate) tags: Vec<String>,
}

/// Whose test versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Any run's.
    Anybody,
    /// Those of the run with this id.
    Run(String),
}

/// What was put back.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Restored {
    /// From what to what the memory size was changed.
    pub(crate) memory: Option<(Power, Power)>,
    /// The memory size that somebody else has set, and that was left.
    pub(crate) kept: Option<Power>,
    /// The versions that were deleted.
    pub(crate) versions: Vec<String>,
    /// What could not be put back.
    pub(crate) left: Vec<LeftBehind>,
}

impl Undo {
    /// Undoes what one run may have done, before it applied anything.
    pub(crate) fn of_run(mark: &Mark, held: Held) -> Self {
        Self {
            memory: mark.original.map(|original| (original, vec![held])),
            versions: Whose::Run(mark.run.clone()),
            unapplied: vec![mark.run.clone()],
            tags: mark.keys().to_vec(),
        }
    }
}

/// Undoes it, the tags last: they say how to undo what is left, so they stay while something is.
pub(crate) async fn restore(gateway: &Gateway, arn: &str, undo: &Undo) -> Restored {
    let mut restored = Restored::default();
    if let Some((original, held)) = &undo.memory {
        restore_power(gateway, arn, *original, held, &mut restored).await;
    }
    delete_versions(gateway, arn, undo, &mut restored).await;
    if undo.tags.is_empty() {
        return restored;
    }
    if restored.left.is_empty() {
        remove_tags(gateway, arn, &undo.tags, &mut restored).await;
    } else {
        let why = "they say how to undo the rest, and go last".to_owned();
        restored.left.push(tags_left(arn, &undo.tags, why));
    }
    restored
}

async fn restore_power(
    gateway: &Gateway,
    arn: &str,
    original: Power,
    held: &[Held],
    restored: &mut Restored,
) {
    let mut why = String::new();
    for _ in 0..ATTEMPTS {
        let latest = match wait(gateway, arn, None).await {
            Ok(latest) => latest,
            Err(error) => {
                why = error.to_string();
                break;
            }
        };
        if latest.power == original {
            return;
        }
        if !held.iter().any(|held| held.contains(latest.power)) {
            restored.kept = Some(latest.power);
            return;
        }
        match gateway.set_power(&latest, original).await {
            Ok(()) => restored.memory = Some((latest.power, original)),
            Err(error) => {
                why = error.to_string();
                if !is_meeting(&error) {
                    break;
                }
            }
        }
    }
    // The last update may have been the one that worked.
    if gateway.function(arn, None).await.is_ok_and(|latest| latest.power == original) {
        return;
    }
    restored.memory = None;
    restored.left.push(LeftBehind {
        what: format!("the memory size of $LATEST is not {original}"),
        why,
        by_hand: format!(
            "aws lambda update-function-configuration --function-name {arn} --memory-size {}",
            original.mb()
        ),
    });
}

async fn delete_versions(gateway: &Gateway, arn: &str, undo: &Undo, restored: &mut Restored) {
    let versions = match gateway.versions(arn).await {
        Ok(versions) => versions,
        Err(error) => {
            restored.left.push(LeftBehind {
                what: "test versions, whose description begins with \"powertune run\"".to_owned(),
                why: error.to_string(),
                by_hand: format!("powertune clean {arn} --force"),
            });
            return;
        }
    };
    for Version { version, description, .. } in versions {
        let is_choice = undo.unapplied.iter().any(|run| mark::is_choice_of(run, &description));
        let run = mark::run_of_version(&description);
        if !is_choice && !run.is_some_and(|run| undo.versions.has(run)) {
            continue;
        }
        match repeated(|| gateway.delete_version(arn, &version)).await {
            Ok(()) => restored.versions.push(version),
            // The choice was applied.
            Err(error) if is_choice && error.kind == ErrorKind::Aliased => {}
            Err(error) => restored.left.push(LeftBehind {
                what: format!("version {version}"),
                why: error.to_string(),
                by_hand: format!(
                    "aws lambda delete-function --function-name {arn} --qualifier {version}"
                ),
            }),
        }
    }
}

impl Whose {
    fn has(&self, run: &str) -> bool {
        match self {
            Self::Anybody => true,
            Self::Run(own) => own == run,
        }
    }
}

async fn remove_tags(gateway: &Gateway, arn: &str, keys: &[String], restored: &mut Restored) {
    if let Err(error) = repeated(|| gateway.untag(arn, keys.to_vec())).await {
        restored.left.push(tags_left(arn, keys, error.to_string()));
    }
}

fn tags_left(arn: &str, keys: &[String], why: String) -> LeftBehind {
    LeftBehind {
        what: format!("the tags {}", keys.join(", ")),
        why,
        by_hand: format!(
            "aws lambda untag-resource --resource {arn} --tag-keys {}",
            keys.join(" ")
        ),
    }
}
