//! The request: the function to tune, and the options, in the input format of
//! aws-lambda-power-tuning and with powertune's own fields.
//!
//! Fields of aws-lambda-power-tuning (and of its 2017 design) have the same names and meanings
//! here. [`parse`] checks every field before any call and reports all faults at once. A value that
//! aws-lambda-power-tuning clamps is clamped here too, with a warning.

mod auto_optimize;
mod fields;

use std::sync::Arc;

use serde_json::{Map, Value};

use self::{
    auto_optimize::auto_optimize,
    fields::{RequestFields, boolean, number, shown, text, texts, whole},
};
pub use self::{
    auto_optimize::{AutoOptimize, ReleaseLatest},
    fields::{Fault, Faults},
};
use crate::{
    arn::FunctionRef, payload::Payloads, power::PowerValues, strategy::Strategy, warning::Warning,
};

/// The minimum number of invocations per power, as in aws-lambda-power-tuning.
pub const MIN_NUM: u32 = 5;
/// The maximum number of invocations per power. It is far beyond any need, and guards against an
/// expensive typing error.
pub const MAX_NUM: u32 = 100_000;
/// The maximum number of invocations per power with `num: auto`.
pub const AUTO_MOST: u32 = 60;
/// The default of `maxErrorRate`, as a share.
const MAX_ERROR_RATE: f64 = 0.1;
/// The usual number of invocations per power with `num: auto`: about 40 for six powers.
const AUTO_EXPECTED: u32 = 7;
/// The default of `tolerance` with `num: auto`, in percent: a faster power may cost this much more
/// than the cheapest.
const AUTO_TOLERANCE: f64 = 3.0;

/// Every field of a request.
pub const FIELDS: [&str; 29] = [
    "lambdaARN",
    "num",
    "powerValues",
    "payload",
    "payloadS3",
    "parallelInvocation",
    "enableParallel",
    "strategy",
    "balancedWeight",
    "autoOptimize",
    "autoOptimizeAlias",
    "releaseLatest",
    "dryRun",
    "preProcessorARN",
    "postProcessorARN",
    "discardTopBottom",
    "sleepBetweenRunsMs",
    "disablePayloadLogs",
    "includeOutputResults",
    "onlyColdStarts",
    "allowedExceptions",
    "maxDuration",
    "percentile",
    "tolerance",
    "parallel",
    "maxCost",
    "maxErrorRate",
    "minConfidence",
    "seed",
];

/// A checked request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The function to tune.
    pub function: FunctionRef,
    /// The powers to measure. `None` means the default ones and the function's own.
    pub powers: Option<PowerValues>,
    /// The number of invocations per power.
    pub num: Num,
    /// True for one invocation per power, to see that it works.
    pub dry_run: bool,
    /// The source of the payload.
    pub payload: PayloadSource,
    /// One invocation at a time at each power, or many.
    pub pace: Pace,
    /// True if only cold starts count.
    pub only_cold_starts: bool,
    /// The goal of the choice.
    pub strategy: Strategy,
    /// The share by which a choice may be worse than the best in its goal, if it is better in the
    /// other figure.
    pub tolerance: f64,
    /// The share of samples to trim at each end for averagePrice and averageDuration.
    pub discard_top_bottom: f64,
    /// Invoked before each invocation. Its answer replaces the payload.
    pub pre_processor: Option<FunctionRef>,
    /// Invoked after each invocation, with the answer of that.
    pub post_processor: Option<FunctionRef>,
    /// The `errorType`s of failures that count as results.
    pub allowed_exceptions: Vec<String>,
    /// The share of a power's invocations that may end with an error. A power fails if the lower 95
    /// % bound of its error rate exceeds it.
    pub max_error_rate: f64,
    /// The required confidence in percent. Below it, nothing is applied.
    pub min_confidence: Option<f64>,
    /// The way to apply the choice. `None` applies nothing.
    pub auto_optimize: Option<AutoOptimize>,
    /// True if messages must not show payloads.
    pub disable_payload_logs: bool,
    /// The cost limit of the invocations, in the currency of the function's region. Invocations of
    /// pre- and post-processors are not counted.
    pub max_cost: Option<f64>,
    /// The seed of every random number in the analysis.
    pub seed: u64,
    /// Advice for the author of the request.
    pub warnings: Vec<Warning>,
}

/// The number of invocations per power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Num {
    /// As many as the answer needs.
    Auto,
    /// A fixed number, cold starts included.
    Fixed(u32),
}

/// The source of the payload.
#[derive(Debug, Clone, PartialEq)]
pub enum PayloadSource {
    /// The request itself.
    Inline(Payloads),
    /// An object in S3, to fetch and to read with [`Payloads::parse`].
    S3 {
        /// The name of the bucket.
        bucket: String,
        /// The key of the object.
        key: String,
    },
}

