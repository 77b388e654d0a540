//! Whether the memory size that `$LATEST` has is a run's, and is to be put back.
//!
//! A size alone proves nothing: the owner may deploy the very size that a run has set. So a journal
//! is believed as far as it explains what is read now, and tags are believed as far as versions
//! show what they say.

use jiff::{SignedDuration, Timestamp};
use powertune_core::power::Power;

use crate::{
    gateway::{Function, Version},
    held::Held,
    journal::{Kept, Unsettled},
    mark::{Mark, is_choice_of, run_of_version},
};

/// How far the clocks of this machine and of Lambda may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(1);
/// Within so long of its beginning a call is carried out, or never.
const LONGEST_CALL: SignedDuration = SignedDuration::from_mins(2);

/// A run's claim to have set the memory size that `$LATEST` has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The run's id.
    pub(crate) run: String,
    /// The size that `$LATEST` had.
    pub(crate) original: Power,
    /// The source of the claim.
    pub(crate) basis: Basis,
}

impl Claim {
    /// The claim of the run that has written this journal; `None` where the journal says that the
    /// memory size is back.
    pub(crate) fn of_journal(kept: &Kept) -> Option<Self> {
        let (original, unsettled) = kept.mark.original.zip(kept.unsettled.clone())?;
        let basis = Basis::Journal(unsettled);
        Some(Self { run: kept.mark.run.clone(), original, basis })
    }
}

/// The source of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Basis {
    /// From a journal: exact.
    Journal(Unsettled),
    /// From the run's tags, which anybody may have written: these sizes may have been set.
    Tags(Held),
}

/// The facts by which a claim is judged.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// `$LATEST` now.
    pub(crate) latest: &'a Function,
    /// All published versions.
    pub(crate) versions: &'a [Version],
    /// A version with the run's configuration, read whole.
    pub(crate) reference: Option<&'a Function>,
    /// Whether tags of other runs are on the function beside this run's.
    pub(crate) are_others_announced: bool,
}

/// The judgement on a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is as it was.
    AsItWas,
    /// The answer is older than the run's own change: ask again.
    Outdated,
    /// It is the run's.
    PutBack,
    /// It is somebody else's.
    Theirs,
    /// Nothing proves whose it is.
    Unclear,
}

impl Claim {
    /// The claim of a run's tags, as long as its memory size is not back.
    pub(crate) fn of_tags(mark: &Mark) -> Option<Self> {
        let basis = Basis::Tags(mark.sets.clone());
        mark.original.map(|original| Self { run: mark.run.clone(), original, basis })
    }

    /// Whether the answer to this claim needs more than `$LATEST`: the versions, and one of them
    /// whole.
    pub(crate) fn judge_at_once(&self, latest: &Function) -> Option<Verdict> {
        if latest.power == self.original {
            let changed = match &self.basis {
                Basis::Journal(unsettled) => unsettled.changed,
                Basis::Tags(_) => None,
            };
            let is_older = changed > latest.last_modified && latest.last_modified.is_some();
            return Some(if is_older { Verdict::Outdated } else { Verdict::AsItWas });
        }
        let may_be_ours = match &self.basis {
            Basis::Journal(unsettled) => unsettled.sizes.contains(&latest.power),
            Basis::Tags(sets) => sets.contains(latest.power),
        };
        if !may_be_ours {
            return Some(Verdict::Theirs);
        }
        match &self.basis {
            Basis::Journal(Unsettled { read: Some(read), .. })
                if read.revision_id.is_some() && read.revision_id == latest.revision_id =>
            {
                Some(Verdict::PutBack)
            }
            _ => None,
        }
    }

    /// Whether a journal alone proves that `$LATEST` has a size of this run, although its tags are
    /// gone: somebody may have cleaned up after it, and the owner may have set the size since. So a
    /// call without an answer proves nothing here.
    pub(crate) fn is_proven(&self, latest: &Function) -> bool {
        match (&self.basis, self.judge_at_once(latest)) {
            (Basis::Journal(_), Some(verdict)) => verdict == Verdict::PutBack,
            (Basis::Journal(unsettled), None) => {
                latest.last_modified.is_some() && is_as_read(unsettled, latest.last_modified)
            }
            (Basis::Tags(_), _) => false,
        }
    }

    /// Judges by all that is known.
    pub(crate) fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let Facts { latest, reference, .. } = facts;
        if let Some(verdict) = self.judge_at_once(latest) {
            return verdict;
        }
        let Some(reference) = reference else { return Verdict::Unclear };
        if reference.fingerprint != latest.fingerprint {
            return Verdict::Unclear;
        }
        let is_same_code = reference.code_sha256 == latest.code_sha256;
        let shows_size = self.newest(facts.versions).is_some_and(|v| v.power == Some(latest.power));
        let is_ours = match &self.basis {
            // A deploy of code alone must not leave a test size behind.
            Basis::Journal(_) if !is_same_code => shows_size,
            Basis::Journal(unsettled) => {
                explains(unsettled, latest.last_modified) || facts.are_others_announced
            }
            Basis::Tags(_) => shows_size && self.is_original_shown(facts.versions),
        };
        if is_ours { Verdict::PutBack } else { Verdict::Unclear }
    }

    /// The version that a run's configuration is read from: its own newest one, else the newest one
    /// with the original size, which Lambda may have handed back to it.
    pub(crate) fn reference<'a>(&self, versions: &'a [Version]) -> Option<&'a Version> {
        let original = || newest(versions, |version| version.power == Some(self.original));
        self.newest(versions).or_else(original)
    }

    /// The run's newest version. The run sets a size, publishes it, and then sets the next one: so
    /// what `$LATEST` has because of the run is what this version has.
    fn newest<'a>(&self, versions: &'a [Version]) -> Option<&'a Version> {
        newest(versions, |version| self.has_published(version))
    }

    fn has_published(&self, version: &Version) -> bool {
        let description = version.description.as_str();
        run_of_version(description) == Some(&self.run) || is_choice_of(&self.run, description)
    }

    /// Whether a version shows the size that the tags call the original one.
    fn is_original_shown(&self, versions: &[Version]) -> bool {
        versions.iter().any(|version| version.power == Some(self.original))
    }
}

fn newest(versions: &[Version], is_wanted: impl Fn(&Version) -> bool) -> Option<&Version> {
    let number = |version: &&Version| version.version.parse::<u64>().unwrap_or(0);
    versions.iter().filter(|version| is_wanted(version)).max_by_key(number)
}

/// Whether `$LATEST` was last modified by the run, as far as its journal knows.
fn explains(unsettled: &Unsettled, last_modified: Option<Timestamp>) -> bool {
    let Some(modified) = last_modified else { return true };
    let by_last_call = unsettled
        .unanswered
        .is_some_and(|at| modified >= at - SKEW && modified <= at + LONGEST_CALL + SKEW);
    is_as_read(unsettled, last_modified) || by_last_call
}

/// Whether nobody has modified `$LATEST` since the run read it after its own last call.
fn is_as_read(unsettled: &Unsettled, last_modified: Option<Timestamp>) -> bool {
    unsettled.read.as_ref().and_then(|read| read.last_modified) == last_modified
}
