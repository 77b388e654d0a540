//! The observations at one power in few bytes, because a state has only 256 KB.
//!
//! Samples keep their order and exact values while they fit, and become [`Histogram`]s above that.
//! Failures of one kind are counted, and the first one is kept.

mod unchecked;

use serde::{Deserialize, Serialize};

use self::unchecked::Unchecked;
use super::histogram::{Histogram, Part};
use crate::{
    observation::{Failure, Observation, Outcome},
    power::Power,
    report::{Report, Start, Status},
};

/// The maximum length of a kept failure text, in characters.
const LONGEST_TEXT: usize = 160;
/// The maximum length of an error type and of a stack frame, in characters. Only the first frame is
/// kept.
const LONGEST_NAME: usize = 80;
/// The bytes of a digest besides its samples: its frame, and failures of every kind.
const FRAME: u64 = 500;

/// The observations at one power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Unchecked")]
pub struct Digest {
    /// The power of all observations.
    pub power: Power,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_memory_mb: Option<u32>,
    samples: Samples,
    /// The number of samples that ended with an allowed exception.
    #[serde(default, skip_serializing_if = "is_zero")]
    allowed: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failures>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Samples {
    /// Exact values, in the order in which the invocations ended.
    Exact(Vec<DigestSample>),
    /// The distribution of the values.
    Histograms(Histograms),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Histograms {
    warm: Histogram,
    cold: Histogram,
    restored: Histogram,
}

/// A report as a JSON list: duration and billed duration, then Init for a cold start, or Restore
/// and its billed part for a restored one. All are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum DigestSample {
    Warm(f64, u64),
    Cold(f64, u64, f64),
    Restored(f64, u64, f64, Option<u64>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failures {
    first: Failure,
    count: u64,
    /// The number of failures with a known billed duration.
    reported: u64,
    /// The sum of their billed durations, in milliseconds.
    billed_ms: u64,
}

impl Digest {
    /// A digest without observations.
    pub fn empty(power: Power) -> Self {
        Self {
            power,
            max_memory_mb: None,
            samples: Samples::Exact(Vec::new()),
            allowed: 0,
            failures: Vec::new(),
        }
    }

    /// The digest of the observations at `power`.
    pub fn of(power: Power, observations: &[Observation]) -> Self {
        let mut digest = Self::empty(power);
        for observation in observations.iter().filter(|seen| seen.power == power) {
            digest.take(&observation.outcome);
        }
        digest
    }

    fn take(&mut self, outcome: &Outcome) {
        let sample = match outcome {
            Outcome::Counted(report) | Outcome::Allowed(report) => {
                self.allowed += u64::from(matches!(outcome, Outcome::Allowed(_)));
                self.max_memory_mb = self.max_memory_mb.max(report.max_memory_mb);
                DigestSample::of(report)
            }
            Outcome::Failed { failure, report } => {
                let billed_ms = report.as_ref().map(|report| report.billed_ms);
                return self.fail(Failures {
                    first: shortened(failure.clone()),
                    count: 1,
                    reported: u64::from(billed_ms.is_some()),
                    billed_ms: billed_ms.unwrap_or_default(),
                });
            }
        };
        match &mut self.samples {
            Samples::Exact(samples) => samples.push(sample),
            Samples::Histograms(histograms) => {
                *histograms = histograms.merged(&Histograms::of(&[sample]));
            }
        }
    }

    fn fail(&mut self, failures: Failures) {
        let kind = std::mem::discriminant(&failures.first);
        let same = |known: &&mut Failures| std::mem::discriminant(&known.first) == kind;
        match self.failures.iter_mut().find(same) {
            Some(known) => {
                known.count += failures.count;
                known.reported += failures.reported;
                known.billed_ms += failures.billed_ms;
            }
            None => self.failures.push(failures),
        }
    }

    /// Adds `count` invocations without an answer.
    pub fn lose(&mut self, count: u64, failure: Failure) {
        if count > 0 {
            self.fail(Failures { first: shortened(failure), count, reported: 0, billed_ms: 0 });
        }
    }

    /// Adds later observations at the same power.
    pub fn merge(&mut self, later: Self) {
        self.max_memory_mb = self.max_memory_mb.max(later.max_memory_mb);
        self.allowed = self.allowed.saturating_add(later.allowed);
        match (&mut self.samples, later.samples) {
            (Samples::Exact(samples), Samples::Exact(more)) => samples.extend(more),
            (samples, more) => {
                *samples = Samples::Histograms(samples.histograms().merged(&more.histograms()));
            }
        }
        for failures in later.failures {
            self.fail(failures);
        }
    }

    /// Shortens the digest to at most `bytes` of JSON, if a histogram can be that short.
    #[must_use]
    pub fn within(mut self, bytes: u64) -> Self {
        // A sample has at least the length of `[0,1],`, so an impossible fit needs no
        // serialization.
        let too_long = match &self.samples {
            Samples::Exact(samples) => samples.len() as u64 * 6 > bytes || self.length() > bytes,
            Samples::Histograms(_) => false,
        };
        if too_long {
            self.samples = Samples::Histograms(self.samples.histograms());
        }
        self
    }

    fn length(&self) -> u64 {
        serde_json::to_string(self).map_or(u64::MAX, |json| json.len() as u64)
    }

    /// The maximum length in bytes of JSON of a digest of `count` invocations of up to
    /// `longest_ms`, after [`within`](Self::within).
    pub fn longest(count: u64, longest_ms: f64) -> u64 {
        // Three histograms are longest if one of them has all samples.
        FRAME + Histogram::longest(count, longest_ms) + 2 * Histogram::longest(0, longest_ms)
    }

    /// Restores the observations. Those of histograms are equivalent to the original ones. The
    /// first samples stand for the allowed exceptions, because a digest does not tell which ones
    /// they were.
    pub fn observations(&self) -> Vec<Observation> {
        let reports = match &self.samples {
            Samples::Exact(samples) => samples.clone(),
            Samples::Histograms(histograms) => histograms.samples(),
        };
        let counted = reports.into_iter().zip(0..).map(|(sample, number)| {
            let report = sample.report(self.power, self.max_memory_mb);
            if number < self.allowed { Outcome::Allowed(report) } else { Outcome::Counted(report) }
        });
        let failed = self.failures.iter().flat_map(|failures| failures.outcomes(self.power));
        counted.chain(failed).map(|outcome| Observation { power: self.power, outcome }).collect()
    }

    /// The number of invocations.
    pub fn invocations(&self) -> u64 {
        self.samples.count() + self.failures.iter().map(|failures| failures.count).sum::<u64>()
    }
}

impl Samples {
    fn count(&self) -> u64 {
        match self {
            Self::Exact(samples) => samples.len() as u64,
            Self::Histograms(histograms) => {
                let counts = histograms.all().map(|histogram| histogram.count);
                counts.into_iter().fold(0, u64::saturating_add)
            }
        }
    }

    fn histograms(&self) -> Histograms {
        match self {
            Self::Exact(samples) => Histograms::of(samples),
            Self::Histograms(histograms) => histograms.clone(),
        }
    }
}

impl Histograms {
    fn all(&self) -> [&Histogram; 3] {
        [&self.warm, &self.cold, &self.restored]
    }

    fn of(samples: &[DigestSample]) -> Self {
        let parts = |wanted: fn(&&DigestSample) -> bool| {
            Histogram::of(samples.iter().filter(wanted).map(|sample| sample.part()))
        };
        Self {
            warm: parts(|sample| matches!(sample, DigestSample::Warm(..))),
            cold: parts(|sample| matches!(sample, DigestSample::Cold(..))),
            restored: parts(|sample| matches!(sample, DigestSample::Restored(..))),
        }
    }

    fn merged(&self, other: &Self) -> Self {
        Self {
            warm: self.warm.merged(&other.warm),
            cold: self.cold.merged(&other.cold),
            restored: self.restored.merged(&other.restored),
        }
    }

    fn samples(&self) -> Vec<DigestSample> {
        let warm = |part: Part| DigestSample::Warm(part.total_ms, part.billed_ms);
        let cold = |part: Part| {
            DigestSample::Cold(part.total_ms - part.before_ms, part.billed_ms, part.before_ms)
        };
        let restored = |part: Part| {
            DigestSample::Restored(
                part.total_ms - part.before_ms,
                part.billed_ms,
                part.before_ms,
                None,
            )
        };
        let warm = self.warm.parts().into_iter().map(warm);
        let cold = self.cold.parts().into_iter().map(cold);
        let restored = self.restored.parts().into_iter().map(restored);
        cold.chain(restored).chain(warm).collect()
    }
}

impl DigestSample {
    fn of(report: &Report) -> Self {
        let (duration_ms, billed_ms) = (report.duration_ms, report.billed_ms);
        match report.start {
            Start::Warm => Self::Warm(duration_ms, billed_ms),
            Start::Cold { init_ms } => Self::Cold(duration_ms, billed_ms, init_ms),
            Start::Restored { restore_ms, billed_restore_ms } => {
                Self::Restored(duration_ms, billed_ms, restore_ms, billed_restore_ms)
            }
        }
    }

    fn part(self) -> Part {
        let (duration_ms, billed_ms, before_ms) = match self {
            Self::Warm(duration_ms, billed_ms) => (duration_ms, billed_ms, 0.0),
            Self::Cold(duration_ms, billed_ms, before_ms)
            | Self::Restored(duration_ms, billed_ms, before_ms, _) => {
                (duration_ms, billed_ms, before_ms)
            }
        };
        Part { total_ms: duration_ms + before_ms, before_ms, billed_ms }
    }

    fn report(self, power: Power, max_memory_mb: Option<u32>) -> Report {
        let (duration_ms, billed_ms, start) = match self {
            Self::Warm(duration_ms, billed_ms) => (duration_ms, billed_ms, Start::Warm),
            Self::Cold(duration_ms, billed_ms, init_ms) => {
                (duration_ms, billed_ms, Start::Cold { init_ms })
            }
            Self::Restored(duration_ms, billed_ms, restore_ms, billed_restore_ms) => {
                (duration_ms, billed_ms, Start::Restored { restore_ms, billed_restore_ms })
            }
        };
        Report {
            duration_ms,
            billed_ms,
            memory_mb: power.mb(),
            max_memory_mb,
            start,
            status: Status::Success,
        }
    }
}

impl Failures {
    fn outcomes(&self, power: Power) -> impl Iterator<Item = Outcome> {
        (0..self.count).map(move |number| {
            // Only the sum matters, so the first failure takes the remainder.
            let billed_ms = (number < self.reported).then(|| {
                self.billed_ms / self.reported + u64::from(number < self.billed_ms % self.reported)
            });
            let report = |billed_ms: u64| Report {
                duration_ms: billed_ms as f64,
                billed_ms,
                memory_mb: power.mb(),
                max_memory_mb: None,
                start: Start::Warm,
                status: Status::Failure,
            };
            Outcome::Failed { failure: self.first.clone(), report: billed_ms.map(report) }
        })
    }
}

fn shortened(failure: Failure) -> Failure {
    let text = |text: String| text.chars().take(LONGEST_TEXT).collect::<String>();
    let name = |name: String| name.chars().take(LONGEST_NAME).collect::<String>();
    match failure {
        Failure::Timeout => Failure::Timeout,
        Failure::OutOfMemory => Failure::OutOfMemory,
        Failure::FunctionError { error_type, message, trace } => Failure::FunctionError {
            error_type: error_type.map(name),
            message: message.map(text),
            trace: trace.into_iter().take(1).map(name).collect(),
        },
        Failure::NoReport { why } => Failure::NoReport { why: text(why) },
        Failure::Lost { why } => Failure::Lost { why: text(why) },
        Failure::Unanswered => Failure::Unanswered,
        Failure::Refused { why } => Failure::Refused { why: text(why) },
    }
}

#[cfg(test)]
mod tests;
