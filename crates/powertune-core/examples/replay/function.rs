//! One recorded function, with durations at any size between the recorded ones.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Mutex, PoisonError},
};

use powertune_core::{architecture::Architecture, power::Power};
use serde::Serialize;

use crate::distribution::Distribution;

/// The number of equidistant quantiles for a mean over a distribution.
const MIDPOINTS: u32 = 2_000;
/// The resolution of Lambda's durations. It replaces a duration of 0, which has no logarithm.
const LEAST_MS: f64 = 0.01;

/// A recorded function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: Name,
    pub(crate) architecture: Architecture,
    /// The durations by size, at least one.
    sizes: BTreeMap<Power, Distribution>,
    /// The durations of the first invocation by size. Empty if they are not told apart.
    warm_ups: BTreeMap<Power, Distribution>,
    /// The results so far: they take long to compute, and are needed often.
    truths: Mutex<HashMap<Power, Truth>>,
}

/// The name of a function in its file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Name {
    pub(crate) source: String,
    pub(crate) function: String,
    pub(crate) arch: String,
}

/// The true means of an invocation at one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Truth {
    /// In MB times milliseconds.
    pub(crate) cost: f64,
    pub(crate) billed_ms: f64,
    pub(crate) duration_ms: f64,
}

impl Function {
    /// A function recorded at these sizes, at least one.
    pub(crate) fn new(
        name: Name,
        architecture: Architecture,
        sizes: BTreeMap<Power, Distribution>,
        warm_ups: BTreeMap<Power, Distribution>,
    ) -> Self {
        Self { name, architecture, sizes, warm_ups, truths: Mutex::default() }
    }

    /// The recorded sizes in ascending order.
    pub(crate) fn recorded(&self) -> impl ExactSizeIterator<Item = Power> {
        self.sizes.keys().copied()
    }

    /// The smallest and the largest recorded size.
    pub(crate) fn range(&self) -> (Power, Power) {
        let mut sizes = self.sizes.keys();
        let least = *sizes.next().expect("a function is recorded at some size");
        (least, sizes.next_back().copied().unwrap_or(least))
    }

    /// The quantile of the duration at `power`.
    pub(crate) fn quantile(&self, power: Power, u: f64) -> f64 {
        if let Some(recorded) = self.sizes.get(&power) {
            return recorded.quantile(u);
        }
        let below = self.sizes.range(..power).next_back();
        let above = self.sizes.range(power..).next();
        let (below, above) =
            below.zip(above).expect("the planner stays between the powers that it is given");
        let point = |(&size, durations): (&Power, &Distribution)| (size, durations.quantile(u));
        between(point(below), point(above), power)
    }

    /// The quantile of the first invocation's duration: at the recorded size nearest to `power` by
    /// their ratio, or as for any other invocation if warm-ups are not told apart.
    pub(crate) fn warm_up_quantile(&self, power: Power, u: f64) -> f64 {
        let distance = |size: Power| (f64::from(size.mb()) / f64::from(power.mb())).ln().abs();
        let nearest = self.warm_ups.iter().min_by(|a, b| distance(*a.0).total_cmp(&distance(*b.0)));
        nearest.map_or_else(|| self.quantile(power, u), |(_, durations)| durations.quantile(u))
    }

