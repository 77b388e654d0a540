//! Sizes between measured ones.
//!
//! Some work of a function does not speed up with more CPU, so its duration falls ever more slowly
//! with memory. On logarithmic scales such a curve bends upwards. Between two measured sizes it
//! lies below the line that joins them. It lies above the two lines that extend from the outer
//! neighbours through these sizes. Those lines meet at the knee, the lowest possible point. The
//! curve never decides: it only gives a reason to measure.

use crate::{
    analysis::{certainty::Rule, size_samples::SizeSamples},
    power::Power,
    strategy::{Candidate, Strategy, badness},
};

/// The minimum promise of a size that is measured. It exceeds the indifference zone, because the
/// points of the curve are not exact.
const LEAST_GAIN: f64 = 0.05;
/// The grid of the sizes in MB. Lambda once offered only multiples of 64 MB.
const STEP_MB: u32 = 64;
/// The minimum duration in milliseconds, because zero has no logarithm.
const LEAST_MS: f64 = 1e-3;

#[derive(Debug, Clone, Copy)]
struct Point {
    power: f64,
    duration: f64,
    billed: f64,
}

/// The size beside `measured[front]` with the highest promise, if it is high enough.
pub(super) fn promising(
    rule: &Rule,
    measured: &[&SizeSamples<'_>],
    candidates: &[Candidate],
    front: usize,
    allowed: impl Fn(Power) -> bool,
) -> Option<Power> {
    let points: Vec<Point> = measured.iter().map(|size| Point::of(size)).collect::<Option<_>>()?;
    let mut best: Option<(f64, Power)> = None;
    for right in [front, front + 1].into_iter().filter(|&right| 0 < right && right < points.len()) {
        let left = right - 1;
        let (low, high) = (measured[left].power.mb(), measured[right].power.mb());
        for mb in (low / STEP_MB * STEP_MB + STEP_MB..high).step_by(STEP_MB as usize) {
            let Some(power) = Power::new(mb).ok().filter(|&power| allowed(power)) else { continue };
            let mut all = candidates.to_vec();
            all.push(promised(rule, &points, left, power, candidates));
            let gain = gain(rule, &all, front);
            if gain > LEAST_GAIN && best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, power));
            }
        }
    }
    best.map(|(_, power)| power)
}

/// The gain of the last candidate over the best one, as a share of cost or duration. 0 if it would
/// not be chosen.
fn gain(rule: &Rule, all: &[Candidate], front: usize) -> f64 {
    let new = all.len() - 1;
    if rule.choose(all) != Some(new) {
        return 0.0;
    }
    let badness = badness(rule.strategy, all);
    let at_it = 1.0 - badness[new] / badness[front];
    let besides = match rule.strategy {
        Strategy::Cost | Strategy::MaxDuration { .. } => {
            1.0 - all[new].duration_ms / all[front].duration_ms
        }
        Strategy::Speed => 1.0 - all[new].cost / all[front].cost,
        Strategy::Balanced { .. } => 0.0,
    };
    // Only a tolerance lets the strategy trade one figure for the other.
    if rule.tolerance > 0.0 { at_it.max(besides) } else { at_it }
}

impl Point {
    fn of(size: &SizeSamples<'_>) -> Option<Self> {
        Some(Self {
            power: f64::from(size.power.mb()).ln(),
            duration: size.steady_duration()?.max(LEAST_MS).ln(),
            billed: size.steady_billed()?.max(LEAST_MS).ln(),
        })
    }
}

/// The promise of a size between `points[left]` and the next: halfway between the line and the
/// knee.
fn promised(
    rule: &Rule,
    points: &[Point],
    left: usize,
    power: Power,
    own: &[Candidate],
) -> Candidate {
    let at = f64::from(power.mb()).ln();
    let duration = halfway(points, left, at, |point| point.duration);
    let billed = halfway(points, left, at, |point| point.billed);
    // The percentile is assumed to fall like the mean.
    let limited =
        |index: usize| Some((points[index].power, own[index].limited_ms?.max(LEAST_MS).ln()));
    let limited_ms = limited(left).zip(limited(left + 1)).map(|(a, b)| line(a, b, at).exp());
    Candidate {
        cost: rule.price.invocation_cost(power, billed.exp().max(1.0)),
        duration_ms: duration.exp(),
        limited_ms,
    }
}

fn halfway(points: &[Point], left: usize, at: f64, value: impl Fn(&Point) -> f64) -> f64 {
    let right = left + 1;
    let line = |a: usize, b: usize| {
        let [a, b] = [a, b].map(|index| (points[index].power, value(&points[index])));
        line(a, b, at)
    };
    let chord = line(left, right);
    // Beyond the measured sizes only one fact is known: more memory is not slower.
    let from_left = if left > 0 { line(left - 1, left) } else { f64::NEG_INFINITY };
    let from_right =
        if right + 1 < points.len() { line(right, right + 1) } else { value(&points[right]) };
    let knee = from_left.max(from_right).min(chord);
    f64::midpoint(chord, knee)
}

fn line(a: (f64, f64), b: (f64, f64), at: f64) -> f64 {
    a.1 + (at - a.0) / (b.0 - a.0) * (b.1 - a.1)
}
