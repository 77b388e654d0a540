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
