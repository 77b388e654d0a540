//! Reads a request from its fields.

use serde_json::{Map, Value};

use super::{
    AUTO_MOST, MAX_NUM, MIN_NUM, Num, Pace, PayloadSource, Request,
    auto_optimize::auto_optimize,
    fields::{Faults, RequestFields, boolean, number, shown, text, texts, whole},
    samples_for,
};
use crate::{
    arn::FunctionRef, payload::Payloads, power::PowerValues, strategy::Strategy, warning::Warning,
};

/// The default of `maxErrorRate`, as a share.
const MAX_ERROR_RATE: f64 = 0.1;
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
    let max_cost = fields.read("maxCost", amount);
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

pub(super) fn flag(fields: &mut RequestFields<'_>, field: &str) -> bool {
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

pub(super) fn most_invocations(num: Num, strategy: Strategy) -> u32 {
    match (num, strategy) {
        (Num::Fixed(num), _) => num,
        (Num::Auto, Strategy::MaxDuration { percentile, .. }) => {
            AUTO_MOST.max(2 * samples_for(percentile))
        }
        (Num::Auto, _) => AUTO_MOST,
    }
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
            "goes with the strategy cost only: it chooses the cheapest within the limit",
        );
    }
    Strategy::MaxDuration { limit_ms, percentile: percentile.unwrap_or(95.0) }
}

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

fn amount(value: &Value) -> Result<f64, String> {
    number(value, f64::MIN_POSITIVE..=f64::MAX)
        .map_err(|_| format!("{} is not an amount above 0", shown(value)))
}

fn tolerance(fields: &mut RequestFields<'_>, num: Num, strategy: Strategy) -> f64 {
    let given = fields.read("tolerance", |value| number(value, 0.0..=100.0));
    let percent = given.unwrap_or(if num == Num::Auto { AUTO_TOLERANCE } else { 0.0 });
    if given.is_some_and(|given| given > 0.0) && matches!(strategy, Strategy::Balanced { .. }) {
        fields.idle("tolerance", "the strategy balanced weighs cost against speed already");
    }
    percent / 100.0
}
