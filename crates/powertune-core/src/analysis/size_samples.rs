//! The samples and figures of one memory size.

use crate::{
    observation::{Failure, Outcome},
    power::Power,
    price::Price,
    report::{Report, Start},
    request::Request,
    result::{DurationStats, PowerStats, State},
    stats::{self, Estimate, Reach, resample::Sample},
    verdict::Verdict,
};

/// The rule for invocations that count, and the limit on failures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counting {
    /// Warm invocations do not count.
    pub(crate) only_cold_starts: bool,
    /// The share of invocations that may end with an error, from 0 to 1.
    pub(crate) max_error_rate: f64,
}

impl Counting {
    pub(crate) fn of(request: &Request) -> Self {
        Self { only_cold_starts: request.only_cold_starts, max_error_rate: request.max_error_rate }
    }
}

#[derive(Debug)]
pub(crate) struct SizeSamples<'a> {
    pub(crate) power: Power,
    pub(crate) counted: Vec<&'a Report>,
    pub(crate) failures: Vec<&'a Failure>,
    /// The invocations that count and ended with an allowed exception.
    allowed: u32,
    max_error_rate: f64,
    /// All invocations, also those that do not count.
    pub(crate) invocations: u32,
}

impl<'a> SizeSamples<'a> {
    pub(crate) fn new(
        power: Power,
        outcomes: impl Iterator<Item = &'a Outcome>,
        counting: Counting,
    ) -> Self {
        let mut size = Self {
            power,
            counted: Vec::new(),
            failures: Vec::new(),
            invocations: 0,
            allowed: 0,
            max_error_rate: counting.max_error_rate,
        };
        for outcome in outcomes {
            size.invocations += 1;
            match outcome {
                Outcome::Counted(report) | Outcome::Allowed(report) => {
                    if counting.only_cold_starts && !report.start.is_cold() {
                        continue;
                    }
                    size.counted.push(report);
                    size.allowed += u32::from(matches!(outcome, Outcome::Allowed(_)));
                }
                Outcome::Failed { failure, .. } => size.failures.push(failure),
            }
        }
        size
    }

