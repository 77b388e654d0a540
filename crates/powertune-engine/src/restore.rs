//! Undoes the changes of runs: the memory size, the versions, the tags.
//!
//! The end of a run and `powertune clean` share this code; only their lists of changes come from
//! different sources. A second call changes nothing more.
//!
//! The order makes it safe to stop anywhere: the memory size, the journal's entry that it is back,
//! the tag with the memory size, the versions, and the tags that announce the run. Each step begins
//! only after the one before has succeeded.

mod memory;

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::{
    conflict::repeated,
    error::LeftBehind,
    gateway::{ErrorKind, Gateway, PublishedVersion},
    mark::{self, Mark},
    put_back::{Basis, MemoryClaim},
};
pub(crate) use memory::MemoryOutcome;
use memory::{NotBack, restore_memory};

/// The changes to undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undo {
    pub(crate) claims: Vec<MemoryClaim>,
    /// The ids of the runs whose test versions are deleted. A run that begins meanwhile is not
    /// among them.
    pub(crate) versions: BTreeSet<String>,
    /// The ids of runs that may have published their choice without pointing an alias to it. Nobody
    /// needs such a version.
    pub(crate) unapplied: Vec<String>,
    /// The keys of the tags with the memory size to restore.
    pub(crate) memory_tags: Vec<String>,
    /// The keys of the tags that are removed last.
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Restored {
    pub(crate) memory: MemoryOutcome,
    /// The numbers of the deleted versions.
    pub(crate) versions: Vec<String>,
    /// The version of the run's choice, which stays because an alias points to it.
    pub(crate) pointed_to: Option<String>,
    pub(crate) left: Vec<LeftBehind>,
    is_memory_left: bool,
    is_memory_unclear: bool,
}

impl Restored {
    /// True if nothing tells who set the memory size.
    pub(crate) fn is_memory_unclear(&self) -> bool {
        self.is_memory_unclear
    }

    /// True if the memory size needs no more work.
    pub(crate) fn is_memory_settled(&self) -> bool {
        !self.is_memory_left
    }
}

impl Undo {
    /// The possible changes of one run that has applied nothing. `basis` is the source for its
    /// changes of the memory size, if there were any.
    pub(crate) fn of_run(mark: &Mark, basis: Option<Basis>) -> Self {
        let claim = mark.original.zip(basis);
        let claim =
            claim.map(|(original, basis)| MemoryClaim { run: mark.run.clone(), original, basis });
        Self {
            memory_tags: claim.iter().map(|_| mark.memory_key()).collect(),
            claims: claim.into_iter().collect(),
            versions: [mark.run.clone()].into(),
            unapplied: vec![mark.run.clone()],
            tags: mark.all_keys(),
        }
    }
}

pub(crate) async fn restore(gateway: &Gateway, arn: &str, undo: &Undo) -> Restored {
    let deadline = Instant::now() + gateway.patience();
    let mut restored = Restored::default();
    match restore_memory(gateway, arn, &undo.claims, deadline).await {
        Ok(memory) => restored.memory = memory,
        Err(NotBack { left, is_unclear }) => {
            restored.left.push(left);
            restored.is_memory_left = true;
            restored.is_memory_unclear = is_unclear;
        }
    }
    if restored.left.is_empty() {
        remove_tags(gateway, arn, &undo.memory_tags, deadline, &mut restored).await;
    }
    if restored.left.is_empty() {
        delete_versions(gateway, arn, undo, deadline, &mut restored).await;
    } else {
        keep_versions(gateway, arn, undo, &mut restored).await;
    }
    if restored.left.is_empty() {
        remove_tags(gateway, arn, &undo.tags, deadline, &mut restored).await;
    } else {
        let other = |key: &&String| !undo.memory_tags.contains(key);
        let keys = undo.memory_tags.iter().chain(undo.tags.iter().filter(other));
        let keys: Vec<String> = keys.cloned().collect();
        if !keys.is_empty() {
            let why = "they say how to undo the rest, so they are removed last".to_owned();
            restored.left.push(tags_left(arn, &keys, why));
        }
    }
    restored
}

/// The numbers of the versions to delete, each with whether it is a run's choice.
async fn doomed(
    gateway: &Gateway,
    arn: &str,
    undo: &Undo,
    deadline: Instant,
) -> Result<Vec<(String, bool)>, LeftBehind> {
    let versions = match repeated(deadline, || gateway.versions(arn)).await {
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(Vec::new()),
        versions => versions,
    };
    let versions = versions.map_err(|error| LeftBehind {
        what: "test versions, whose description begins with \"powertune run\"".to_owned(),
        why: error.to_string(),
        by_hand: format!("powertune clean {arn} --force"),
    })?;
    let doomed =
        versions.into_iter().filter_map(|PublishedVersion { version, description, .. }| {
            let is_choice = undo.unapplied.iter().any(|run| mark::is_choice_of(run, &description));
            let run = mark::run_of_version(&description);
            (is_choice || run.is_some_and(|run| undo.versions.contains(run)))
                .then_some((version, is_choice))
        });
    Ok(doomed.collect())
}

async fn delete_versions(
    gateway: &Gateway,
    arn: &str,
    undo: &Undo,
    deadline: Instant,
    restored: &mut Restored,
) {
    let doomed = match doomed(gateway, arn, undo, deadline).await {
        Ok(doomed) => doomed,
        Err(left) => return restored.left.push(left),
    };
    for (version, is_choice) in doomed {
        match repeated(deadline, || gateway.delete_version(arn, &version)).await {
            Ok(()) => restored.versions.push(version),
            // The choice was applied.
            Err(error) if is_choice && error.kind == ErrorKind::Aliased => {
                restored.pointed_to = Some(version);
            }
            Err(error) => restored.left.push(version_left(arn, &version, error.to_string())),
        }
    }
}

/// Lists the versions that stay until the memory size is settled: they show the earlier size.
async fn keep_versions(gateway: &Gateway, arn: &str, undo: &Undo, restored: &mut Restored) {
    match doomed(gateway, arn, undo, Instant::now()).await {
        Ok(doomed) => restored.left.extend(doomed.into_iter().map(|(version, _)| {
            let why = "it stays until the memory size is settled, because it shows a size that \
                       was set";
            version_left(arn, &version, why.to_owned())
        })),
        Err(left) => restored.left.push(left),
    }
}

fn version_left(arn: &str, version: &str, why: String) -> LeftBehind {
    LeftBehind {
        what: format!("version {version}"),
        why,
        by_hand: format!("aws lambda delete-function --function-name {arn} --qualifier {version}"),
    }
}

async fn remove_tags(
    gateway: &Gateway,
    arn: &str,
    keys: &[String],
    deadline: Instant,
    restored: &mut Restored,
) {
    if keys.is_empty() {
        return;
    }
    match repeated(deadline, || gateway.untag(arn, keys.to_vec())).await {
        Ok(()) => {}
        // A deleted function has no tags.
        Err(error) if error.kind == ErrorKind::NotFound => {}
        Err(error) => restored.left.push(tags_left(arn, keys, error.to_string())),
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
