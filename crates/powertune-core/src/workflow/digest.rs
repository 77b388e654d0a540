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

/// The invocations that count.
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

/// The failures of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failures {
    /// The first failure.
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

/// Shortens the texts of a failure to a recognizable part.
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
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn start() -> impl Strategy<Value = Start> {
        prop_oneof![
            Just(Start::Warm),
            (0.01..5e3_f64).prop_map(|init_ms| Start::Cold { init_ms }),
            (0.01..5e3_f64, proptest::option::of(0_u64..5000)).prop_map(
                |(restore_ms, billed_restore_ms)| Start::Restored { restore_ms, billed_restore_ms }
            ),
        ]
    }

    fn report() -> impl Strategy<Value = Report> {
        (0.01..1e4_f64, start(), 1_u32..128).prop_map(|(duration_ms, start, memory_mb)| {
            let report = Report {
                duration_ms,
                billed_ms: 0,
                memory_mb: 128,
                max_memory_mb: Some(memory_mb),
                start,
                status: Status::Success,
            };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let billed_ms = report.total_ms().ceil() as u64;
            Report { billed_ms, ..report }
        })
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            4 => report().prop_map(Outcome::Counted),
            1 => report().prop_map(Outcome::Allowed),
            1 => proptest::option::of(report())
                .prop_map(|report| Outcome::Failed { failure: Failure::Timeout, report }),
            1 => Just(Outcome::Failed {
                failure: Failure::Lost { why: "gone".to_owned() },
                report: None,
            }),
        ]
    }

    fn seen(outcomes: Vec<Outcome>) -> Vec<Observation> {
        let observation = |outcome| Observation { power: Power::MIN, outcome };
        outcomes.into_iter().map(observation).collect()
    }

    /// The number of observations of each kind, and their billed durations.
    fn account(observations: &[Observation]) -> (usize, usize, usize, u64, u64) {
        let mut account = (0, 0, 0, 0, 0);
        for Observation { outcome, .. } in observations {
            match outcome {
                Outcome::Counted(report) | Outcome::Allowed(report) => {
                    account.0 += 1;
                    account.1 += usize::from(report.start.is_cold());
                    account.3 += report.billed_ms;
                }
                Outcome::Failed { report, .. } => {
                    account.2 += 1;
                    account.4 += report.as_ref().map_or(0, |report| report.billed_ms);
                }
            }
        }
        account
    }

    #[test]
    fn failures_of_a_kind_are_one_entry_with_the_first_ones_words() {
        let failure = |message: &str| Outcome::Failed {
            failure: Failure::FunctionError {
                error_type: Some("ValueError".to_owned()),
                message: Some(message.to_owned()),
                trace: vec![message.to_owned(); 9],
            },
            report: None,
        };
        let long = "x".repeat(10_000);
        let digest = Digest::of(Power::MIN, &seen(vec![failure("first"), failure(&long)]));
        let json = serde_json::to_string(&digest).unwrap();
        assert!(json.len() < 300 && json.contains("first"), "{json}");
        assert_eq!(digest.invocations(), 2);
    }

    #[test]
    fn what_no_run_can_have_seen_is_no_digest() {
        let failed = |failures: &str| {
            format!(
                r#"{{"power":128,"samples":{{"exact":[]}},"failures":[{{"first":{{"kind":"timeout"}},{failures}}}]}}"#
            )
        };
        let sampled =
            |sample: &str| format!(r#"{{"power":128,"samples":{{"exact":[[1.5,2],{sample}]}}}}"#);
        let counted = |warm: &str| {
            let none = r#"{"count":0,"totalUs":0,"beforeUs":0,"billedMs":0,"buckets":""}"#;
            format!(
                r#"{{"power":128,"samples":{{"histograms":{{"warm":{{{warm}}},"cold":{none},"restored":{none}}}}}}}"#
            )
        };
        let part = |total_ms| Part { total_ms, before_ms: 0.0, billed_ms: 1 };
        let of_two = serde_json::to_value(Histogram::of([part(1.0), part(1.5)])).unwrap();
        let buckets = of_two["buckets"].as_str().unwrap();
        let counts = |count: u64, total_us: u64| {
            counted(&format!(
                r#""count":{count},"totalUs":{total_us},"beforeUs":0,"billedMs":3,"buckets":"{buckets}""#
            ))
        };
        let read = |json: &str| serde_json::from_str::<Digest>(json).map(|read| read.invocations());
        assert_eq!(read(&failed(r#""count":3,"reported":1,"billedMs":9"#)).ok(), Some(3));
        assert_eq!(read(&sampled("[0.5,1,3.5]")).ok(), Some(2));
        assert_eq!(read(&counts(2, 2500)).ok(), Some(2));
        for json in [
            failed(r#""count":18446744073709551615,"reported":0,"billedMs":0"#),
            failed(r#""count":1,"reported":2,"billedMs":0"#),
            failed(r#""count":1,"reported":0,"billedMs":1"#),
            sampled("[-1.0,1]"),
            sampled("[1e300,1]"),
            sampled("[1.0,18446744073709551615]"),
            sampled("[1.0,1,1e300]"),
            counts(5, 2500),
            counts(2, u64::MAX),
        ] {
            assert!(read(&json).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn what_fits_travels_exactly_and_in_order(outcomes in vec(outcome(), 0..40)) {
            let observations = seen(outcomes);
            let digest = Digest::of(Power::MIN, &observations).within(u64::MAX);
            let json = serde_json::to_string(&digest).unwrap();
            let read: Digest = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(&read, &digest);
            let counted = |observations: &[Observation]| -> Vec<(f64, u64, Start)> {
                observations.iter().filter_map(|seen| match &seen.outcome {
                    Outcome::Counted(report) | Outcome::Allowed(report) => Some((report.duration_ms, report.billed_ms, report.start)),
                    Outcome::Failed { .. } => None,
                }).collect()
            };
            prop_assert_eq!(counted(&read.observations()), counted(&observations));
        }

        #[test]
        fn nothing_is_lost_or_counted_twice(
            one in vec(outcome(), 0..60),
            other in vec(outcome(), 0..60),
            bytes in 0_u64..4000,
        ) {
            let both = seen(one.iter().chain(&other).cloned().collect());
            let mut digest = Digest::of(Power::MIN, &seen(one)).within(bytes);
            digest.merge(Digest::of(Power::MIN, &seen(other)).within(bytes));
            prop_assert_eq!(digest.invocations(), both.len() as u64);
            prop_assert_eq!(account(&digest.within(bytes).observations()), account(&both));
        }

        #[test]
        fn no_digest_is_longer_than_foreseen(outcomes in vec(outcome(), 0..400)) {
            let count = outcomes.len() as u64;
            let limit = Digest::longest(count, 1.5e4);
            let digest = Digest::of(Power::MIN, &seen(outcomes)).within(limit);
            prop_assert!(digest.length() <= limit, "{} {limit}", digest.length());
        }
    }
}
