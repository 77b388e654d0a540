//! How a run can end other than well.

use powertune_core::{
    analysis::NothingMeasured, ending::Ending, payload::PayloadError, power::Power,
    price::UnknownPrice, region::Currency,
};

use crate::{
    gateway::{ApiError, Wait},
    mark::Mark,
};

/// A run that did not do all that it was asked to.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct Unfinished {
    /// Why, and what became of the function.
    pub error: TuneError,
    /// What was measured: all, or what there was until the run ended (`complete: false`). `None`
    /// where no invocation counted.
    pub measured: Option<Ending>,
}

impl From<TuneError> for Unfinished {
    /// Nothing was measured.
    fn from(error: TuneError) -> Self {
        Self { error, measured: None }
    }
}

/// Why a run did not end well, and what became of the function.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TuneError {
    /// The function can't be tuned as asked. Nothing was changed and nothing invoked.
    #[error("{0}")]
    Refused(Refusal),
    /// The run failed before it changed anything.
    #[error("{0}\nnothing was changed")]
    NotBegun(Cause),
    /// The run failed, and everything was put back.
    #[error("{0}\neverything was put back as it was")]
    Failed(Cause),
    /// The run came to its end, and meanwhile somebody else has changed the function; everything of
    /// the run's was put back, and nothing applied.
    #[error("{0}\nthe result is of what it was before; everything was put back")]
    Outdated(Cause),
    /// The user stopped it, and everything was put back.
    #[error("interrupted; everything was put back as it was")]
    Interrupted,
    /// Something could not be put back.
    #[error("{}{}", .cause.as_ref().map_or(String::new(), |cause| format!("{cause}\n")), left_text(.left))]
    LeftBehind {
        /// Why the run ended, where it did not end well.
        cause: Option<Cause>,
        /// What is left, and how to put it right by hand.
        left: Vec<LeftBehind>,
    },
}

