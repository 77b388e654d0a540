//! Reads everything that a run needs, and refuses a run that can't work, before any change.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use powertune_core::{
    analysis::Subject,
    arn::{FunctionRef, Qualifier},
    budget::Tariff,
    observation::Evidence,
    payload::Payloads,
    plan::{Decision, Measurement, Planner, most_unnamed},
    power::{Power, PowerValues},
    price::{Price, Prices},
    request::{Num, Pace, PayloadSource, Request},
    warning::Warning,
};
use serde_json::Value;

use crate::{
    alias,
    error::{Cause, Refusal, TuneError},
    event::Plan,
    gateway::{FunctionConfig, Gateway},
    journal::Journals,
    limits::{concurrency, within_open_files},
    mark::{Mark, TAGS},
    processor::{self, Processor},
};

/// Lambda limits an Init to this; a longer one is repeated within the timeout.
pub(crate) const LONGEST_INIT: Duration = Duration::from_secs(10);

const MOST_TAGS: usize = 50;

/// The longest announced duration of a run.
const LONGEST_RUN: Duration = Duration::from_hours(24);
/// The time of a run beside its invocations.
const OVERHEAD: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(crate) struct PreparedRun {
    pub(crate) latest: FunctionConfig,
    pub(crate) subject: Subject,
    pub(crate) powers: PowerValues,
    pub(crate) planner: Planner,
    pub(crate) tariff: Tariff,
    pub(crate) payloads: Payloads,
    pub(crate) processors: Vec<Processor>,
    /// The version that the alias for the release points to, if there is one.
    pub(crate) alias_at: Option<String>,
    pub(crate) concurrency: u32,
    /// The account's unreserved concurrency, if it could be read.
    pub(crate) unreserved: Option<u32>,
    /// Warnings beside those of the request.
    pub(crate) notes: Vec<Warning>,
    pub(crate) plan: Plan,
}

impl PreparedRun {
    /// Limits the invocations in flight to the connections that this process may have.
    pub(crate) fn keep_within_open_files(&mut self, request: &Request) {
        let (allowed, warning) = within_open_files(self.concurrency, request, self.powers.len());
        self.concurrency = allowed;
        self.plan.concurrency = allowed;
        self.plan.warnings.extend(warning);
    }
}

/// Prepares a run without any change. `defaults` are the powers of a request that names none.
/// `journals` show whether a run with tags on the function is alive.
pub(crate) async fn prepare(
    gateway: &Gateway,
    request: &Request,
    defaults: &PowerValues,
    journals: &Journals,
    prices: &Prices,
) -> Result<PreparedRun, TuneError> {
    let latest = read(gateway, &request.function).await?;
    let current = qualified_power(gateway, request, &latest).await?;
    tunable(&latest)?;
    let mut notes = Vec::new();
    let price = price(prices, &latest, &mut notes)?;
    let payloads = payloads(gateway, request).await?;
    unmarked(gateway, &latest, journals).await?;
    let processors = processor::read(gateway, request, &mut notes).await?;
    let alias_at = match &request.auto_optimize {
        Some(optimize) => alias::found(gateway, &latest, optimize, &mut notes).await?,
        None => None,
    };
    let unreserved = gateway.unreserved_concurrency().await.ok();
    let concurrency = allowed_concurrency(request, &latest, unreserved, &mut notes);
    let powers = request.powers.clone().unwrap_or_else(|| defaults.clone().with(current));
    let tariff = Tariff { price, longest_ms: milliseconds(latest.timeout + LONGEST_INIT) as f64 };
    let planner = Planner::new(request, price, current, powers.clone());
    let measurements = first_measurements(&planner);
    affordable(request, &latest, &tariff, &measurements)?;
    let plan = Plan {
        function_arn: latest.arn.clone(),
        current,
        measurements,
        most_invocations: request.open_end(),
        worst_cost: worst_cost(request, &powers, &tariff),
        powers: powers.clone(),
        price,
        concurrency,
        warnings: request.warnings.iter().chain(&notes).cloned().collect(),
    };
    Ok(PreparedRun {
        subject: subject(&latest, current, &powers, price, prices),
        latest,
        powers,
        planner,
        tariff,
        payloads,
        processors,
        alias_at,
        concurrency,
        unreserved,
        notes,
        plan,
    })
}

