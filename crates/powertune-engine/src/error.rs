//! Errors that end a run.

use powertune_core::{
    analysis::NothingMeasured, ending::Ending, payload::PayloadError, power::Power,
    price::UnknownPrice, region::Currency,
};

use crate::{
    gateway::{ApiError, Wait},
    mark::Mark,
};

/// A run that failed or did only a part of its task, with everything it measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct Unfinished {
    /// The reason, and the state in which the function is left.
    pub error: TuneError,
    /// The measurements: all of them, or those before the run ended (`complete: false`). `None` if
    /// no invocation counted.
    pub measured: Option<Ending>,
}

impl From<TuneError> for Unfinished {
    /// An error without measurements.
    fn from(error: TuneError) -> Self {
        Self { error, measured: None }
    }
}

/// The reason why a run failed, and the state in which the function is left.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TuneError {
    /// The function can't be tuned as requested. Nothing was changed or invoked.
    #[error("{0}")]
    Refused(Refusal),
    /// The run failed before it changed anything.
    #[error("{0}\nnothing was changed")]
    NotBegun(Cause),
    /// The run failed, and everything was put back.
    #[error("{0}\neverything was put back as it was")]
    Failed(Cause),
    /// The run finished, but somebody else changed the function meanwhile. Everything of the run
    /// was undone, and no choice was applied.
    #[error("{0}\nthe result applies to the function before that change; everything was put back")]
    Outdated(Cause),
    /// The user stopped the run, and everything was put back.
    #[error("interrupted; everything was put back as it was")]
    Interrupted,
    /// Something could not be put back.
    #[error("{}{}", .cause.as_ref().map_or(String::new(), |cause| format!("{cause}\n")), left_text(.left))]
    LeftBehind {
        /// The error that ended the run; `None` if the run itself succeeded.
        cause: Option<Cause>,
        /// The leftovers, with a command for each.
        left: Vec<LeftBehind>,
    },
}

impl TuneError {
    /// The error of a call before the first change: a lasting failure becomes a refusal.
    pub(crate) fn before_changes(error: ApiError) -> Self {
        if error.kind.lasts() {
            return Self::Refused(Refusal::Api(error));
        }
        Self::NotBegun(Cause::Api(error))
    }
}

impl From<Refusal> for TuneError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Wait> for TuneError {
    /// A call before the first change had no answer for too long.
    fn from(wait: Wait) -> Self {
        Self::NotBegun(Cause::Silent(wait))
    }
}

fn left_text(left: &[LeftBehind]) -> String {
    let items: Vec<String> = left.iter().map(|item| format!("  {item}")).collect();
    format!("NOT everything could be put back:\n{}", items.join("\n"))
}