impl TuneError {
    /// An error before the first change: a failure that would come back on every try is a refusal.
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

/// Why a function can't be tuned as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Reading the function, or announcing the run, failed for a reason that lasts.
    #[error("{0}")]
    Api(ApiError),
    /// A kind of function that this method does not fit.
    #[error("the function can't be tuned: {0}")]
    Unsupported(String),
    /// What was named is not what a test version would be.
    #[error(
        "{qualifier} differs from $LATEST in more than its memory size, and only $LATEST can be \
         tested at other sizes; deploy the same code and configuration to both, or tune $LATEST"
    )]
    QualifierDiffers {
        /// The version or alias.
        qualifier: String,
    },
    /// An alias that names no single version.
    #[error("the alias {alias} sends its calls to two versions; name one of them, or $LATEST")]
    WeightedAlias {
        /// The alias.
        alias: String,
    },
    /// An alias that is to be moved, and that somebody moves step by step.
    #[error(
        "autoOptimizeAlias: the alias {alias} sends its calls to two versions, as during a canary \
         release, and moving it would end that; wait until it points to one version, or leave \
         autoOptimizeAlias out"
    )]
    Canary {
        /// The alias.
        alias: String,
    },
    /// Applying would release what the alias does not have.
    #[error(
        "autoOptimizeAlias: the alias {alias} points to version {version}, and {what} of $LATEST \
         differs from that, so that applying the choice would release $LATEST by this alias; add \
         --release-latest (releaseLatest in a request file) if you want that, or make $LATEST what \
         the alias has"
    )]
    ReleasesLatest {
        /// The alias.
        alias: String,
        /// The version that it points to.
        version: String,
        /// What differs.
        what: &'static str,
    },
    /// A pre- or post-processor that can't be read.
    #[error("{field}: {function} can't be read: {error}")]
    Processor {
        /// The request's field that names it.
        field: &'static str,
        /// The processor.
        function: String,
        /// What AWS said.
        error: ApiError,
    },
    /// No invocation would be let through.
    #[error(
        "the function's reserved concurrency is 0, so that nothing can invoke it; raise it or \
         delete the reservation (aws lambda delete-function-concurrency)"
    )]
    NothingMayRun,
    /// No room for the run's tags.
    #[error(
        "the function has {has} tags, and may have 50; a run says by three tags of its own how to \
         put the function back, so that it takes 47 at most: remove some while it is tuned"
    )]
    TooManyTags {
        /// How many it has.
        has: usize,
    },
    /// Not even the cheapest invocation is sure to be within `maxCost`.
    #[error(
        "maxCost: {} {currency} is less than one invocation at {power} costs if it lasts until \
         the function's Timeout of {timeout_s} s after the longest Init; give at least {}, or \
         lower the Timeout", written(*.most), round_up(*.needed)
    )]
    MaxCost {
        /// What was given.
        most: f64,
        /// What it is in.
        currency: Currency,
        /// The smallest power to measure.
        power: Power,
        /// The function's Timeout in seconds.
        timeout_s: u64,
        /// What an invocation there can cost.
        needed: f64,
    },
    /// A price that powertune does not know.
    #[error("{0}")]
    Price(#[from] UnknownPrice),
    /// A payload from S3 that can't be used.
    #[error("payloadS3: {0}")]
    Payload(#[from] PayloadError),
}

/// An amount as people write it: not with hundreds of zeros.
fn written(amount: f64) -> String {
    if amount < 1e-9 { format!("{amount:e}") } else { amount.to_string() }
}

/// An amount with a few digits, none of which is too low.
fn round_up(amount: f64) -> f64 {
    let scale = 10_f64.powf(2.0 - amount.log10().floor());
    (amount * scale).ceil() / scale
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Cause {
    /// A call failed.
    #[error("{0}")]
    Api(#[from] ApiError),
    /// Another run's marks are on the function.
    #[error(
        "the function bears the marks of another run ({mark}){}; if it is over, put the function \
         back with: powertune clean {function}", if *.is_alive {", which goes on on this host"} else {""}
    )]
    Marked {
        /// The function's ARN.
        function: String,
        /// Whether it is known to be alive.
        is_alive: bool,
        /// What the marks say.
        mark: Box<Mark>,
    },
    /// The run that `clean` is asked to clear away may still be going on.
    #[error(
        "{mark} may still be going on; wait for it, or add --force if you know that it is dead"
    )]
    Alive {
        /// What the marks say.
        mark: Box<Mark>,
    },
    /// Another run has begun at the same time, and made the first change.
    #[error(
        "another run has begun to tune the function at the same time ({mark}); wait until it is \
         over and tune again"
    )]
    Rival {
        /// What its marks say.
        mark: Box<Mark>,
    },
    /// The function was changed by somebody else.
    #[error(
        "the function was changed during the run by somebody else ({what}), so that what was \
         measured is no longer what runs; what they have set stays; tune it again when it is quiet"
    )]
    Changed {
        /// What is different.
        what: String,
    },
    /// The alias that was to be moved was changed by somebody else.
    #[error(
        "the alias {alias} was changed during the run by somebody else ({what}); it stays as they \
         have set it, and the choice was not applied; tune again if it is still to be released"
    )]
    AliasChanged {
        /// The alias.
        alias: String,
        /// What is different.
        what: String,
    },
    /// The run's tags were taken away before it came to its end.
    #[error(
        "the run's tags were taken from {function} during the run, as powertune clean --force does; \
         another run may be at work on it, so that this one has ended, and nothing was applied; tune \
         again when there is none"
    )]
    MarksGone {
        /// The function's ARN.
        function: String,
    },
    /// A published version does not have the memory size that it was published for.
    #[error("PublishVersion gave version {version}, which does not have {power}; tune again")]
    WrongVersion {
        /// The version.
        version: String,
        /// The power wanted.
        power: Power,
    },
    /// Lambda could not make a version or an update work.
    #[error("{what} failed: {reason}")]
    NotReady {
        /// The version or the update.
        what: String,
        /// Lambda's reason.
        reason: String,
    },
    /// A version of the run's is gone before it was measured.
    #[error(
        "version {version} ({power}), which the run was measuring, is gone: somebody has deleted \
         it or the function, or has cleaned up after the run with `powertune clean --force`; tune \
         again when nobody else is at the function"
    )]
    VersionGone {
        /// The version.
        version: String,
        /// Its power.
        power: Power,
    },
    /// Lambda took too long.
    #[error("{what} was still in progress after {minutes} minutes; try again later")]
    TooSlow {
        /// The version or the update.
        what: String,
        /// How long was waited.
        minutes: u64,
    },
    /// A pre- or post-processor failed.
    #[error("{field}: {function} failed: {why}")]
    Processor {
        /// The request's field that names it.
        field: &'static str,
        /// The processor.
        function: String,
        /// What it, or the call, said.
        why: String,
    },
    /// A call has had no answer for too long.
    #[error("{0}, and that is given up; check the network, the proxy settings and the credentials")]
    Silent(Wait),
    /// What was measured could not be kept where it was to be, so that nothing was applied.
    #[error("the result was not saved to {0}; nothing was applied")]
    NotKept(String),
    /// Nothing could be measured.
    #[error("{0}")]
    NothingMeasured(#[from] NothingMeasured),
    /// A fault of powertune's own.
    #[error("powertune itself failed ({0}); this is a bug, please report it")]
    Bug(String),
}

/// Something that could not be put back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({why}); by hand: {by_hand}")]
pub struct LeftBehind {
    /// What is left.
    pub what: String,
    /// Why it could not be put back.
    pub why: String,
    /// The command that does it.
    pub by_hand: String,
}