/// The order of the invocations at one power. Powers are measured side by side in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One after the other.
    Series {
        /// The pause between two invocations, in milliseconds.
        sleep_ms: u64,
    },
    /// Many at a time.
    Parallel {
        /// The maximum over all powers. `None` means the account's free concurrency.
        limit: Option<u32>,
    },
}

/// Reads and checks a request.
///
/// # Errors
/// All faults of the request, each with its field.
pub fn parse(request: &Map<String, Value>) -> Result<Request, Faults> {
    parse_with_options(request, &[])
}

/// Reads and checks a request. The fields in `options` came from the command line. For them, a
/// value out of range or without effect is a fault, because the user can correct it at once. For
/// other fields it is a warning, because aws-lambda-power-tuning accepts such files.
///
/// # Errors
/// All faults of the request, each with its field.
pub fn parse_with_options(
    request: &Map<String, Value>,
    options: &[&str],
) -> Result<Request, Faults> {
    let mut fields = RequestFields::new(request, options);
    fields.reject_unknown(&FIELDS);

    let function = function(&mut fields);
    let powers = powers(&mut fields);
    let dry_run = flag(&mut fields, "dryRun");
    let strategy = strategy(&mut fields);
    let num = num(&mut fields, strategy);
    let most = most_invocations(num, strategy);
    let payload = payload(&mut fields, most);
    let pace = pace(&mut fields);
    let only_cold_starts = flag(&mut fields, "onlyColdStarts");
    let discard_top_bottom = discard(&mut fields, only_cold_starts);
    let tolerance = tolerance(&mut fields, num, strategy);
    let auto_optimize = auto_optimize(&mut fields);
    let pre_processor = fields.read("preProcessorARN", function_ref);
    let post_processor = fields.read("postProcessorARN", function_ref);
    let allowed_exceptions = fields.read("allowedExceptions", texts).unwrap_or_default();
    let max_error_rate = max_error_rate(&mut fields);
    let min_confidence = min_confidence(&mut fields, auto_optimize.is_some());
    let disable_payload_logs = flag(&mut fields, "disablePayloadLogs");
    // The result always has these statistics. The field stays valid for existing input.
    let _ = flag(&mut fields, "includeOutputResults");
    let max_cost = fields.read("maxCost", |value| {
        number(value, f64::MIN_POSITIVE..=f64::MAX)
            .map_err(|_| format!("{} is not an amount above 0", shown(value)))
    });
    let seed = fields.read("seed", |value| whole(value, 0..=u64::MAX)).unwrap_or(0);
    let warnings = fields.warnings();
    let request = function.zip(payload).map(|(function, payload)| Request {
        function,
        powers,
        num,
        dry_run,
        payload,
        pace,
        only_cold_starts,
        strategy,
        tolerance,
        discard_top_bottom,
        pre_processor,
        post_processor,
        allowed_exceptions,
        max_error_rate,
        min_confidence,
        auto_optimize,
        disable_payload_logs,
        max_cost,
        seed,
        warnings,
    });
    fields.finish(request)
}

fn function(fields: &mut RequestFields<'_>) -> Option<FunctionRef> {
    if fields.get("lambdaARN").is_none() {
        fields.fault("lambdaARN", "is missing: name the function to tune");
    }
    fields.read("lambdaARN", function_ref)
}

fn function_ref(value: &Value) -> Result<FunctionRef, String> {
    text(value)?.parse().map_err(|error: crate::arn::ArnError| error.to_string())
}

fn flag(fields: &mut RequestFields<'_>, field: &str) -> bool {
    fields.read(field, boolean).unwrap_or(false)
}

fn powers(fields: &mut RequestFields<'_>) -> Option<PowerValues> {
    let (powers, given) = fields.read("powerValues", power_values)?;
    if given.is_some_and(|given| given > powers.len()) {
        fields.warn(Warning::DuplicatePowers);
    }
    Some(powers)
}

/// The powers, and the length of the list with duplicates.
fn power_values(value: &Value) -> Result<(PowerValues, Option<usize>), String> {
    Ok(match value {
        Value::Array(items) => {
            let whole = |item: &Value| {
                item.as_i64()
                    .or_else(|| item.as_str().and_then(|text| text.trim().parse().ok()))
                    .ok_or_else(|| format!("{} is not a whole number of MB", shown(item)))
            };
            let given = items.iter().map(whole).collect::<Result<Vec<i64>, _>>()?;
            if given.is_empty() {
                return Err(
                    "is an empty list; leave it out for the default memory sizes".to_owned()
                );
            }
            let count = given.len();
            (PowerValues::from_list(given).map_err(|error| error.to_string())?, Some(count))
        }
        other => {
            let text = text(other)?;
            let listed = text.contains(',').then(|| text.split(',').count());
            (text.parse::<PowerValues>().map_err(|error| error.to_string())?, listed)
        }
    })
}

