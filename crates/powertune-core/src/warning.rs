//! Warnings: advice for the user while the run goes on.

use std::fmt;

use crate::{power::Power, region::Currency};

/// A warning. Its text says what to do about it.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// A value was moved into its range, as in aws-lambda-power-tuning.
    Clamped {
        /// The field of the request.
        field: &'static str,
        /// The value in the request.
        given: f64,
        /// The used value.
        used: f64,
    },
    /// A field has no effect beside another.
    Ignored {
        /// The field of the request.
        field: &'static str,
        /// The reason.
        because: &'static str,
    },
    /// A power is given more than once.
    DuplicatePowers,
    /// No journal of the run's changes could be written on this machine.
    NoJournal {
        /// The reason.
        because: String,
    },
    /// The deciding figures mix cold and warm invocations.
    MixedColdStarts {
        /// The powers with both.
        powers: Vec<Power>,
    },
    /// Some powers have only cold starts, others have warm invocations too.
    UnequalColdStarts {
        /// The powers with only cold starts.
        cold: Vec<Power>,
    },
    /// Fewer cold starts happened than the request asks for.
    WarmDespiteColdOnly {
        /// The power that lacks cold starts.
        power: Power,
        /// The number of cold starts.
        cold: u32,
        /// The requested number.
        asked: u32,
        /// The limit that was reached.
        because: &'static str,
    },
    /// No power stays within the limit.
    LimitNotKept {
        /// The limit in milliseconds.
        limit_ms: f64,
        /// The percentile, between 0 and 100.
        percentile: f64,
        /// The lowest duration at the percentile, in milliseconds. `None` with too few samples.
        closest_ms: Option<f64>,
    },
    /// Some invocations of measured powers failed.
    SomeFailed {
        /// The powers with the same cause.
        powers: Vec<Power>,
        /// The cause, as the first failure tells it.
        first: String,
    },
    /// The choice lacks the confidence that the request requires.
    NotSureEnough {
        /// The confidence as a share.
        confidence: f64,
        /// The required confidence in percent.
        least: f64,
    },
    /// Powers could not be measured for reasons outside of the function.
    Unmeasured {
        /// The powers without a measurement.
        powers: Vec<Power>,
        /// True if the request asks to apply the choice. It is not applied then.
        apply: bool,
    },
    /// The durations drifted during the run.
    Drift {
        /// The difference between the last and the first invocations, as a share.
        change: f64,
    },
    /// Environments of one power differ more than the invocations within them.
    Environments {
        /// The standard deviation of an environment's mean, as a share.
        spread: f64,
    },
    /// The cost of some invocations is not known.
    CostUnknown {
        /// The number of these invocations.
        invocations: u32,
    },
    /// The machine of the endpoint is too small for some powers.
    BeyondHost {
        /// The powers beyond the machine.
        powers: Vec<Power>,
        /// The vCPUs of the machine.
        vcpus: f64,
    },
    /// A local Lambda uses another version of the language than the requested one.
    OtherRuntime {
        /// The requested runtime, as AWS names it.
        asked: String,
        /// The used version, as in `Python 3.11.2`.
        runs: String,
    },
    /// Other programs take CPU from the functions on this machine.
    BusyMachine {
        /// Their share of the CPU, from 0 to 1.
        share: f64,
        /// The number of processors.
        processors: u32,
    },
    /// The costs lack the price of storage beyond the free 512 MB.
    EphemeralStorageNotPriced {
        /// The storage of the function in MB.
        storage_mb: u32,
    },
    /// The user or an error ended the run early.
    Incomplete,
    /// The history of the execution was full before everything was measured.
    HistoryFull,
    /// `maxCost` ended measuring before everything was measured.
    CostReached {
        /// The limit.
        most: f64,
        /// The currency of the limit.
        currency: Currency,
    },
    /// SnapStart bills the cache and the restores of a test version.
    SnapStartCosts,
    /// Applying the choice releases code or a configuration that the alias does not have.
    ReleasesLatest {
        /// The name of the alias.
        alias: String,
        /// The version of the alias.
        version: String,
        /// The differing part.
        what: &'static str,
    },
    /// The Timeout of a processor cannot be read.
    ProcessorUnread {
        /// The field of the request that names the processor.
        field: &'static str,
        /// The processor.
        function: String,
        /// The message of AWS.
        because: String,
    },
    /// Something in the run failed without ending it.
    Note(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clamped { field, given, used } => {
                write!(f, "{field}: {given} is outside its range, {used} is used")
            }
            Self::Ignored { field, because } => write!(f, "{field} has no effect: {because}"),
            Self::DuplicatePowers => {
                write!(f, "powerValues: a memory size given more than once is measured once")
            }
            Self::NoJournal { because } => write!(
                f,
                "no journal could be written on this machine ({because}); the tags on the function \
                 say how to undo the run, should it be killed"
            ),
            Self::MixedColdStarts { powers } => write!(
                f,
                "averagePrice and averageDuration mix cold and warm invocations at {}; `cost` and \
                 `duration` hold the warm ones alone",
                list(powers)
            ),
            Self::UnequalColdStarts { cold } => write!(
                f,
                "every invocation at {} was a cold start, elsewhere some were warm, so the powers \
                 are not on equal terms; without parallel invocations environments are reused",
                list(cold)
            ),
            Self::WarmDespiteColdOnly { power, cold, asked, because } => write!(
                f,
                "{power}: only {cold} of the {asked} requested cold starts happened: {because}"
            ),
            Self::LimitNotKept { limit_ms, percentile, closest_ms } => {
                f.write_str(&limit_not_kept(*limit_ms, *percentile, *closest_ms))
            }
            Self::SomeFailed { powers, first } => {
                write!(f, "some invocations failed at {} and do not count: {first}", list(powers))
            }
            Self::NotSureEnough { confidence, least } => write!(
                f,
                "nothing was applied: the choice is {:.0} % sure, and minConfidence asks for \
                 {least} %",
                (confidence * 100.0).floor()
            ),
            Self::Unmeasured { powers, apply } => f.write_str(&unmeasured(powers, *apply)),
            Self::Drift { change } => f.write_str(&drift(*change)),
            Self::Environments { spread } => write!(
                f,
                "speed differs between instances of the same size by {:.0} %; run it again for a \
                 surer answer",
                spread * 100.0
            ),
            Self::CostUnknown { invocations } => write!(
                f,
                "{invocations} invocations may have run without their REPORT being seen; what \
                 they cost is not in explorationCost"
            ),
            Self::BeyondHost { powers, vcpus } => write!(
                f,
                "this machine's {vcpus} vCPUs are too few to show {}; measure there on AWS before you \
                 choose it",
                list(powers)
            ),
            Self::OtherRuntime { asked, runs } => f.write_str(&other_runtime(asked, runs)),
            Self::BusyMachine { share, processors } => f.write_str(&busy(*share, *processors)),
            Self::EphemeralStorageNotPriced { storage_mb } => write!(
                f,
                "the function has {storage_mb} MB of /tmp; the price of what is beyond 512 MB is \
                 not known for this region and not in the costs"
            ),
            Self::Incomplete => write!(
                f,
                "the run ended before everything was measured; this is what was measured until \
                 then, and a whole run may choose another memory size: tune again before you go by it"
            ),
            Self::HistoryFull => write!(
                f,
                "the execution's history is nearly full, so that not every invocation asked for \
                 was made; ask for fewer, or use `powertune tune`, which has no such limit"
            ),
            Self::CostReached { most, currency } => write!(
                f,
                "maxCost ({most} {currency}) ended measuring before everything was measured: \
                 another invocation that lasts until the timeout could have exceeded it; give \
                 more, or lower the function's Timeout"
            ),
            Self::SnapStartCosts => write!(
                f,
                "SnapStart: every test version is cached for at least three hours and each \
                 restore is billed; explorationCost does not hold either"
            ),
            Self::ReleasesLatest { alias, version, what } => {
                f.write_str(&releases_latest(alias, version, what))
            }
            Self::ProcessorUnread { field, function, because } => write!(
                f,
                "{field}: the Timeout of {function} may not be read; the run is announced for as \
                 long as if each of its calls could take 15 minutes: {because}"
            ),
            Self::Note(text) => f.write_str(text),
        }
    }
}

