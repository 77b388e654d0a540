//! The analysis: from everything that was seen to the result.

mod certainty;
mod row;

use std::collections::BTreeSet;

use self::{
    certainty::{Rule, certainty},
    row::Row,
};
use crate::{
    architecture::Architecture,
    observation::{Evidence, Failure, Outcome},
    plan::Stopped,
    power::Power,
    price::{self, Price},
    region::Region,
    request::Request,
    result::{Current, DecidedBy, PowerStats, SCHEMA_VERSION, State, StateMachine, TuningResult},
    stats::Reach,
    strategy::{Candidate, Strategy, choose, keeps},
    visualization,
    warning::Warning,
};

/// What is tuned, as far as the analysis needs to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The function's unqualified ARN.
    pub function_arn: String,
    /// Its region.
    pub region: Region,
    /// Its instruction set architecture.
    pub architecture: Architecture,
    /// The power that it has now.
    pub current: Power,
    /// The price of running it.
    pub price: Price,
}

/// No power was measured, so there is nothing to choose from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the function could not be measured at any power: {}", reasons(.stats))]
pub struct NothingMeasured {
    /// What became of each power.
    pub stats: Vec<PowerStats>,
}

/// Turns what was seen into a result.
///
/// `warnings` are those of the run so far; `elapsedMs` is 0 until whoever holds a clock fills it in.
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
    let rows = rows(request, seen);
    let discard = request.discard_top_bottom;
    let stats = all_stats(&rows, seen, discard, &subject.price);
    let measured: Vec<&Row<'_>> = rows.iter().filter(|row| row.verdict().is_none()).collect();
    let candidates: Vec<Candidate> =
        measured.iter().map(|row| candidate(request, subject, row)).collect();
    let Some(chosen) = choose(request.strategy, request.tolerance, &candidates) else {
        return Err(NothingMeasured { stats });
    };
    let rule = Rule {
        strategy: request.strategy,
        tolerance: request.tolerance,
        discard,
        price: &subject.price,
        seed: request.seed,
    };
    let certainty = certainty(rule, &measured, chosen);
    let winner = candidates[chosen];
    let current = measured.iter().position(|row| row.power == subject.current).map(|index| {
        let Candidate { cost, duration_ms: duration, .. } = candidates[index];
        Current { power: subject.current, cost, duration }
    });
    warnings.extend(limit_warning(request.strategy, &winner));
    warnings.extend(sample_warnings(request, &measured, seen));
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
        prices_published: price::PUBLISHED.to_owned(),
        strategy: request.strategy.name().to_owned(),
        balanced_weight: match request.strategy {
            Strategy::Balanced { weight } => Some(weight),
            _ => None,
        },
        max_duration: limit(request.strategy).map(|(limit_ms, _)| limit_ms),
        percentile: limit(request.strategy).map(|(_, percentile)| percentile),
        limit_kept: limit(request.strategy).map(|(limit_ms, _)| keeps(&winner, limit_ms)),
        decided_by: DecidedBy::AveragePrice,
        confidence: certainty.confidence,
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
        warnings: warnings.iter().map(ToString::to_string).collect(),
        stats,
    })
}

/// What every invocation was billed, requests included, as far as known.
fn exploration_cost(seen: &Evidence, price: &Price) -> f64 {
    let cost = |power, outcome: &Outcome| match outcome {
        Outcome::Counted(report) => price.invocation_cost(power, report.billed_ms as f64),
        Outcome::Failed { report: Some(report), .. } => {
            price.invocation_cost(power, report.billed_ms as f64)
        }
        Outcome::Failed { report: None, .. } => 0.0,
    };
    seen.observations.iter().map(|seen| cost(seen.power, &seen.outcome)).sum()
}

fn rows<'a>(request: &Request, seen: &'a Evidence) -> Vec<Row<'a>> {
    let powers: BTreeSet<Power> = seen.observations.iter().map(|seen| seen.power).collect();
    powers
        .into_iter()
        .map(|power| Row::new(power, seen.at(power), request.only_cold_starts))
        .collect()
}

fn all_stats(rows: &[Row<'_>], seen: &Evidence, discard: f64, price: &Price) -> Vec<PowerStats> {
    // What one power's few samples do not show of rare slow invocations, the other powers' do.
    let durations: Vec<Vec<f64>> = rows.iter().map(Row::steady_durations).collect();
    let reach = Reach::typical(durations.iter().map(Vec::as_slice));
    let tried = rows.iter().map(|row| row.stats(discard, price, reach));
    let skipped = seen.skipped.iter().map(|skipped| PowerStats {
        value: skipped.power,
        average_price: None,
        average_duration: None,
        invocations: 0,
        cold_starts: 0,
        failures: 0,
        cost: None,
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

fn candidate(request: &Request, subject: &Subject, row: &Row<'_>) -> Candidate {
    let discard = request.discard_top_bottom;
    let measured = "a measured power has samples";
    Candidate {
        cost: row.average_price(discard, &subject.price).expect(measured),
        duration_ms: row.average_duration(discard).expect(measured),
        limited_ms: limit(request.strategy).and_then(|(_, percentile)| row.duration_at(percentile)),
    }
}

/// The limit in milliseconds and its percentile, where the strategy has one.
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

/// What the samples themselves give to warn of.
fn sample_warnings(request: &Request, measured: &[&Row<'_>], seen: &Evidence) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for row in measured {
        if request.only_cold_starts && (row.counted.len() as u64) < u64::from(request.num) {
            warnings.push(Warning::WarmDespiteColdOnly {
                power: row.power,
                cold: u32::try_from(row.counted.len()).unwrap_or(u32::MAX),
                asked: request.num,
            });
        }
        if let Some(first) = row.failures.first() {
            warnings.push(Warning::SomeFailed {
                power: row.power,
                failures: u32::try_from(row.failures.len()).unwrap_or(u32::MAX),
                first: first.to_string(),
            });
        }
    }
    let powers = |wanted: &dyn Fn(&Row<'_>) -> bool| -> Vec<Power> {
        measured.iter().filter(|row| wanted(row)).map(|row| row.power).collect()
    };
    let all_cold = powers(&|row| row.cold_starts() == row.counted.len());
    let mixed = powers(&|row| {
        // Trimming takes care of so few.
        let trimmed = (row.counted.len() as f64 * request.discard_top_bottom).floor();
        row.cold_starts() < row.counted.len() && row.cold_starts() as f64 > trimmed
    });
    if !all_cold.is_empty() && all_cold.len() < measured.len() {
        warnings.push(Warning::UnequalColdStarts { cold: all_cold });
    }
    if !mixed.is_empty() {
        warnings.push(Warning::MixedColdStarts { powers: mixed });
    }
    let unknown = seen.observations.iter().filter(|seen| cost_unknown(&seen.outcome)).count();
    if unknown > 0 {
        let invocations = u32::try_from(unknown).unwrap_or(u32::MAX);
        warnings.push(Warning::CostUnknown { invocations });
    }
    warnings
}

fn cost_unknown(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed { failure: Failure::Refused { .. }, .. } | Outcome::Counted(_) => false,
        Outcome::Failed { report, .. } => report.is_none(),
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

/// What became of each power, for a message.
fn reasons(stats: &[PowerStats]) -> String {
    let reason = |row: &PowerStats| {
        format!("{}: {}", row.value, row.reason.as_deref().unwrap_or("not tried"))
    };
    let reasons: Vec<String> = stats.iter().map(reason).collect();
    reasons.join("; ")
}

#[cfg(test)]
mod tests;