    pub(crate) fn verdict(&self) -> Verdict<'a> {
        Verdict::of(self.counted.len(), &self.failures, self.max_error_rate)
    }

    pub(crate) fn works(&self) -> bool {
        self.verdict() == Verdict::Works
    }

    /// True if more invocations would fail like the others.
    pub(crate) fn is_condemned(&self) -> bool {
        matches!(self.verdict(), Verdict::Repeats { .. } | Verdict::TooMany { .. })
    }

    /// True if nothing is known about the function at this size.
    pub(crate) fn is_unmeasured(&self) -> bool {
        matches!(self.verdict(), Verdict::Unmeasured { .. })
    }

    pub(crate) fn cold_starts(&self) -> usize {
        self.counted.iter().filter(|report| report.start.is_cold()).count()
    }

    /// The warm invocations, or the cold ones if there are no warm ones.
    fn steady(&self) -> Vec<&'a Report> {
        let warm: Vec<_> =
            self.counted.iter().copied().filter(|report| !report.start.is_cold()).collect();
        if warm.is_empty() { self.counted.clone() } else { warm }
    }

    pub(crate) fn average_duration(&self, discard: f64) -> Option<f64> {
        stats::trimmed_mean(&totals(&self.counted), discard)
    }

    fn average_billed(&self, discard: f64) -> Option<f64> {
        stats::trimmed_mean(&billed(&self.counted), discard).map(f64::ceil)
    }

    pub(crate) fn average_price(&self, discard: f64, price: &Price) -> Option<f64> {
        self.average_billed(discard).map(|billed_ms| price.duration_cost(self.power, billed_ms))
    }

    /// The duration at a percentile (0 to 100), of the same invocations as `duration` in the
    /// result.
    pub(crate) fn duration_at(&self, percentile: f64) -> Option<f64> {
        stats::percentile(&self.steady_durations(), percentile / 100.0)
    }

    /// The durations in milliseconds of the invocations behind `cost` and `duration` in the result.
    pub(crate) fn steady_durations(&self) -> Vec<f64> {
        totals(&self.steady())
    }

    pub(crate) fn steady_duration(&self) -> Option<f64> {
        stats::mean(&self.steady_durations())
    }

    /// The mean billed duration of the same invocations, in milliseconds.
    pub(crate) fn steady_billed(&self) -> Option<f64> {
        stats::mean(&billed(&self.steady()))
    }

    /// The number of the same invocations.
    pub(crate) fn steady_count(&self) -> u32 {
        count(self.steady().len())
    }

    /// The warm invocations by environment. Each cold start begins a new environment if invocations
    /// follow each other. For parallel invocations, the result is one environment.
    pub(crate) fn environments(&self) -> Vec<Vec<Sample>> {
        let mut environments = vec![Vec::new()];
        for report in &self.counted {
            if report.start.is_cold() {
                environments.push(Vec::new());
            } else if let Some(environment) = environments.last_mut() {
                environment.push(sample(report));
            }
        }
        environments.retain(|environment| !environment.is_empty());
        environments
    }

    pub(crate) fn is_warm(&self) -> bool {
        self.cold_starts() < self.counted.len()
    }

    pub(crate) fn samples(&self) -> Vec<Sample> {
        samples(&self.counted)
    }

    /// The samples behind `cost` and `duration` in the result.
    pub(crate) fn steady_samples(&self) -> Vec<Sample> {
        samples(&self.steady())
    }

    /// aws-lambda-power-tuning's averagePrice and averageDuration with their intervals.
    pub(super) fn trimmed_estimates(&self, discard: f64, price: &Price) -> (Estimate, Estimate) {
        let measured = "a measured power has samples";
        let billed_ms = stats::trimmed_interval(&billed(&self.counted), discard);
        let billed_ms = billed_ms.expect(measured);
        let cost = billed_ms.map(|ms| price.duration_cost(self.power, ms.ceil().max(1.0)));
        let duration = stats::trimmed_interval(&totals(&self.counted), discard);
        (cost.or_unknown(), duration.expect(measured).or_unknown())
    }

    pub(crate) fn stats(&self, discard: f64, price: &Price, reach: Reach) -> PowerStats {
        let verdict = self.verdict();
        let steady = self.steady();
        let cost = reach
            .billed_mean_interval(&billed(&steady))
            .map(|billed_ms| billed_ms.map(|ms| price.invocation_cost(self.power, ms)));
        PowerStats {
            value: self.power,
            average_price: self.average_price(discard, price),
            average_duration: self.average_duration(discard),
            invocations: self.invocations,
            cold_starts: count(self.cold_starts()),
            failures: count(self.failures.len()),
            allowed_exceptions: self.allowed,
            cost,
            deciding: None,
            duration: duration_stats(&totals(&steady), reach),
            init_duration: stats::mean(&self.init_ms()),
            max_memory_used: self.counted.iter().filter_map(|report| report.max_memory_mb).max(),
            state: if verdict == Verdict::Works { State::Measured } else { State::Failed },
            reason: (verdict != Verdict::Works).then(|| verdict.to_string()),
        }
    }

    fn init_ms(&self) -> Vec<f64> {
        self.counted
            .iter()
            .filter_map(|report| match report.start {
                Start::Warm => None,
                Start::Cold { init_ms } => Some(init_ms),
                Start::Restored { restore_ms, .. } => Some(restore_ms),
            })
            .collect()
    }
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

fn totals(reports: &[&Report]) -> Vec<f64> {
    reports.iter().map(|report| report.total_ms()).collect()
}

fn billed(reports: &[&Report]) -> Vec<f64> {
    reports.iter().map(|report| report.billed_ms as f64).collect()
}

fn samples(reports: &[&Report]) -> Vec<Sample> {
    reports.iter().map(|report| sample(report)).collect()
}

fn sample(report: &Report) -> Sample {
    Sample { billed_ms: report.billed_ms as f64, duration_ms: report.total_ms() }
}

fn duration_stats(durations: &[f64], reach: Reach) -> Option<DurationStats> {
    let mean = reach.mean_interval(durations)?;
    let at = |p| stats::percentile(durations, p);
    Some(DurationStats { mean, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) })
}
