//! The analysis: it turns the evidence into the result.

pub(crate) mod certainty;
mod deciding;
mod drift;
pub(crate) mod environments;
mod nothing;
pub(crate) mod size_samples;

use std::collections::BTreeSet;

pub use self::nothing::NothingMeasured;
use self::{
    certainty::Rule,
    size_samples::{Counting, SizeSamples},
};
use crate::{
    architecture::Architecture,
    observation::{Evidence, Failure, Observation},
    power::{Power, PowerValues},
    price::{Origin, Price},
    region::Region,
    request::{Num, Request},
    result::{Current, PowerStats, SCHEMA_VERSION, State, StateMachine, TuningResult},
    stopped::Stopped,
    strategy::{Candidate, Strategy, keeps},
    visualization,
    warning::Warning,
};

/// The tuned function, as far as the analysis needs to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The unqualified ARN.
    pub function_arn: String,
    /// The region that sets currency and prices.
    pub region: Region,
    /// The instruction set architecture.
    pub architecture: Architecture,
    /// The power of the function, or of the named version or alias.
    pub current: Power,
    /// The powers to choose from.
    pub powers: PowerValues,
    /// The price of running the function.
    pub price: Price,
    /// The source of the price.
    pub origin: Origin,
}

/// Turns the evidence into a result.
///
/// `warnings` come from the run so far. `elapsedMs` stays 0, because core knows no clock: the
/// caller fills it in.
///
/// # Errors
/// When no power was measured.
pub fn analyse(
    request: &Request,
    subject: &Subject,
    seen: &Evidence,
    stopped: Stopped,
    mut warnings: Vec<Warning>,
) -> Result<TuningResult, NothingMeasured> {
    let rule = Rule::of(request, subject.price);
    let sizes = by_size(seen, Counting::of(request));
    let measured: Vec<&SizeSamples<'_>> = sizes.iter().filter(|size| size.works()).collect();
    let mut stats = all_stats(&rule, &sizes, seen);
    let candidates: Vec<Candidate> = measured.iter().map(|size| rule.candidate(size)).collect();
    let Some(chosen) = rule.choose(&candidates) else {
        return Err(NothingMeasured::of(request, stats));
    };
    let certainty = rule.certainty(&rule.draw(&measured), chosen);
    deciding::decide(&rule, &measured, &candidates, &mut stats);
    let winner = candidates[chosen];
    let unmeasured: Vec<Power> =
        sizes.iter().filter(|size| size.is_unmeasured()).map(|size| size.power).collect();
    let current = measured.iter().position(|size| size.power == subject.current).map(|index| {
        let Candidate { cost, duration_ms: duration, .. } = candidates[index];
        Current { power: subject.current, cost, duration }
    });
    warnings.extend(limit_warning(request.strategy, &winner));
    warnings.extend(sample_warnings(request, &subject.price, &measured, seen, stopped));
    warnings.extend(unmeasured_warning(request, &unmeasured));
    // A power that was not measured may be better by any amount.
    let confidence = unmeasured.is_empty().then_some(certainty.confidence);
    warnings.extend(not_sure_warning(request, confidence));
    let lambda_cost = exploration_cost(seen, &subject.price);
    Ok(TuningResult {
        power: measured[chosen].power,
        cost: winner.cost,
        duration: winner.duration_ms,
        state_machine: StateMachine {
            execution_cost: 0.0,
            lambda_cost,
            visualization: picture(subject, &stats),
        },
        schema_version: SCHEMA_VERSION,
        function_arn: subject.function_arn.clone(),
        architecture: subject.architecture,
        region: subject.region.clone(),
        currency: subject.price.currency,
        prices_published: subject.origin.published.clone(),
        prices_from: subject.origin.from,
        prices_fetched: subject.origin.fetched.clone(),
        prices_file: subject.origin.file.clone(),
        strategy: request.strategy.name(),
        balanced_weight: match request.strategy {
            Strategy::Balanced { weight } => Some(weight),
            _ => None,
        },
        max_duration: limit(request.strategy).map(|(limit_ms, _)| limit_ms),
        percentile: limit(request.strategy).map(|(_, percentile)| percentile),
        limit_kept: limit(request.strategy).map(|(limit_ms, _)| keeps(&winner, limit_ms)),
        decided_by: rule.decided_by,
        confidence,
        indifference: rule.zone() - 1.0,
        unmeasured,
        not_tried: not_tried(&subject.powers, &stats),
        min_confidence: request.min_confidence,
        ties: certainty.ties.into_iter().map(|index| measured[index].power).collect(),
        savings: current
            .as_ref()
            .filter(|current| current.cost > 0.0)
            .map(|current| (current.cost - winner.cost) / current.cost),
        current,
        invocations: seen.observations.len() as u64,
        exploration_cost: lambda_cost,
        elapsed_ms: 0,
        stopped,
        complete: stopped.is_complete(),
        applied: None,
        warnings: warnings.iter().map(ToString::to_string).collect(),
        stats,
    })
}

