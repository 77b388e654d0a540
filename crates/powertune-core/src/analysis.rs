//! The analysis: it turns the evidence into the result.

pub(crate) mod certainty;
mod deciding;
mod drift;
pub(crate) mod environments;
mod nothing;
pub(crate) mod size_samples;
mod warnings;

use std::collections::BTreeSet;

pub use self::nothing::NothingMeasured;
use self::{
    certainty::Rule,
    size_samples::{Counting, SizeSamples},
};
use crate::{
    architecture::Architecture,
    observation::{Evidence, Observation},
    power::{Power, PowerValues},
    price::{Origin, Price},
    region::Region,
    request::Request,
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
    // A power that was not measured may be better by any amount.
    let confidence = unmeasured.is_empty().then_some(certainty.confidence);
    warnings.extend(warnings::limit(request.strategy, &winner));
    warnings.extend(warnings::samples(request, &subject.price, &measured, seen, stopped));
    warnings.extend(warnings::unmeasured(request, &unmeasured));
    warnings.extend(warnings::not_sure(request, confidence));
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
