//! Warnings: advice for the user while the run goes on.

use crate::{power::Power, region::Currency};

/// A warning. Its text says what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Warning {
    /// A value was moved into its range, as in aws-lambda-power-tuning.
    #[error("{field}: {given} is outside its range, {used} is used")]
    Clamped {
        /// The field of the request.
        field: &'static str,
        /// The value in the request.
        given: f64,
        /// The used value.
        used: f64,
    },
    /// A field has no effect beside another.
    #[error("{field} has no effect: {because}")]
    Ignored {
        /// The field of the request.
        field: &'static str,
        /// The reason.
        because: &'static str,
    },
    /// A power is given more than once.
    #[error("powerValues: a memory size given more than once is measured once")]
    DuplicatePowers,
    /// No journal of the run's changes could be written on this machine.
    #[error(
        "no journal could be written on this machine ({because}); if the run is killed, the tags \
         on the function tell how to undo it"
    )]
    NoJournal {
        /// The reason.
        because: String,
    },
    /// The deciding figures mix cold and warm invocations.
    #[error(
        "averagePrice and averageDuration mix cold and warm invocations at {}; `cost` and \
         `duration` have only the warm ones",
        list(powers)
    )]
    MixedColdStarts {
        /// The powers with both.
        powers: Vec<Power>,
    },
    /// Some powers have only cold starts, others have warm invocations too.
    #[error(
        "every invocation at {} was a cold start, but some at other memory sizes were warm, so the \
         comparison is not fair; without parallel invocations environments are reused",
        list(cold)
    )]
    UnequalColdStarts {
        /// The powers with only cold starts.
        cold: Vec<Power>,
    },
    /// Fewer cold starts happened than the request asks for.
    #[error("{power}: only {cold} of the {asked} requested cold starts happened: {because}")]
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
    #[error("{}", limit_not_kept(*limit_ms, *percentile, *closest_ms))]
    LimitNotKept {
        /// The limit in milliseconds.
        limit_ms: f64,
        /// The percentile, between 0 and 100.
        percentile: f64,
        /// The lowest duration at the percentile, in milliseconds. `None` with too few samples.
        closest_ms: Option<f64>,
    },
    /// Some invocations of measured powers failed.
    #[error("some invocations failed at {} and do not count: {first}", list(powers))]
    SomeFailed {
        /// The powers with the same cause.
        powers: Vec<Power>,
        /// The cause, as the first failure tells it.
        first: String,
    },
    /// The choice lacks the confidence that the request requires.
    #[error(
        "nothing was applied: the choice is {:.0} % sure, and minConfidence asks for {least} %",
        (confidence * 100.0).floor()
    )]
    NotSureEnough {
        /// The confidence as a share.
        confidence: f64,
        /// The required confidence in percent.
        least: f64,
    },
    /// Powers could not be measured for reasons outside of the function.
    #[error("{}", unmeasured(powers, *apply))]
    Unmeasured {
        /// The powers without a measurement.
        powers: Vec<Power>,
        /// True if the request asks to apply the choice. It is not applied then.
        apply: bool,
    },
    /// The durations drifted during the run.
    #[error("{}", drift(*change))]
    Drift {
        /// The difference between the last and the first invocations, as a share.
        change: f64,
    },
    /// Environments of one power differ more than the invocations within them.
    #[error(
        "speed differs between instances of the same size by {:.0} %; run it again for a surer \
         answer",
        spread * 100.0
    )]
    Environments {
        /// The standard deviation of an environment's mean, as a share.
        spread: f64,
    },
    /// The cost of some invocations is not known.
    #[error(
        "{invocations} invocations may have run without their REPORT being seen; their cost is \
         not in explorationCost"
    )]
    CostUnknown {
        /// The number of these invocations.
        invocations: u32,
    },
    /// The machine of the endpoint is too small for some powers.
    #[error(
        "this machine's {vcpus} vCPUs are too few to show {}; measure there on AWS before you \
         choose it",
        list(powers)
    )]
    BeyondHost {
        /// The powers beyond the machine.
        powers: Vec<Power>,
        /// The vCPUs of the machine.
        vcpus: f64,
    },
    /// A local Lambda uses another version of the language than the requested one.
    #[error(
        "the function ran on {runs} instead of {asked}, which this machine does not have; versions \
         differ in speed, so install it, or measure on AWS before you trust small differences"
    )]
    OtherRuntime {
        /// The requested runtime, as AWS names it.
        asked: String,
        /// The used version, as in `Python 3.11.2`.
        runs: String,
    },
    /// Other programs take CPU from the functions on this machine.
    #[error("{}", busy(*share, *processors))]
    BusyMachine {
        /// Their share of the CPU, from 0 to 1.
        share: f64,
        /// The number of processors.
        processors: u32,
    },
    /// The costs lack the price of storage beyond the free 512 MB.
    #[error(
        "the function has {storage_mb} MB of /tmp; the costs lack the price of the storage beyond \
         512 MB, which is not known for this region"
    )]
    EphemeralStorageNotPriced {
        /// The storage of the function in MB.
        storage_mb: u32,
    },
    /// The user or an error ended the run early.
    #[error(
        "the run ended before everything was measured; a whole run may choose another memory size, \
         so tune again before you trust this result"
    )]
    Incomplete,
    /// The history of the execution was full before everything was measured.
    #[error(
        "the execution's history is nearly full, so not every requested invocation was made; ask \
         for fewer, or use `powertune tune`, which has no such limit"
    )]
    HistoryFull,
    /// `maxCost` ended measuring before everything was measured.
    #[error(
        "maxCost ({most} {currency}) ended the run before everything was measured: another \
         invocation that lasts until the timeout could have exceeded it; raise maxCost, or lower \
         the function's Timeout"
    )]
    CostReached {
        /// The limit.
        most: f64,
        /// The currency of the limit.
        currency: Currency,
    },
    /// SnapStart bills the cache and the restores of a test version.
    #[error(
        "SnapStart: every test version is cached for at least three hours and each restore is \
         billed; explorationCost does not hold either"
    )]
    SnapStartCosts,
    /// Applying the choice releases code or a configuration that the alias does not have.
    #[error(
        "autoOptimizeAlias: the alias {alias} points to version {version}, and {what} of $LATEST \
         differs from that; applying the choice releases $LATEST by this alias; set releaseLatest \
         to true if you want that, or to false to refuse it"
    )]
    ReleasesLatest {
        /// The name of the alias.
        alias: String,
        /// The version of the alias.
        version: String,
        /// The differing part.
        what: &'static str,
    },
    /// The Timeout of a processor cannot be read.
    #[error(
        "{field}: powertune may not read the Timeout of {function}, so it assumes 15 minutes for \
         each call, and announces the run for that long: {because}"
    )]
    ProcessorUnread {
        /// The field of the request that names the processor.
        field: &'static str,
        /// The processor.
        function: String,
        /// The message of AWS.
        because: String,
    },
    /// Something in the run failed without ending it.
    #[error("{0}")]
    Note(String),
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
         may be the better choice, so the confidence is not known{}; remove the reason and tune \
         again",
        list(powers),
        if apply { ", and nothing was applied" } else { "" }
    )
}

fn drift(change: f64) -> String {
    format!(
        "durations drifted during the run: the last third of a power's invocations took {:.0} % {} \
         than the first third, so the figures depend on the time that a function is warm; the \
         comparison is still fair, because powers were measured side by side",
        change.abs() * 100.0,
        if change > 0.0 { "longer" } else { "less" }
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
