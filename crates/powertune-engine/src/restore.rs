//! Puts a function back as it was: its memory size, the versions that were published, the tags.
//!
//! It goes by our marks alone, so that the end of a run and `powertune clean` after a crash are the
//! same code, and so that doing it twice is the same as doing it once.

use powertune_core::power::Power;

use crate::{
    conflict::{ATTEMPTS, is_meeting, repeated},
    error::LeftBehind,
    gateway::{ErrorKind, Gateway, Version},
    mark::{self, Mark},
    publish::wait,
};

/// What was put back.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Restored {
    /// From what to what the memory size was changed.
    pub(crate) memory: Option<(Power, Power)>,
    /// The versions that were deleted.
    pub(crate) versions: Vec<String>,
    /// Whether tags of ours were taken away.
    pub(crate) tags: bool,
    /// What could not be put back.
    pub(crate) left: Vec<LeftBehind>,
}

/// Gives `$LATEST` the power `original` (where it is known), deletes every version that bears one
/// of our marks, and takes our tags away if all that worked.
///
/// `unapplied` is the id of a run that may have published its choice, but may not have come to
/// point an alias to it: a choice that no alias points to is of no use to anybody.
pub(crate) async fn restore(
    gateway: &Gateway,
    arn: &str,
    original: Option<Power>,
    unapplied: Option<&str>,
) -> Restored {
    let mut restored = Restored::default();
    if let Some(original) = original {
        restore_power(gateway, arn, original, &mut restored).await;
    }
    delete_versions(gateway, arn, unapplied, &mut restored).await;
    // The tags say how to undo what is left, so they stay while something is.
    if restored.left.is_empty() {
        remove_tags(gateway, arn, &mut restored).await;
    }
    restored
}

async fn restore_power(gateway: &Gateway, arn: &str, original: Power, restored: &mut Restored) {
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

async fn delete_versions(
    gateway: &Gateway,
    arn: &str,
    unapplied: Option<&str>,
    restored: &mut Restored,
) {
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
        let is_choice = unapplied.is_some_and(|run| mark::is_choice_of(run, &description));
        if !is_choice && !mark::is_ours(&description) {
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

async fn remove_tags(gateway: &Gateway, arn: &str, restored: &mut Restored) {
    let keys = Mark::keys();
    match repeated(|| gateway.untag(arn, keys.clone())).await {
        Ok(()) => restored.tags = true,
        Err(error) => restored.left.push(LeftBehind {
            what: format!("the tags {}", keys.join(", ")),
            why: error.to_string(),
            by_hand: format!(
                "aws lambda untag-resource --resource {arn} --tag-keys {}",
                keys.join(" ")
            ),
        }),
    }
}