fn num(fields: &mut RequestFields<'_>, strategy: Strategy) -> Num {
    let given = fields.read("num", |value| {
        if value.as_str() == Some("auto") {
            return Ok(Num::Auto);
        }
        let num = whole(value, u64::from(MIN_NUM)..=u64::from(MAX_NUM))?;
        Ok(Num::Fixed(u32::try_from(num).unwrap_or(MAX_NUM)))
    });
    if let (Some(Num::Fixed(given)), Strategy::MaxDuration { percentile, .. }) = (given, strategy) {
        let needed = samples_for(percentile);
        if given < needed {
            let problem = format!("percentile {percentile} takes at least {needed} invocations");
            fields.fault("num", problem);
        }
    }
    given.unwrap_or(Num::Auto)
}

fn most_invocations(num: Num, strategy: Strategy) -> u32 {
    match (num, strategy) {
        (Num::Fixed(num), _) => num,
        (Num::Auto, Strategy::MaxDuration { percentile, .. }) => {
            AUTO_MOST.max(2 * samples_for(percentile))
        }
        (Num::Auto, _) => AUTO_MOST,
    }
}

impl Request {
    /// The usual number of invocations per power, warm-ups included.
    pub(crate) fn expected_invocations(&self) -> u32 {
        match self.num {
            Num::Fixed(num) => num,
            Num::Auto => AUTO_EXPECTED,
        }
    }

    /// The maximum number of invocations per power, warm-ups included.
    pub fn most_invocations(&self) -> u32 {
        most_invocations(self.num, self.strategy)
    }

    /// The same maximum with `num: auto`, otherwise `None`.
    pub fn open_end(&self) -> Option<u32> {
        (self.num == Num::Auto && !self.dry_run).then(|| self.most_invocations())
    }

    /// The number of invocations that send every payload once. It is 1 for a payload in S3, which
    /// is not known yet.
    pub(crate) fn payload_cycle(&self) -> u32 {
        let PayloadSource::Inline(payloads) = &self.payload else { return 1 };
        let all = payloads.expand(self.most_invocations() as usize).unwrap_or_default();
        let mut met = std::collections::HashSet::new();
        let firsts = all.iter().zip(1..).filter(|(payload, _)| met.insert(Arc::as_ptr(payload)));
        firsts.map(|(_, number)| number).last().unwrap_or(1)
    }
}

/// The minimum number of samples for a percentile (0 to 100, exclusive): n >= 1/(1-p).
pub(crate) fn samples_for(percentile: f64) -> u32 {
    (1..=MAX_NUM).find(|&n| f64::from(n) * (100.0 - percentile) >= 100.0 - 1e-9).unwrap_or(MAX_NUM)
}

fn payload(fields: &mut RequestFields<'_>, num: u32) -> Option<PayloadSource> {
    if fields.get("payloadS3").is_some() {
        if fields.get("payload").is_some() {
            fields.idle("payload", "payloadS3 overrides it");
        }
        return fields.read("payloadS3", |value| s3_url(text(value)?));
    }
    let parsed = Payloads::parse(fields.get("payload"))
        .and_then(|payloads| payloads.expand(num as usize).map(|_| payloads));
    match parsed {
        Ok(payloads) => Some(PayloadSource::Inline(payloads)),
        Err(error) => {
            fields.fault("payload", error.to_string());
            None
        }
    }
}

fn s3_url(url: &str) -> Result<PayloadSource, String> {
    let (bucket, key) = url
        .strip_prefix("s3://")
        .and_then(|path| path.split_once('/'))
        .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        .ok_or_else(|| format!("{url:?} is not of the form s3://BUCKET/KEY"))?;
    Ok(PayloadSource::S3 { bucket: bucket.to_owned(), key: key.to_owned() })
}

fn pace(fields: &mut RequestFields<'_>) -> Pace {
    let asked = fields.read("parallelInvocation", boolean);
    let asked_2017 = fields.read("enableParallel", boolean);
    if asked.zip(asked_2017).is_some_and(|(asked, asked_2017)| asked != asked_2017) {
        fields.fault("enableParallel", "contradicts parallelInvocation; keep one of them");
    }
    let asked = asked.or(asked_2017);
    let limit = fields.read("parallel", |value| whole(value, 1..=u64::from(MAX_NUM)));
    let limit = limit.and_then(|limit| u32::try_from(limit).ok());
    if limit.is_some() && asked == Some(false) {
        fields.fault("parallel", "contradicts parallelInvocation: false; keep one of them");
    }
    let sleep_ms = fields.read("sleepBetweenRunsMs", |value| whole(value, 0..=3_600_000));
    if limit.is_none() && !asked.unwrap_or(false) {
        return Pace::Series { sleep_ms: sleep_ms.unwrap_or(0) };
    }
    if sleep_ms.is_some_and(|sleep_ms| sleep_ms > 0) {
        fields.idle("sleepBetweenRunsMs", "invocations run in parallel");
    }
    Pace::Parallel { limit }
}