fn limit_not_kept(limit_ms: f64, percentile: f64, closest_ms: Option<f64>) -> String {
    let closest = match closest_ms {
        Some(closest) => format!("the closest takes {closest:.1} ms"),
        None => "there were too few invocations to tell: raise --num".to_owned(),
    };
    format!("no measured memory size keeps to {limit_ms} ms at percentile {percentile}; {closest}")
}

fn unmeasured(powers: &[Power], apply: bool) -> String {
    format!(
        "{} could not be measured for reasons outside of the function (`reason` says which), and \
         may be the better choice: how sure the choice is, is not known{}; remove the reason and \
         tune again",
        list(powers),
        if apply { ", and nothing was applied" } else { "" }
    )
}

fn drift(change: f64) -> String {
    format!(
        "durations drifted during the run: the last third of a power's invocations took {:.0} % {} \
         than the first, so that the figures depend on how long a function is warm; powers were \
         measured side by side, and the comparison holds",
        change.abs() * 100.0,
        if change > 0.0 { "longer" } else { "less" }
    )
}

fn other_runtime(asked: &str, runs: &str) -> String {
    format!(
        "the function ran on {runs}, not on {asked} as asked: this machine does not have that; \
         versions differ in speed, so install it or measure on AWS before you go by small \
         differences"
    )
}

fn busy(share: f64, processors: u32) -> String {
    let what =
        if processors == 1 { "processor".to_owned() } else { format!("{processors} processors") };
    format!(
        "this machine is busy: other programs use {:.0} % of its {what}; times vary more than on an \
         idle machine, and may be longer",
        share * 100.0
    )
}

fn releases_latest(alias: &str, version: &str, what: &str) -> String {
    format!(
        "autoOptimizeAlias: the alias {alias} points to version {version}, and {what} of $LATEST \
         differs from that; applying the choice releases $LATEST by this alias; set releaseLatest \
         to true if you want that, or to false to have it refused"
    )
}

/// "128 MB, 256 MB and 512 MB".
fn list(powers: &[Power]) -> String {
    match powers {
        [] => "no memory size".to_owned(),
        [only] => only.to_string(),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(ToString::to_string).collect();
            format!("{} and {last}", most.join(", "))
        }
    }
}
