//! Warnings: what a user should know although the run goes on.

use std::fmt;

use crate::{power::Power, region::Currency};

/// Something worth knowing that does not stop a run. Its text says what to do about it.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// A value outside its range was moved into it, as aws-lambda-power-tuning does.
    Clamped {
        /// The field of the request.
        field: &'static str,
        /// What was given.
        given: f64,
        /// What is used.
        used: f64,
    },
    /// A field has no effect beside another.
    Ignored {
        /// The field of the request.
        field: &'static str,
        /// Why.
        because: &'static str,
    },
    /// Power values were given more than once.
    DuplicatePowers,
    /// What the run changes could not be written down on this machine.
    NoJournal {
        /// Why.
        because: String,
    },
    /// The decision rests on cold and warm invocations mixed.
    MixedColdStarts {
        /// The powers with both.
        powers: Vec<Power>,
    },
    /// Some powers were judged by cold starts alone, others by warm invocations too.
    UnequalColdStarts {
        /// The powers whose every invocation was cold.
        cold: Vec<Power>,
    },
    /// Cold starts were asked for and not all were had.
    WarmDespiteColdOnly {
        /// The power.
        power: Power,
        /// How many cold ones there were.
        cold: u32,
        /// How many were asked for.
        asked: u32,
        /// The limit that stopped it.
        because: &'static str,
    },
    /// No power keeps to the limit.
    LimitNotKept {
        /// The limit in milliseconds.
        limit_ms: f64,
        /// The percentile.
        percentile: f64,
        /// The closest power's duration at it, where there were samples enough.
        closest_ms: Option<f64>,
    },
    /// Some invocations of measured powers failed.
    SomeFailed {
        /// The powers that share the cause.
        powers: Vec<Power>,
        /// The cause, in the words of the first of them.
        first: String,
    },
    /// The choice is not as sure as the request wants it for applying.
    NotSureEnough {
        /// The confidence, as a share.
        confidence: f64,
        /// What was asked for, in percent.
        least: f64,
    },
    /// Powers could not be measured for reasons outside of the function.
    Unmeasured {
        /// The powers.
        powers: Vec<Power>,
        /// Whether the choice was to be applied, which it is not.
        apply: bool,
    },
    /// Durations drifted while the run went on.
    Drift {
        /// How much longer the last invocations took than the first, as a share.
        change: f64,
    },
    /// Environments of one power differ more than the invocations within them.
    Environments {
        /// The standard deviation of an environment's mean, as a share.
        spread: f64,
    },
    /// Invocations ended without their cost being known.
    CostUnknown {
        /// How many.
        invocations: u32,
    },
    /// The endpoint is not able to show this power.
    BeyondHost {
        /// The powers.
        powers: Vec<Power>,
        /// What the host has, in vCPUs.
        vcpus: f64,
    },
    /// A local Lambda runs the function by another version of its language than was asked for.
    OtherRuntime {
        /// The runtime asked for, by AWS's identifier.
        asked: String,
        /// What runs, as in `Python 3.11.2`.
        runs: String,
    },
    /// Other programs take CPU from the functions on this machine.
    BusyMachine {
        /// The share of its CPU that they have, from 0 to 1.
        share: f64,
        /// How many processors it has.
        processors: u32,
    },
    /// Temporary storage beyond the free 512 MB has a price that is not in the costs.
    EphemeralStorageNotPriced {
        /// What the function has, in MB.
        storage_mb: u32,
    },
    /// Measuring ended before its time: the user or an error ended the run.
    Incomplete,
    /// Measuring ended before everything was measured, for want of room in an execution's history.
    HistoryFull,
    /// Measuring ended before everything was measured, for the sake of `maxCost`.
    CostReached {
        /// What was not to be exceeded.
        most: f64,
        /// What it is in.
        currency: Currency,
    },
    /// SnapStart bills what a test version caches and restores.
    SnapStartCosts,
    /// Applying the choice releases code or a configuration that the alias does not have.
    ReleasesLatest {
        /// The alias.
        alias: String,
        /// The version that it points to.
        version: String,
        /// What differs.
        what: &'static str,
    },
    /// A processor's Timeout may not be read.
    ProcessorUnread {
        /// The field of the request that names it.
        field: &'static str,
        /// The processor.
        function: String,
        /// What AWS said.
        because: String,
    },
    /// Something of the run's could not be done, and the run went on.
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
