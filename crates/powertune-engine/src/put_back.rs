//! Decides whether the memory size of `$LATEST` comes from a run and must be put back.
//!
//! The size alone proves nothing: the owner may deploy a size that a run has used. So a journal
//! counts if it explains the present state, and tags count if the versions confirm them.

use jiff::{SignedDuration, Timestamp};
use powertune_core::power::Power;

use crate::{
    gateway::{FunctionConfig, PublishedVersion},
    held::Held,
    journal::{FoundJournal, Unsettled},
    mark::{Mark, is_choice_of, run_of_version},
};

/// The largest difference between this machine's clock and Lambda's.
const SKEW: SignedDuration = SignedDuration::from_mins(1);
/// The longest time until Lambda executes a call, if it executes the call at all.
const LONGEST_CALL: SignedDuration = SignedDuration::from_mins(2);

/// The claim that a run has set the memory size of `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemoryClaim {
    pub(crate) run: String,
    /// The memory size before the run.
    pub(crate) original: Power,
    pub(crate) basis: Basis,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Basis {
    /// A journal, which is exact.
    Journal(Unsettled),
    /// Tags, which anybody may have written. They list the sizes that may have been set.
    Tags(Held),
}

/// The facts that decide a claim.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) latest: &'a FunctionConfig,
    pub(crate) versions: &'a [PublishedVersion],
    /// A version with the run's configuration, from GetFunction.
    pub(crate) reference: Option<&'a FunctionConfig>,
    /// True if other runs have tags on the function.
    pub(crate) are_others_announced: bool,
}

/// The decision on a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The memory size is the original one.
    AsItWas,
    /// The answer is older than the run's own change: read again.
    Outdated,
    PutBack,
    /// The memory size comes from somebody else.
    Theirs,
    /// The facts prove nothing.
    Unclear,
}

impl MemoryClaim {
    /// The claim in a journal; `None` if the journal says that the memory size is back.
    pub(crate) fn of_journal(kept: &FoundJournal) -> Option<Self> {
        let (original, unsettled) = kept.mark.original.zip(kept.unsettled.clone())?;
        let basis = Basis::Journal(unsettled);
        Some(Self { run: kept.mark.run.clone(), original, basis })
    }

    /// The claim in a run's tags; `None` if its memory size is back.
    pub(crate) fn of_tags(mark: &Mark) -> Option<Self> {
        let basis = Basis::Tags(mark.sets.clone());
        mark.original.map(|original| Self { run: mark.run.clone(), original, basis })
    }

    /// Decides by `$LATEST` alone; `None` if the versions are needed too.
    pub(crate) fn judge_at_once(&self, latest: &FunctionConfig) -> Option<Judgement> {
        if latest.power == self.original {
            let changed = match &self.basis {
                Basis::Journal(unsettled) => unsettled.changed,
                Basis::Tags(_) => None,
            };
            let is_older = changed > latest.last_modified && latest.last_modified.is_some();
            return Some(if is_older { Judgement::Outdated } else { Judgement::AsItWas });
        }
        let may_be_ours = match &self.basis {
            Basis::Journal(unsettled) => unsettled.sizes.contains(&latest.power),
            Basis::Tags(sets) => sets.contains(latest.power),
        };
        if !may_be_ours {
            return Some(Judgement::Theirs);
        }
        match &self.basis {
            Basis::Journal(Unsettled { read: Some(read), .. })
                if read.revision_id.is_some() && read.revision_id == latest.revision_id =>
            {
                Some(Judgement::PutBack)
            }
            _ => None,
        }
    }

    /// True if a journal alone proves that the memory size comes from this run. It is for runs
    /// without tags: somebody may have cleaned up, and the owner may have set the size since. So an
    /// unanswered call proves nothing here.
    pub(crate) fn is_proven(&self, latest: &FunctionConfig) -> bool {
        match (&self.basis, self.judge_at_once(latest)) {
            (Basis::Journal(_), Some(verdict)) => verdict == Judgement::PutBack,
            (Basis::Journal(unsettled), None) => {
                latest.last_modified.is_some() && is_as_read(unsettled, latest.last_modified)
            }
            (Basis::Tags(_), _) => false,
        }
    }

    pub(crate) fn judge(&self, facts: &Facts<'_>) -> Judgement {
        let Facts { latest, reference, .. } = facts;
        if let Some(verdict) = self.judge_at_once(latest) {
            return verdict;
        }
        let Some(reference) = reference else { return Judgement::Unclear };
        if reference.fingerprint != latest.fingerprint {
            return Judgement::Unclear;
        }
        let is_same_code = reference.code_sha256 == latest.code_sha256;
        let shows_size = self.newest(facts.versions).is_some_and(|v| v.power == Some(latest.power));
        let is_ours = match &self.basis {
            // The owner deployed only code; a test size must not stay.
            Basis::Journal(_) if !is_same_code => shows_size,
            Basis::Journal(unsettled) => {
                explains(unsettled, latest.last_modified) || facts.are_others_announced
            }
            Basis::Tags(_) => shows_size && self.is_original_shown(facts.versions),
        };
        if is_ours { Judgement::PutBack } else { Judgement::Unclear }
    }

    /// The version to read the run's configuration from: the run's newest one, or else the newest
    /// one with the original size, which Lambda may have returned to the run.
    pub(crate) fn reference<'a>(
        &self,
        versions: &'a [PublishedVersion],
    ) -> Option<&'a PublishedVersion> {
        let original = || newest(versions, |version| version.power == Some(self.original));
        self.newest(versions).or_else(original)
    }

    /// The run's newest version. A run sets a size, publishes it, and then sets the next. So a size
    /// that `$LATEST` has from the run is the size of this version.
    fn newest<'a>(&self, versions: &'a [PublishedVersion]) -> Option<&'a PublishedVersion> {
        newest(versions, |version| self.has_published(version))
    }

    fn has_published(&self, version: &PublishedVersion) -> bool {
        let description = version.description.as_str();
        run_of_version(description) == Some(&self.run) || is_choice_of(&self.run, description)
    }

    /// True if a version has the size that the tags give as the original one.
    fn is_original_shown(&self, versions: &[PublishedVersion]) -> bool {
        versions.iter().any(|version| version.power == Some(self.original))
    }
}

fn newest(
    versions: &[PublishedVersion],
    is_wanted: impl Fn(&PublishedVersion) -> bool,
) -> Option<&PublishedVersion> {
    let number = |version: &&PublishedVersion| version.version.parse::<u64>().unwrap_or(0);
    versions.iter().filter(|version| is_wanted(version)).max_by_key(number)
}

/// True if, by the journal, the run made the last modification of `$LATEST`.
fn explains(unsettled: &Unsettled, last_modified: Option<Timestamp>) -> bool {
    let Some(modified) = last_modified else { return true };
    let by_last_call = unsettled
        .unanswered
        .is_some_and(|at| modified >= at - SKEW && modified <= at + LONGEST_CALL + SKEW);
    is_as_read(unsettled, last_modified) || by_last_call
}

/// True if `$LATEST` has not been modified since the run read it after its own last call.
fn is_as_read(unsettled: &Unsettled, last_modified: Option<Timestamp>) -> bool {
    unsettled.read.as_ref().and_then(|read| read.last_modified) == last_modified
}
