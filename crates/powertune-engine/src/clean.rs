//! `powertune clean`: undoes the leftovers of an interrupted run.

use std::collections::BTreeSet;

use jiff::Timestamp;
use powertune_core::{arn::FunctionRef, power::Power};

use crate::{
    error::{Cause, LeftBehind, TuneError},
    gateway::{FunctionConfig, Gateway},
    journal::{FoundJournal, Journals},
    mark::{self, Mark},
    put_back::MemoryClaim,
    restore::{MemoryOutcome, Undo, restore},
};

/// The result of a cleaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleaned {
    /// The unqualified ARN of the function.
    pub function_arn: String,
    /// The runs that had left something, oldest first.
    pub marks: Vec<Mark>,
    /// The memory size before and after, if it was put back.
    pub memory: Option<(Power, Power)>,
    /// A memory size that somebody else has set, and that therefore stays.
    pub kept: Option<Power>,
    /// The numbers of the deleted versions.
    pub versions: Vec<String>,
    /// The leftovers that could not be removed.
    pub left: Vec<LeftBehind>,
}

/// The traces of runs: on the function, and in this machine's journals.
struct Traces {
    latest: FunctionConfig,
    /// Oldest first.
    tagged: Vec<Mark>,
    kept: Vec<FoundJournal>,
    /// The ids of the runs that have test versions.
    published: BTreeSet<String>,
}

/// Puts the function back. The journals on this machine say how; for runs without a journal, their
/// tags and versions do. A second call changes nothing more.
///
/// `is_over` tells whether a run without a journal is over, if the caller can know that. Otherwise
/// the run counts as over when its announced time has passed.
///
/// # Errors
/// If the function can't be read, or if a run with leftovers may still be active and `force` is not
/// set.
pub async fn clean(
    gateway: &Gateway,
    function: &FunctionRef,
    journals: &Journals,
    force: bool,
    is_over: impl AsyncFn(&Mark) -> Option<bool>,
) -> Result<Cleaned, TuneError> {
    let traces = gateway.patiently(Traces::find(gateway, function, journals)).await?;
    let marks = traces.marks();
    for mark in marks.iter().filter(|_| !force) {
        if traces.may_be_alive(mark, &is_over).await {
            return Err(TuneError::NotBegun(Cause::Alive { mark: Box::new(mark.clone()) }));
        }
    }
    let mut cleaned = Cleaned {
        function_arn: traces.latest.arn.clone(),
        marks,
        memory: None,
        kept: None,
        versions: Vec::new(),
        left: Vec::new(),
    };
    if !cleaned.marks.is_empty() || !traces.published.is_empty() {
        let restored = restore(gateway, &traces.latest.arn, &traces.undo()).await;
        match restored.memory {
            MemoryOutcome::AsItWas | MemoryOutcome::Gone => {}
            MemoryOutcome::PutBack { from, to } => cleaned.memory = Some((from, to)),
            MemoryOutcome::Theirs(power) => cleaned.kept = Some(power),
        }
        if restored.is_memory_settled() {
            for kept in traces.kept.iter().filter(|kept| force || !kept.is_alive) {
                // If this fails, the next `clean` decides again by the state that it finds.
                let _ = kept.memory_is_back();
            }
        }
        cleaned.versions = restored.versions;
        cleaned.left = restored.left;
    }
    if cleaned.left.is_empty() {
        for kept in traces.kept.iter().filter(|kept| force || !kept.is_alive) {
            // A leftover journal is harmless: everything it lists is already undone.
            let _ = kept.forget();
        }
    }
    Ok(cleaned)
}

impl Traces {
    async fn find(
        gateway: &Gateway,
        function: &FunctionRef,
        journals: &Journals,
    ) -> Result<Self, TuneError> {
        let name = function.unqualified().to_string();
        let (mut latest, mut tags) =
            gateway.function_and_tags(&name).await.map_err(TuneError::before_changes)?;
        let versions = gateway.versions(&latest.arn).await.map_err(TuneError::before_changes)?;
        let published: BTreeSet<String> = versions
            .iter()
            .filter_map(|version| mark::run_of_version(&version.description))
            .map(str::to_owned)
            .collect();
        if !published.is_empty() {
            // A run sets its tags before it publishes. So this second read sees the tags of every
            // live run whose versions were listed.
            (latest, tags) =
                gateway.function_and_tags(&name).await.map_err(TuneError::before_changes)?;
        }
        let kept = journals.of(&latest.arn);
        Ok(Self { tagged: Mark::all(&tags), kept, published, latest })
    }

    /// The runs that may have left something, oldest first.
    fn marks(&self) -> Vec<Mark> {
        let is_tagged = |run: &str| self.tagged.iter().any(|mark| mark.run == run);
        let kept = self.kept.iter().filter(|kept| !is_tagged(&kept.mark.run));
        let untagged = kept.filter(|kept| self.has_left(kept)).map(|kept| kept.mark.clone());
        let mut marks: Vec<Mark> = self.tagged.iter().cloned().chain(untagged).collect();
        marks.sort_by_key(|mark| mark.since);
        marks
    }

    /// True if a run without tags has left something. A run removes its tags last, so either
    /// nothing is left, or somebody else removed the tags.
    fn has_left(&self, kept: &FoundJournal) -> bool {
        let is_unsettled =
            MemoryClaim::of_journal(kept).is_some_and(|claim| claim.is_proven(&self.latest));
        kept.is_alive || self.published.contains(&kept.mark.run) || is_unsettled
    }

    fn kept(&self, run: &str) -> Option<&FoundJournal> {
        self.kept.iter().find(|kept| kept.mark.run == run)
    }

    async fn may_be_alive(
        &self,
        mark: &Mark,
        is_over: &impl AsyncFn(&Mark) -> Option<bool>,
    ) -> bool {
        if let Some(kept) = self.kept(&mark.run) {
            return kept.is_alive;
        }
        match is_over(mark).await {
            Some(is_over) => !is_over,
            None => mark.until.is_some_and(|until| until > Timestamp::now()),
        }
    }

    /// The run's claim to the memory size, from its journal if there is one.
    fn claim(&self, mark: &Mark) -> Option<MemoryClaim> {
        let Some(kept) = self.kept(&mark.run) else { return MemoryClaim::of_tags(mark) };
        match self.tagged.iter().find(|tagged| tagged.run == mark.run) {
            // This tag is removed when the size is back, or when somebody decides to keep the
            // present size.
            Some(tagged) if tagged.original.is_none() => None,
            // A truncated journal may lack the last change; the tags list all sizes.
            Some(tagged) if kept.is_cut => MemoryClaim::of_tags(tagged),
            Some(_) => MemoryClaim::of_journal(kept),
            None => MemoryClaim::of_journal(kept).filter(|claim| claim.is_proven(&self.latest)),
        }
    }

    fn undo(&self) -> Undo {
        let marks = self.marks();
        let claims = marks.iter().filter_map(|mark| self.claim(mark));
        let run = |mark: &Mark| mark.run.clone();
        let keys = |keys: fn(&Mark) -> Vec<String>| self.tagged.iter().flat_map(keys).collect();
        Undo {
            claims: claims.collect(),
            versions: self.published.iter().cloned().chain(marks.iter().map(run)).collect(),
            unapplied: marks.iter().map(run).collect(),
            memory_tags: keys(|mark| mark.original.iter().map(|_| mark.memory_key()).collect()),
            tags: keys(|mark| mark.keys().to_vec()),
        }
    }
}