/// An error if powertune can't tune the function, or if nothing can invoke it.
fn tunable(latest: &FunctionConfig) -> Result<(), Refusal> {
    if let Some(reason) = &latest.unsupported {
        return Err(Refusal::Unsupported(reason.clone()));
    }
    if latest.reserved_concurrency == Some(0) {
        return Err(Refusal::NothingMayRun);
    }
    Ok(())
}

fn allowed_concurrency(
    request: &Request,
    latest: &FunctionConfig,
    unreserved: Option<u32>,
    notes: &mut Vec<Warning>,
) -> u32 {
    let asked = match request.pace {
        Pace::Parallel { limit } => limit,
        Pace::Series { .. } => None,
    };
    let (allowed, warning) = concurrency(unreserved, latest.reserved_concurrency, asked);
    notes.extend(warning);
    allowed
}

fn first_measurements(planner: &Planner) -> Vec<Measurement> {
    match planner.next(&Evidence::default()) {
        Decision::Measure(round) => round.measurements,
        Decision::Done(_) => Vec::new(),
    }
}

fn subject(
    latest: &FunctionConfig,
    current: Power,
    powers: &PowerValues,
    price: Price,
    prices: &Prices,
) -> Subject {
    Subject {
        function_arn: latest.arn.clone(),
        region: latest.region.clone(),
        architecture: latest.architecture,
        current,
        powers: powers.clone(),
        price,
        origin: prices.origin(&latest.region),
    }
}

/// The cause of a preparation error, for a run that has begun.
pub(crate) fn into_cause(error: TuneError) -> Cause {
    match error {
        TuneError::NotBegun(cause) | TuneError::Failed(cause) => cause,
        other => {
            Cause::NotReady { what: "reading the payload".to_owned(), reason: other.to_string() }
        }
    }
}

async fn read(gateway: &Gateway, function: &FunctionRef) -> Result<FunctionConfig, TuneError> {
    let name = function.unqualified().to_string();
    gateway.function(&name, None).await.map_err(TuneError::before_changes)
}

/// The power of the qualifier in the request. A version or alias may differ from `$LATEST` only in
/// its memory size.
async fn qualified_power(
    gateway: &Gateway,
    request: &Request,
    latest: &FunctionConfig,
) -> Result<Power, TuneError> {
    let qualifier = match &request.function.qualifier {
        None | Some(Qualifier::Latest) => return Ok(latest.power),
        Some(qualifier) => qualifier.to_string(),
    };
    if matches!(request.function.qualifier, Some(Qualifier::Alias(_))) {
        let alias =
            gateway.alias(&latest.arn, &qualifier).await.map_err(TuneError::before_changes)?;
        if alias.is_some_and(|alias| alias.is_weighted) {
            return Err(TuneError::from(Refusal::WeightedAlias { alias: qualifier }));
        }
    }
    let named =
        gateway.function(&latest.arn, Some(&qualifier)).await.map_err(TuneError::before_changes)?;
    if named.same_but_for_power(latest) {
        return Ok(named.power);
    }
    Err(TuneError::from(Refusal::QualifierDiffers { qualifier }))
}

fn price(
    prices: &Prices,
    latest: &FunctionConfig,
    warnings: &mut Vec<Warning>,
) -> Result<Price, TuneError> {
    let price = prices
        .on_demand(&latest.region, latest.architecture)
        .map_err(|error| TuneError::from(Refusal::Price(error)))?;
    if latest.snap_start {
        warnings.push(Warning::SnapStartCosts);
    }
    let storage_mb = latest.ephemeral_storage_mb;
    Ok(price.with_ephemeral_storage(storage_mb).unwrap_or_else(|_| {
        warnings.push(Warning::EphemeralStorageNotPriced { storage_mb });
        price
    }))
}