fn strategy(fields: &mut RequestFields<'_>) -> Strategy {
    let weight = fields.read("balancedWeight", |value| number(value, f64::MIN..=f64::MAX));
    let named = fields.read("strategy", |value| match text(value)? {
        "cost" => Ok(Strategy::Cost),
        "speed" => Ok(Strategy::Speed),
        "balanced" => Ok(Strategy::Balanced { weight: weight.unwrap_or(0.5) }),
        other => Err(format!("{other:?} is not a strategy; there are cost, speed and balanced")),
    });
    let named = weighted(fields, named, weight);
    let limit_ms = fields.read("maxDuration", |value| {
        number(value, f64::MIN_POSITIVE..=900_000.0)
            .map_err(|_| format!("{} is not a limit from above 0 to 900000 ms", shown(value)))
    });
    let percentile = fields.read("percentile", |value| {
        let percentile = number(value, 1.0..=99.99)?;
        Ok(percentile)
    });
    if percentile.is_some() && fields.get("maxDuration").is_none() {
        fields.fault("percentile", "goes with maxDuration only");
    }
    let Some(limit_ms) = limit_ms else { return named.unwrap_or(Strategy::Cost) };
    if !matches!(named, None | Some(Strategy::Cost)) {
        fields.fault(
            "maxDuration",
            "goes with the strategy cost only: the cheapest that keeps to it",
        );
    }
    Strategy::MaxDuration { limit_ms, percentile: percentile.unwrap_or(95.0) }
}

/// The strategy with its weight in range, if it has one.
fn weighted(
    fields: &mut RequestFields<'_>,
    named: Option<Strategy>,
    given: Option<f64>,
) -> Option<Strategy> {
    match (named, given) {
        (Some(Strategy::Balanced { .. }), Some(given)) => {
            let weight = fields.clamped("balancedWeight", given, 0.0, 1.0);
            Some(Strategy::Balanced { weight })
        }
        // A faulty strategy leaves open which one was meant.
        (None, Some(_)) if fields.get("strategy").is_some() => None,
        (named, Some(_)) => {
            fields.idle("balancedWeight", "it goes with the strategy balanced");
            named
        }
        (named, None) => named,
    }
}

fn discard(fields: &mut RequestFields<'_>, only_cold_starts: bool) -> f64 {
    let given = fields.read("discardTopBottom", |value| number(value, f64::MIN..=f64::MAX));
    let discard = given.map_or(0.2, |given| fields.clamped("discardTopBottom", given, 0.0, 0.4));
    if !only_cold_starts {
        return discard;
    }
    if given.is_some_and(|given| given != 0.0) {
        fields.idle("discardTopBottom", "with onlyColdStarts nothing is discarded");
    }
    0.0
}

fn max_error_rate(fields: &mut RequestFields<'_>) -> f64 {
    let percent = fields.read("maxErrorRate", |value| number(value, 0.0..=100.0));
    percent.map_or(MAX_ERROR_RATE, |percent| percent / 100.0)
}

fn min_confidence(fields: &mut RequestFields<'_>, applies: bool) -> Option<f64> {
    let percent = fields.read("minConfidence", |value| {
        let percent = number(value, 0.0..=100.0)?;
        if percent > 1.0 {
            return Ok(percent);
        }
        Err(format!("{percent} is not a percentage above 1; write 90 for 90 %"))
    });
    if percent.is_some() && !applies {
        fields.idle("minConfidence", "it goes with autoOptimize, which applies the choice");
    }
    percent.filter(|_| applies)
}

fn tolerance(fields: &mut RequestFields<'_>, num: Num, strategy: Strategy) -> f64 {
    let given = fields.read("tolerance", |value| number(value, 0.0..=100.0));
    let percent = given.unwrap_or(if num == Num::Auto { AUTO_TOLERANCE } else { 0.0 });
    if given.is_some_and(|given| given > 0.0) && matches!(strategy, Strategy::Balanced { .. }) {
        fields.idle("tolerance", "the strategy balanced weighs cost against speed already");
    }
    percent / 100.0
}

#[cfg(test)]
mod tests;