/// The cost of all invocations, request charges included, as far as it is known. Sorting makes the
/// sum independent of the order in which the invocations ended.
fn exploration_cost(seen: &Evidence, price: &Price) -> f64 {
    let cost = |seen: &Observation| seen.outcome.cost(seen.power, price).unwrap_or_default();
    let mut costs: Vec<f64> = seen.observations.iter().map(cost).collect();
    costs.sort_by(f64::total_cmp);
    costs.into_iter().sum()
}

/// The samples of each power, in ascending order.
pub(crate) fn by_size(seen: &Evidence, counting: Counting) -> Vec<SizeSamples<'_>> {
    let powers: BTreeSet<Power> = seen.observations.iter().map(|seen| seen.power).collect();
    powers.into_iter().map(|power| SizeSamples::new(power, seen.at(power), counting)).collect()
}

fn not_tried(powers: &PowerValues, stats: &[PowerStats]) -> Vec<Power> {
    powers.iter().filter(|power| stats.iter().all(|row| row.value != *power)).collect()
}

fn all_stats(rule: &Rule, sizes: &[SizeSamples<'_>], seen: &Evidence) -> Vec<PowerStats> {
    // A power with few samples may miss the rare slow invocations that other powers show.
    let reach = rule.reach(&sizes.iter().collect::<Vec<_>>());
    let tried = sizes.iter().map(|size| size.stats(rule.discard, &rule.price, reach));
    let skipped = seen.skipped.iter().map(|skipped| PowerStats {
        value: skipped.power,
        average_price: None,
        average_duration: None,
        invocations: 0,
        cold_starts: 0,
        failures: 0,
        allowed_exceptions: 0,
        cost: None,
        deciding: None,
        duration: None,
        init_duration: None,
        max_memory_used: None,
        state: State::Skipped,
        reason: Some(skipped.reason.clone()),
    });
    let mut stats: Vec<PowerStats> = tried.chain(skipped).collect();
    stats.sort_by_key(|row| row.value);
    stats
}

/// The limit in milliseconds and its percentile, if the strategy has one.
fn limit(strategy: Strategy) -> Option<(f64, f64)> {
    match strategy {
        Strategy::MaxDuration { limit_ms, percentile } => Some((limit_ms, percentile)),
        Strategy::Cost | Strategy::Speed | Strategy::Balanced { .. } => None,
    }
}

fn limit_warning(strategy: Strategy, winner: &Candidate) -> Option<Warning> {
    let (limit_ms, percentile) = limit(strategy)?;
    (!keeps(winner, limit_ms)).then_some(Warning::LimitNotKept {
        limit_ms,
        percentile,
        closest_ms: winner.limited_ms,
    })
}

fn not_sure_warning(request: &Request, confidence: Option<f64>) -> Option<Warning> {
    let (least, confidence) = request.min_confidence.zip(confidence)?;
    (confidence * 100.0 < least).then_some(Warning::NotSureEnough { confidence, least })
}

fn unmeasured_warning(request: &Request, unmeasured: &[Power]) -> Option<Warning> {
    (!unmeasured.is_empty()).then(|| Warning::Unmeasured {
        powers: unmeasured.to_vec(),
        apply: request.auto_optimize.is_some(),
    })
}

/// The number of invocations that a power should have had.
fn asked(request: &Request, row: &SizeSamples<'_>) -> u32 {
    match request.num {
        Num::Fixed(num) => num,
        Num::Auto => row.invocations,
    }
}

/// The warnings about the samples.
fn sample_warnings(
    request: &Request,
    price: &Price,
    measured: &[&SizeSamples<'_>],
    seen: &Evidence,
    stopped: Stopped,
) -> Vec<Warning> {
    let mut warnings = failures(measured);
    for row in measured {
        let asked = asked(request, row);
        if request.only_cold_starts && (row.counted.len() as u64) < u64::from(asked) {
            warnings.push(Warning::WarmDespiteColdOnly {
                power: row.power,
                cold: u32::try_from(row.counted.len()).unwrap_or(u32::MAX),
                asked,
                because: cold_limit(stopped),
            });
        }
    }
    if request.num == Num::Auto {
        // A histogram from the state machine has no order, so it shows no drift.
        warnings.extend(drift::drift(measured).map(|change| Warning::Drift { change }));
        let spread = environments::environments(measured).spread;
        if spread > 0.0 {
            warnings.push(Warning::Environments { spread });
        }
    }
    let powers = |wanted: &dyn Fn(&SizeSamples<'_>) -> bool| -> Vec<Power> {
        measured.iter().filter(|row| wanted(row)).map(|row| row.power).collect()
    };
    let all_cold = powers(&|row| !row.is_warm());
    let mixed = powers(&|row| {
        // Trimming removes this many.
        let trimmed = (row.counted.len() as f64 * request.discard_top_bottom).floor();
        row.is_warm() && row.cold_starts() as f64 > trimmed
    });
    if !all_cold.is_empty() && all_cold.len() < measured.len() {
        warnings.push(Warning::UnequalColdStarts { cold: all_cold });
    }
    if !mixed.is_empty() && request.num != Num::Auto {
        warnings.push(Warning::MixedColdStarts { powers: mixed });
    }
    let unknown = |seen: &&Observation| seen.outcome.cost(seen.power, price).is_none();
    let unknown = seen.observations.iter().filter(unknown).count();
    if unknown > 0 {
        let invocations = u32::try_from(unknown).unwrap_or(u32::MAX);
        warnings.push(Warning::CostUnknown { invocations });
    }
    warnings
}

/// The reason why a power had fewer cold starts than the request asks for.
fn cold_limit(stopped: Stopped) -> &'static str {
    match stopped {
        Stopped::CostReached => "another one could have exceeded maxCost",
        Stopped::HistoryFull => "the execution's history has no room for more",
        Stopped::TimeReached | Stopped::Interrupted | Stopped::Failed => {
            "the run ended before its time"
        }
        Stopped::NumReached | Stopped::DryRun | Stopped::Confident | Stopped::MostReached => {
            "other invocations failed, or five fresh versions in a row gave none"
        }
    }
}

/// One warning for each cause of failures at powers that work. It names all powers with this cause.
fn failures(measured: &[&SizeSamples<'_>]) -> Vec<Warning> {
    let mut causes: Vec<(&Failure, Vec<Power>)> = Vec::new();
    for row in measured {
        for failure in &row.failures {
            match causes.iter_mut().find(|(known, _)| failure.is_like(known)) {
                Some((_, powers)) if powers.last() == Some(&row.power) => {}
                Some((_, powers)) => powers.push(row.power),
                None => causes.push((failure, vec![row.power])),
            }
        }
    }
    let warning =
        |(cause, powers): (&Failure, _)| Warning::SomeFailed { powers, first: cause.to_string() };
    causes.into_iter().map(warning).collect()
}

fn picture(subject: &Subject, stats: &[PowerStats]) -> String {
    let points: Vec<visualization::Point> = stats
        .iter()
        .filter(|row| row.state == State::Measured)
        .filter_map(|row| Some((row.value, row.average_duration?, row.average_price?)))
        .collect();
    visualization::url(visualization::BASE, subject.price.currency, &points)
}

#[cfg(test)]
mod tests;