/// The request's payloads, read from S3 if the request says so.
pub(crate) async fn payloads(gateway: &Gateway, request: &Request) -> Result<Payloads, TuneError> {
    let (bucket, key) = match &request.payload {
        PayloadSource::Inline(payloads) => return Ok(payloads.clone()),
        PayloadSource::S3 { bucket, key } => (bucket, key),
    };
    let text = gateway.object(bucket, key).await.map_err(TuneError::before_changes)?;
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    let payloads =
        Payloads::parse(Some(&value)).map_err(|error| TuneError::from(Refusal::Payload(error)))?;
    payloads
        .expand(request.most_invocations() as usize)
        .map_err(|error| TuneError::from(Refusal::Payload(error)))
        .map(|_| payloads)
}

/// An error if another run has tags on the function.
async fn unmarked(
    gateway: &Gateway,
    latest: &FunctionConfig,
    journals: &Journals,
) -> Result<(), TuneError> {
    let tags = gateway.tags_of(latest).await.map_err(TuneError::before_changes)?;
    let Some(mark) = Mark::all(&tags).into_iter().next() else { return room_for_tags(&tags) };
    let kept = journals.of(&latest.arn);
    Err(TuneError::NotBegun(Cause::Marked {
        function: latest.arn.clone(),
        is_alive: kept.iter().any(|kept| kept.mark.run == mark.run && kept.is_alive),
        mark: Box::new(mark),
    }))
}

/// An error if a run's tags do not fit. AWS's own tags do not count.
fn room_for_tags(tags: &HashMap<String, String>) -> Result<(), TuneError> {
    let has = tags.keys().filter(|key| !key.starts_with("aws:")).count();
    if has + TAGS <= MOST_TAGS {
        Ok(())
    } else {
        Err(TuneError::from(Refusal::TooManyTags { has }))
    }
}

/// An error if `maxCost` does not cover one invocation in its worst case.
fn affordable(
    request: &Request,
    latest: &FunctionConfig,
    tariff: &Tariff,
    measurements: &[Measurement],
) -> Result<(), TuneError> {
    let Some(most) = request.max_cost else { return Ok(()) };
    let Some(power) = measurements.iter().map(|first| first.power).min() else { return Ok(()) };
    let needed = tariff.worst(power);
    if needed <= most {
        return Ok(());
    }
    let currency = tariff.price.currency;
    let timeout_s = latest.timeout.as_secs();
    Err(TuneError::from(Refusal::MaxCost { most, currency, power, timeout_s, needed }))
}

/// The cost of the run if every invocation runs to the timeout, after the longest Init.
fn worst_cost(request: &Request, powers: &PowerValues, tariff: &Tariff) -> f64 {
    let largest = powers.iter().last().into_iter().cycle().take(most_unnamed(request));
    let each = powers.iter().chain(largest).map(|power| tariff.worst(power));
    let worst = each.sum::<f64>() * f64::from(request.most_invocations());
    request.max_cost.map_or(worst, |most| most.min(worst))
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The latest possible end of the run.
pub(crate) fn deadline(request: &Request, prepared: &PreparedRun) -> Timestamp {
    let sleeps = match request.pace {
        Pace::Series { sleep_ms } => Duration::from_millis(sleep_ms),
        Pace::Parallel { .. } => Duration::ZERO,
    };
    // With `num: auto` the powers are not all measured side by side.
    let rounds = if request.num == Num::Auto { 2 } else { 1 };
    let invocations = request.most_invocations().saturating_mul(rounds);
    let processors: Duration = prepared.processors.iter().map(|processor| processor.timeout).sum();
    let each = prepared.latest.timeout + processors + sleeps;
    let longest = each.saturating_mul(invocations) + OVERHEAD;
    let longest = i64::try_from(longest.min(LONGEST_RUN).as_secs()).unwrap_or(i64::MAX);
    let now = Timestamp::now().as_second();
    Timestamp::from_second(now + longest).unwrap_or(Timestamp::MAX)
}
