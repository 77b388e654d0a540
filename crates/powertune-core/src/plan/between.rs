//! Sizes between measured ones.
//!
//! Where the duration falls ever more slowly with memory, as it does for a function that has some
//! work that more CPU does not speed up, its curve on logarithmic scales bends upwards: between two
//! measured sizes it lies below the straight line between them, and above that from either
//! neighbour through the nearer end. Where those two meet is the farthest that it can lie below:
//! the knee, if there is one. A curve is only ever a reason to measure.

use crate::{
    analysis::{certainty::Rule, row::Row},
    power::Power,
    strategy::{Candidate, Strategy, badness},
};

/// What a size has to promise to be worth measuring: beyond the indifference zone, as the curve is
/// drawn through points that are not exactly where they seem.
const LEAST_GAIN: f64 = 0.05;
/// Sizes are tried in steps of so many MB, as Lambda's once were.
const STEP_MB: u32 = 64;
/// What takes no time at all has no logarithm, in milliseconds.
const LEAST_MS: f64 = 1e-3;

/// A measured power, on logarithmic scales.
#[derive(Debug, Clone, Copy)]
struct Point {
    power: f64,
    duration: f64,
    billed: f64,
}

/// The size next to `measured[front]` that promises the most, if it promises enough.
pub(super) fn promising(
    rule: &Rule,
    measured: &[&Row<'_>],
    candidates: &[Candidate],
    front: usize,
    allowed: impl Fn(Power) -> bool,
) -> Option<Power> {
    let points: Vec<Point> = measured.iter().map(|row| Point::of(row)).collect::<Option<_>>()?;
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

/// What choosing the last candidate would bring over the one in front, as a share of what the
/// strategy is about, or of the other good; 0 where it would not be chosen.
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
    // The other good is traded for only where a tolerance says so.
    if rule.tolerance > 0.0 { at_it.max(besides) } else { at_it }
}

impl Point {
    fn of(row: &Row<'_>) -> Option<Self> {
        Some(Self {
            power: f64::from(row.power.mb()).ln(),
            duration: row.steady_duration()?.max(LEAST_MS).ln(),
            billed: row.steady_billed()?.max(LEAST_MS).ln(),
        })
    }
}

/// What a size between `points[left]` and the next may come to: halfway between the straight line
/// and the knee.
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
    // A percentile is taken to fall as the mean does.
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
    // Beyond the first and the last, nothing is known but that more memory is no slower.
    let from_left = if left > 0 { line(left - 1, left) } else { f64::NEG_INFINITY };
    let from_right =
        if right + 1 < points.len() { line(right, right + 1) } else { value(&points[right]) };
    let knee = from_left.max(from_right).min(chord);
    f64::midpoint(chord, knee)
}

/// The value at `at` on the straight line through two points.
fn line(a: (f64, f64), b: (f64, f64), at: f64) -> f64 {
    a.1 + (at - a.0) / (b.0 - a.0) * (b.1 - a.1)
}