    /// The true means of an invocation at `power`.
    pub(crate) fn truth(&self, power: Power) -> Truth {
        // A panic in another thread leaves every entry whole.
        let truths = || self.truths.lock().unwrap_or_else(PoisonError::into_inner);
        let known = truths().get(&power).copied();
        known.unwrap_or_else(|| {
            let truth = match self.sizes.get(&power) {
                Some(Distribution::Samples(all)) => Truth::of(power, all.iter().copied()),
                _ => Truth::of(power, midpoints().map(|u| self.quantile(power, u))),
            };
            truths().insert(power, truth);
            truth
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {} {}", self.source, self.function, self.arch))
    }
}

impl Truth {
    fn of(power: Power, durations_ms: impl ExactSizeIterator<Item = f64>) -> Self {
        let count = durations_ms.len() as f64;
        let (mut billed_ms, mut duration_ms) = (0.0, 0.0);
        for each in durations_ms {
            billed_ms += billed(each) / count;
            duration_ms += each / count;
        }
        Self { cost: f64::from(power.mb()) * billed_ms, billed_ms, duration_ms }
    }
}

/// The billed milliseconds of an invocation with this duration.
pub(crate) fn billed(duration_ms: f64) -> f64 {
    duration_ms.ceil().max(1.0)
}

fn midpoints() -> impl ExactSizeIterator<Item = f64> {
    (0..MIDPOINTS).map(|index| (f64::from(index) + 0.5) / f64::from(MIDPOINTS))
}

/// The duration at `power` on the line through two points, on logarithmic scales.
fn between(below: (Power, f64), above: (Power, f64), power: Power) -> f64 {
    let size = |power: Power| f64::from(power.mb()).ln();
    let duration = |duration_ms: f64| duration_ms.max(LEAST_MS).ln();
    let share = (size(power) - size(below.0)) / (size(above.0) - size(below.0));
    (duration(below.1) + share * (duration(above.1) - duration(below.1))).exp()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn power(mb: u32) -> Power {
        Power::new(mb).unwrap()
    }

    /// A function recorded at sizes in MB with these durations.
    pub(crate) fn recorded(sizes: &[(u32, &[f64])]) -> Function {
        with_warm_ups(sizes, &[])
    }

    fn with_warm_ups(sizes: &[(u32, &[f64])], warm_ups: &[(u32, &[f64])]) -> Function {
        let by_size = |sizes: &[(u32, &[f64])]| {
            let of = |&(mb, durations): &(u32, &[f64])| {
                (power(mb), Distribution::of_samples(durations.to_vec()))
            };
            sizes.iter().map(of).collect()
        };
        let name = Name { source: "s".into(), function: "f".into(), arch: "arm64".into() };
        Function::new(name, Architecture::Arm64, by_size(sizes), by_size(warm_ups))
    }

    #[track_caller]
    pub(crate) fn assert_close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() <= expected.abs() * 1e-12, "{actual} is not {expected}");
    }

    #[test]
    fn what_falls_in_proportion_to_memory_does_so_between_two_sizes() {
        let function = recorded(&[(128, &[800.0, 1600.0]), (1024, &[100.0, 200.0])]);
        assert_close(function.quantile(power(256), 0.0), 400.0);
        assert_close(function.quantile(power(256), 0.5), 800.0);
        assert_close(function.quantile(power(512), 0.99), 400.0);
        assert_close(function.quantile(power(1024), 0.0), 100.0);
    }

    #[test]
    fn a_duration_of_0_can_be_interpolated() {
        assert_close(between((power(128), 0.0), (power(512), 0.0), power(256)), LEAST_MS);
    }

    #[test]
    fn the_truth_is_the_mean_of_what_every_sample_is_billed() {
        let function = recorded(&[(128, &[0.2, 1.5, 3.0]), (512, &[5.0])]);
        let truth = function.truth(power(128));
        assert_close(truth.billed_ms, 2.0);
        assert_close(truth.cost, 256.0);
        assert_close(truth.duration_ms, 4.7 / 3.0);
        assert_eq!(function.truth(power(128)), truth);
        assert_eq!(function.range(), (power(128), power(512)));
    }

    #[test]
    fn a_warm_up_is_that_of_the_nearest_size_that_has_one() {
        let sizes: [(u32, &[f64]); 2] = [(128, &[10.0]), (2048, &[10.0])];
        let function = with_warm_ups(&sizes, &[(128, &[70.0]), (2048, &[90.0])]);
        assert_close(function.warm_up_quantile(power(256), 0.5), 70.0);
        assert_close(function.warm_up_quantile(power(1024), 0.5), 90.0);
        assert_close(recorded(&sizes).warm_up_quantile(power(256), 0.5), 10.0);
    }
}