/// The reason why a function can't be tuned as requested.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A call failed for a lasting reason while the run read the function or announced itself.
    #[error("{0}")]
    Api(ApiError),
    /// A kind of function that powertune can't tune; the text says which.
    #[error("the function can't be tuned: {0}")]
    Unsupported(String),
    /// The named version or alias differs from `$LATEST` in more than its memory size.
    #[error(
        "{qualifier} differs from $LATEST in more than its memory size, and only $LATEST can be \
         tested at other sizes; deploy the same code and configuration to both, or tune $LATEST"
    )]
    QualifierDiffers {
        /// The version or alias.
        qualifier: String,
    },
    /// The request names an alias that sends its calls to two versions.
    #[error("the alias {alias} sends its calls to two versions; name one of them, or $LATEST")]
    WeightedAlias {
        /// The name of the alias.
        alias: String,
    },
    /// The alias for the release has weights: somebody is moving it step by step.
    #[error(
        "autoOptimizeAlias: the alias {alias} sends its calls to two versions, as in a canary \
         release, and moving it would end that release; wait until it points to one version, or \
         omit autoOptimizeAlias"
    )]
    Canary {
        /// The name of the alias.
        alias: String,
    },
    /// Moving the alias would release code or configuration that it does not have yet.
    #[error(
        "autoOptimizeAlias: the alias {alias} points to version {version}, and {what} of $LATEST \
         differs from that version, so applying the choice would also release $LATEST through \
         this alias; add --release-latest (releaseLatest in a request file) to allow that, or \
         deploy to $LATEST what the alias has"
    )]
    ReleasesLatest {
        /// The name of the alias.
        alias: String,
        /// The version that the alias points to.
        version: String,
        /// The part that differs: the code or the configuration.
        what: &'static str,
    },
    /// A pre- or post-processor can't be read.
    #[error("{field}: {function} can't be read: {error}")]
    Processor {
        /// The request's field for this processor.
        field: &'static str,
        /// The processor, as the request names it.
        function: String,
        /// The error of the call.
        error: ApiError,
    },
    /// The reserved concurrency is 0.
    #[error(
        "the function's reserved concurrency is 0, so nothing can invoke it; raise it or delete \
         the reservation (aws lambda delete-function-concurrency)"
    )]
    NothingMayRun,
    /// The function has too many tags to add those of a run.
    #[error(
        "the function has {has} of at most 50 tags, and a run needs three for itself, which say \
         how to put the function back; remove tags until it has 47, and add them again after the \
         run"
    )]
    TooManyTags {
        /// The number of its tags, without those of AWS.
        has: usize,
    },
    /// `maxCost` is less than the worst-case cost of one invocation.
    #[error(
        "maxCost: {} {currency} does not cover one invocation at {power} in its worst case, the \
         longest Init and then the function's timeout of {timeout_s} s; give at least {}, or \
         lower the timeout", written(*.most), round_up(*.needed)
    )]
    MaxCost {
        /// The given `maxCost`.
        most: f64,
        /// The currency of both amounts.
        currency: Currency,
        /// The smallest power to measure.
        power: Power,
        /// The function's timeout in seconds.
        timeout_s: u64,
        /// The worst-case cost of one invocation at `power`.
        needed: f64,
    },
    /// powertune knows no price for the region and architecture.
    #[error("{0}")]
    Price(#[from] UnknownPrice),
    /// The payload from S3 is not usable.
    #[error("payloadS3: {0}")]
    Payload(#[from] PayloadError),
}

/// An amount in decimal notation, or in scientific notation below 1e-9.
fn written(amount: f64) -> String {
    if amount < 1e-9 { format!("{amount:e}") } else { amount.to_string() }
}

/// An amount with three digits, rounded up.
fn round_up(amount: f64) -> f64 {
    let scale = 10_f64.powf(2.0 - amount.log10().floor());
    (amount * scale).ceil() / scale
}

/// The reason why a run failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Cause {
    /// A call to AWS failed.
    #[error("{0}")]
    Api(#[from] ApiError),
    /// Another run's tags are on the function.
    #[error(
        "another powertune run {} ({mark}); if it is over, put the function back with: \
         powertune clean {function}",
        if *.is_alive {
            "is tuning this function on this machine"
        } else {
            "is tuning this function, or was interrupted"
        }
    )]
    Marked {
        /// The ARN of the function.
        function: String,
        /// True if a journal on this machine shows that the run is alive.
        is_alive: bool,
        /// The tags of the run.
        mark: Box<Mark>,
    },
    /// `clean` found a run that may still be active.
    #[error(
        "{mark} may still be active; wait until it ends, or add --force if you know that it was \
         killed"
    )]
    Alive {
        /// The tags of the run.
        mark: Box<Mark>,
    },
    /// Another run started at the same time and won the election.
    #[error(
        "another powertune run started at the same time and is tuning the function ({mark}); wait \
         until it ends, then tune again"
    )]
    Rival {
        /// The tags of the other run.
        mark: Box<Mark>,
    },
    /// Somebody else changed the function during the run.
    #[error(
        "somebody else changed the function during the run ({what}), so the measurements no \
         longer apply; that change stays; tune again when nobody changes the function"
    )]
    Changed {
        /// The difference, as a phrase for the message.
        what: String,
    },
    /// Somebody else changed the alias during the run.
    #[error(
        "somebody else changed the alias {alias} during the run ({what}); that change stays, and \
         the choice was not applied; tune again if you still want to release it"
    )]
    AliasChanged {
        /// The name of the alias.
        alias: String,
        /// The difference, as a phrase for the message.
        what: String,
    },
    /// Somebody removed the run's tags before the run ended.
    #[error(
        "somebody removed the run's tags from {function} during the run, as powertune clean \
         --force does; another run may be active, so this one has ended and nothing was applied; \
         tune again when no other run is active"
    )]
    MarksGone {
        /// The ARN of the function.
        function: String,
    },
    /// PublishVersion returned a version with another memory size.
    #[error("PublishVersion returned version {version}, which does not have {power}; tune again")]
    WrongVersion {
        /// The version's number.
        version: String,
        /// The power that the version should have.
        power: Power,
    },
    /// Lambda reports a failed version or update.
    #[error("{what} failed: {reason}")]
    NotReady {
        /// The version or the update.
        what: String,
        /// Lambda's reason.
        reason: String,
    },
    /// A version of the run was deleted before it was measured.
    #[error(
        "version {version} ({power}) was deleted while the run measured it: somebody deleted it \
         or the function, or ran `powertune clean --force`; tune again when nobody else changes \
         the function"
    )]
    VersionGone {
        /// The version's number.
        version: String,
        /// The power of the version.
        power: Power,
    },
    /// A version or an update did not become ready in time.
    #[error("{what} was still in progress after {minutes} minutes; try again later")]
    TooSlow {
        /// The version or the update.
        what: String,
        /// The length of the wait in minutes.
        minutes: u64,
    },
    /// A pre- or post-processor failed.
    #[error("{field}: {function} failed: {why}")]
    Processor {
        /// The request's field for this processor.
        field: &'static str,
        /// The processor, as the request names it.
        function: String,
        /// The processor's error, or that of the call.
        why: String,
    },
    /// A call had no answer for too long.
    #[error(
        "{0}; powertune stopped waiting; check the network, the proxy settings and the credentials"
    )]
    Silent(Wait),
    /// The result could not be saved, so nothing was applied. The text is the path and the error.
    #[error("the result was not saved to {0}; nothing was applied")]
    NotKept(String),
    /// No measurement counted.
    #[error("{0}")]
    NothingMeasured(#[from] NothingMeasured),
    /// A bug in powertune, such as a panic.
    #[error("powertune itself failed ({0}); this is a bug, please report it")]
    Bug(String),
}

/// A leftover that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({why}); by hand: {by_hand}")]
pub struct LeftBehind {
    /// The leftover.
    pub what: String,
    /// The reason why it stays.
    pub why: String,
    /// A shell command that removes it.
    pub by_hand: String,
}
