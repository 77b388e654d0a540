//! The data between the states of the state machine, and digests of observations.

use powertune_core::{
    observation::{Failure, Observation, Outcome},
    power::Power,
    report::{Report, Start, Status},
    workflow::{
        Digest, decide,
        state::{InitializeInput, MeasureInput, MeasureOutput, RunState},
    },
};

use super::result::is_read_back;

/// The bytes that one sample is made of in [`samples`].
const SAMPLE: usize = 6;
/// Deciding over more than this takes longer than it teaches.
const MOST: u64 = 300;

/// Digests, as JSON.
pub(super) fn digest(bytes: &[u8]) {
    let Some(digest) = is_read_back::<Digest>(bytes) else { return };
    if digest.invocations() <= 10_000 {
        keeps_count(&digest);
    }
}

/// Whatever becomes of a digest, it stands for the same invocations, billed the same.
fn keeps_count(digest: &Digest) {
    let seen = account(&digest.observations());
    assert_eq!(seen.invocations, digest.invocations(), "{digest:?}");
    for bytes in [0, 200, u64::MAX] {
        assert_eq!(account(&digest.clone().within(bytes).observations()), seen, "{digest:?}");
    }
    for mut twice in [digest.clone(), digest.clone().within(0)] {
        twice.merge(digest.clone());
        let both = account(&twice.observations());
        assert_eq!(both.invocations, 2 * seen.invocations, "{digest:?}");
        assert_eq!(both.billed_ms, 2 * seen.billed_ms, "{digest:?}");
    }
}

/// The figures that may not get lost.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    invocations: u64,
    cold: u64,
    failed: u64,
    billed_ms: u64,
}

fn account(observations: &[Observation]) -> Account {
    let mut account = Account { invocations: 0, cold: 0, failed: 0, billed_ms: 0 };
    for Observation { outcome, .. } in observations {
        account.invocations += 1;
        let report = match outcome {
            Outcome::Counted(report) | Outcome::Allowed(report) => {
                assert!(report.duration_ms.is_finite() && report.duration_ms >= 0.0, "{report:?}");
                assert!(report.total_ms().is_finite(), "{report:?}");
                account.cold += u64::from(report.start.is_cold());
                Some(report)
            }
            Outcome::Failed { report, .. } => {
                account.failed += 1;
                report.as_ref()
            }
        };
        account.billed_ms += report.map_or(0, |report| report.billed_ms);
    }
    account
}

/// Invocations of every kind, six bytes each, and what a digest makes of them.
pub(super) fn samples(bytes: &[u8]) {
    let (samples, _) = bytes.as_chunks::<SAMPLE>();
    let observations: Vec<Observation> = samples.iter().copied().map(observation).collect();
    let digest = Digest::of(Power::MIN, &observations);
    assert_eq!(account(&digest.observations()), account(&observations));
    keeps_count(&digest);
}

fn observation([kind, low, middle, high, before, failure]: [u8; SAMPLE]) -> Observation {
    let duration_ms = f64::from(u32::from_le_bytes([low, middle, high, 0])) / 20.0;
    let before_ms = f64::from(before) * 10.0;
    let start = match kind % 4 {
        0 | 1 => Start::Warm,
        2 => Start::Cold { init_ms: before_ms },
        _ => Start::Restored { restore_ms: before_ms, billed_restore_ms: Some(u64::from(before)) },
    };
    let report = Report {
        duration_ms,
        billed_ms: u64::from(low) + 256 * u64::from(high),
        memory_mb: 128,
        max_memory_mb: Some(u32::from(before)),
        start,
        status: Status::Success,
    };
    let why = || format!("{failure}");
    let failure = match failure {
        0 => Some(Failure::Timeout),
        1 => Some(Failure::OutOfMemory),
        2 => Some(Failure::FunctionError {
            error_type: None,
            message: Some(why()),
            trace: vec![why()],
        }),
        3 => Some(Failure::NoReport { why: why() }),
        4 => Some(Failure::Lost { why: why() }),
        5 => Some(Failure::Refused { why: why() }),
        _ => None,
    };
    let outcome = match failure {
        Some(failure) => Outcome::Failed { failure, report: (kind % 2 == 0).then_some(report) },
        None => Outcome::Counted(report),
    };
    Observation { power: Power::MIN, outcome }
}

/// The input and output of a state as JSON, and the decision that follows.
pub(super) fn state(bytes: &[u8]) {
    is_read_back::<InitializeInput>(bytes);
    is_read_back::<MeasureInput>(bytes);
    if let Some(MeasureOutput { lost: Some(caught), .. }) = is_read_back(bytes) {
        assert!(caught.said().len() <= caught.cause.len());
    }
    let Some(state) = is_read_back::<RunState>(bytes) else { return };
    let measured = state.measured.iter().filter_map(|measured| measured.digest.as_ref());
    let seen = measured.chain(&state.seen.digests).map(Digest::invocations);
    if seen.fold(0, u64::saturating_add) > MOST || state.run.powers.len() > 20 {
        return;
    }
    match decide(state, 1000, "https://example.org/") {
        Ok(decided) => {
            assert!(decided.measured.is_empty());
            assert!(decided.next.is_some());
            let json = serde_json::to_vec(&decided).expect("a state is JSON");
            is_read_back::<RunState>(&json).expect("what Decide gives is taken by what follows");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
