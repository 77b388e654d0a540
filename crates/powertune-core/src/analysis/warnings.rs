//! The warnings about a result.

use super::{drift, environments, size_samples::SizeSamples};
use crate::{
    observation::{Evidence, Failure, Observation},
    power::Power,
    price::Price,
    request::{Num, Request},
    stopped::Stopped,
    strategy::{Candidate, Strategy, keeps},
    warning::Warning,
};

pub(super) fn limit(strategy: Strategy, winner: &Candidate) -> Option<Warning> {
    let (limit_ms, percentile) = super::limit(strategy)?;
    (!keeps(winner, limit_ms)).then_some(Warning::LimitNotKept {
        limit_ms,
        percentile,
        closest_ms: winner.limited_ms,
    })
}

pub(super) fn not_sure(request: &Request, confidence: Option<f64>) -> Option<Warning> {
    let (least, confidence) = request.min_confidence.zip(confidence)?;
    (confidence * 100.0 < least).then_some(Warning::NotSureEnough { confidence, least })
}

pub(super) fn unmeasured(request: &Request, unmeasured: &[Power]) -> Option<Warning> {
    (!unmeasured.is_empty()).then(|| Warning::Unmeasured {
        powers: unmeasured.to_vec(),
        apply: request.auto_optimize.is_some(),
    })
}

pub(super) fn samples(
    request: &Request,
    price: &Price,
    measured: &[&SizeSamples<'_>],
    seen: &Evidence,
    stopped: Stopped,
) -> Vec<Warning> {
    let mut warnings = failures(measured);
    for size in measured {
        let asked = asked(request, size);
        if request.only_cold_starts && (size.counted.len() as u64) < u64::from(asked) {
            warnings.push(Warning::WarmDespiteColdOnly {
                power: size.power,
                cold: u32::try_from(size.counted.len()).unwrap_or(u32::MAX),
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
        measured.iter().filter(|size| wanted(size)).map(|size| size.power).collect()
    };
    let all_cold = powers(&|size| !size.is_warm());
    let mixed = powers(&|size| {
        // Trimming removes this many.
        let trimmed = (size.counted.len() as f64 * request.discard_top_bottom).floor();
        size.is_warm() && size.cold_starts() as f64 > trimmed
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

/// The number of invocations that a power should have had.
fn asked(request: &Request, size: &SizeSamples<'_>) -> u32 {
    match request.num {
        Num::Fixed(num) => num,
        Num::Auto => size.invocations,
    }
}

/// The reason why a power had fewer cold starts than the request asks for.
fn cold_limit(stopped: Stopped) -> &'static str {
    match stopped {
        Stopped::CostReached => "another one could have exceeded maxCost",
        Stopped::HistoryFull => "the execution's history has no room for more",
        Stopped::TimeReached | Stopped::Interrupted | Stopped::Failed => "the run ended early",
        Stopped::NumReached | Stopped::DryRun | Stopped::Confident | Stopped::MostReached => {
            "other invocations failed, or five new versions in a size gave no cold start"
        }
    }
}

/// One warning for each cause of failures at powers that work. It names all powers with this cause.
fn failures(measured: &[&SizeSamples<'_>]) -> Vec<Warning> {
    let mut causes: Vec<(&Failure, Vec<Power>)> = Vec::new();
    for size in measured {
        for failure in &size.failures {
            match causes.iter_mut().find(|(known, _)| failure.is_like(known)) {
                Some((_, powers)) if powers.last() == Some(&size.power) => {}
                Some((_, powers)) => powers.push(size.power),
                None => causes.push((failure, vec![size.power])),
            }
        }
    }
    let warning =
        |(cause, powers): (&Failure, _)| Warning::SomeFailed { powers, first: cause.to_string() };
    causes.into_iter().map(warning).collect()
}
