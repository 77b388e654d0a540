//! The limits of Step Functions, and the needs of a run.
//! <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>

use super::{
    Digest,
    state::{MeasureOutput, Used},
};

/// The maximum input or output of a state, in bytes.
pub const STATE_BYTES: u64 = 256 * 1024;
/// The maximum input of an execution in the event of its end, in bytes, with escaped quotes and
/// backslashes. A longer input is left out, and with it the name of the function to clean.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>
pub const EVENT_BYTES: u64 = 248 * 1024;
const HISTORY_EVENTS: u64 = 25_000;
/// The events that a run may plan with. The rest is for retries, which nobody counts.
const PLANNED_EVENTS: u64 = HISTORY_EVENTS / 5 * 4;
/// The bytes that do not grow with the powers: counters, marks, the frames of JSON.
const FRAME_BYTES: u64 = 4 * 1024;
/// The bytes of a power besides its digests: a task before and after Measure, and its version.
const TASK_BYTES: u64 = 2 * 160 + 20;

/// The events of a successful Task: entered, scheduled, started, succeeded, exited.
const TASK_EVENTS: u64 = 5;
/// The events of an iteration: started, those of the Task, succeeded.
const ITERATION_EVENTS: u64 = TASK_EVENTS + 2;
/// The events of a Map: entered, started, succeeded, exited.
const MAP_EVENTS: u64 = 4;
const CHOICE_EVENTS: u64 = 2;

/// The part of a request that exceeds the limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// The request itself is too long, most likely its payload.
    #[error(
        "payload: the request has {bytes} bytes, and leaves no room for the measurements in the \
         {STATE_BYTES} bytes of a state; put the payload into S3 and name it with payloadS3"
    )]
    Request {
        /// The length as JSON, in bytes.
        bytes: u64,
    },
    /// The request is too long for the event of the execution's end.
    #[error(
        "payload: the request has {bytes} bytes in the event of an execution's end, which has room \
         for {EVENT_BYTES}, so that nothing could clean up after an execution that is stopped; put \
         the payload into S3 and name it with payloadS3"
    )]
    Event {
        /// The length as escaped JSON, in bytes.
        bytes: u64,
    },
    /// There are too many invocations for this number of powers.
    #[error(
        "num: {num} invocations at {powers} powers do not fit into the {STATE_BYTES} bytes of a \
         state; {most} would, or fewer powers, or `powertune tune`, which has no such limit"
    )]
    Num {
        /// The invocations per power.
        num: u32,
        /// The number of powers.
        powers: u64,
        /// The maximum number of invocations per power.
        most: u32,
    },
    /// There are too many powers, even for few invocations.
    #[error(
        "powerValues: {powers} powers do not fit into the {STATE_BYTES} bytes of a state; {most} \
         would, or `powertune tune`, which has no such limit"
    )]
    Powers {
        /// The number of powers.
        powers: u64,
        /// The maximum number of powers.
        most: u64,
    },
}

/// Checks that a request in JSON fits into the event of an execution's end.
///
/// The event has the exact input of the execution, but may escape each UTF-16 unit outside ASCII,
/// like `\u4e2d`.
///
/// # Errors
/// When it does not fit.
pub fn check_event(request: &str) -> Result<(), TooLarge> {
    let bytes = request.chars().map(event_bytes).sum();
    if bytes > EVENT_BYTES { Err(TooLarge::Event { bytes }) } else { Ok(()) }
}

/// The maximum length in bytes of a character of JSON, inside a JSON string.
const fn event_bytes(character: char) -> u64 {
    match character {
        '"' | '\\' => 2,
        ascii if ascii.is_ascii() => 1,
        // The backslash of each escape is escaped too.
        other => 7 * other.len_utf16() as u64,
    }
}

/// The maximum bytes of each digest, so that a state with two digests per power fits: one of
/// earlier observations and one of new ones.
///
/// # Errors
/// When `num` invocations of up to `longest_ms` at `powers` powers do not fit beside a request of
/// `request_bytes`.
pub fn digest_bytes(
    request_bytes: u64,
    powers: u64,
    num: u32,
    longest_ms: f64,
) -> Result<u64, TooLarge> {
    let room = STATE_BYTES.saturating_sub(FRAME_BYTES + request_bytes);
    let each = |powers: u64| (room / powers.max(1)).saturating_sub(TASK_BYTES) / 2;
    let needed = |num: u32| Digest::longest(u64::from(num), longest_ms);
    if needed(num) <= each(powers) {
        return Ok(each(powers));
    }
    // The length grows with num, so a search finds the last that fits.
    let fewest = crate::request::MIN_NUM;
    let fitting = |num: &u32| needed(*num) <= each(powers);
    if fitting(&fewest) {
        let most = last_fitting(u64::from(fewest), u64::from(num), |num| {
            u32::try_from(num).is_ok_and(|num| fitting(&num))
        });
        return Err(TooLarge::Num { num, powers, most: u32::try_from(most).unwrap_or(fewest) });
    }
    let fits = |powers: u64| needed(fewest) <= each(powers);
    if !fits(1) {
        return Err(TooLarge::Request { bytes: request_bytes });
    }
    Err(TooLarge::Powers { powers, most: last_fitting(1, powers, fits) })
}

/// The largest number that fits, between `fits` and `does_not`.
fn last_fitting(mut fits: u64, mut does_not: u64, test: impl Fn(u64) -> bool) -> u64 {
    while does_not - fits > 1 {
        let middle = fits + (does_not - fits) / 2;
        if test(middle) {
            fits = middle;
        } else {
            does_not = middle;
        }
    }
    fits
}

impl Used {
    /// The usage at the first Publish: the execution has started, and Initialize has ended.
    pub fn initialized() -> Self {
        Self { transitions: 1, events: 1 + TASK_EVENTS }
    }

    /// Adds a Publish.
    pub fn publish(&mut self) {
        self.transitions += 1;
        self.events += TASK_EVENTS;
    }

    /// Adds a Map with these outputs, and the states after it.
    pub(super) fn measured(&mut self, outputs: &[MeasureOutput]) {
        let lost = outputs.iter().filter(|output| output.lost.is_some()).count();
        self.wave(outputs.len() as u64, lost as u64);
    }

    /// Adds a Map over `tasks` tasks, `lost` of which were caught, and the states after it: Decide
    /// and the choice.
    fn wave(&mut self, tasks: u64, lost: u64) {
        self.transitions += 1 + tasks + lost + 2;
        self.events +=
            MAP_EVENTS + tasks * ITERATION_EVENTS + 2 * lost + TASK_EVENTS + CHOICE_EVENTS;
    }

    /// True if there is room for a Publish, a Map over `tasks` tasks, and the end.
    pub(super) fn has_room_for(&self, tasks: u64) -> bool {
        let mut then = *self;
        then.publish();
        then.wave(tasks, 0);
        then.events + 4 * TASK_EVENTS <= PLANNED_EVENTS
    }

    /// The transitions of an execution that ends now, with or without Apply.
    pub(super) fn transitions_to_the_end(&self, apply: bool) -> u64 {
        self.transitions + 1 + u64::from(apply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_powers_with_a_thousand_invocations_fit() {
        for timeout_ms in [3_000.0, 60_000.0, 900_000.0] {
            assert!(digest_bytes(2_000, 46, 1_000, timeout_ms).is_ok(), "{timeout_ms}");
        }
        assert!(digest_bytes(2_000, 6, 7_000, 900_000.0).is_ok());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let Err(TooLarge::Num { most, .. }) = digest_bytes(2_000, 46, 100_000, 900_000.0) else {
            panic!("it can't fit");
        };
        assert!(digest_bytes(2_000, 46, most, 900_000.0).is_ok());
        assert!(digest_bytes(2_000, 46, most + 1, 900_000.0).is_err());
        let Err(TooLarge::Powers { most, .. }) = digest_bytes(2_000, 10_000, 5, 3_000.0) else {
            panic!("it can't fit");
        };
        assert!(digest_bytes(2_000, most, 5, 3_000.0).is_ok());
        assert!(digest_bytes(2_000, most + 1, 5, 3_000.0).is_err());
        let error = digest_bytes(257_000, 6, 5, 3_000.0).unwrap_err();
        assert!(
            matches!(error, TooLarge::Request { .. }) && error.to_string().contains("payloadS3")
        );
    }

    #[test]
    fn a_request_fits_into_the_event_of_its_end() {
        let request = |items: usize| serde_json::json!({ "payload": vec![r#"a "word""#; items] });
        // Each has 13 bytes as JSON, and 19 in a JSON string.
        assert_eq!(check_event(&request(10_000).to_string()), Ok(()));
        let error = check_event(&request(14_000).to_string()).unwrap_err().to_string();
        assert!(error.contains("payloadS3"), "{error}");
        // 20,000 of them, escaped, have 14 bytes each in a JSON string.
        let faces = |number: usize| format!(r#"{{"payload":"{}"}}"#, "\u{1f600}".repeat(number));
        assert_eq!(check_event(&faces(18_000)), Ok(()));
        assert!(check_event(&faces(20_000)).is_err());
    }

    #[test]
    fn the_history_has_an_end() {
        let mut used = Used::initialized();
        let mut waves = 0;
        while used.has_room_for(46) {
            used.publish();
            used.wave(46, 0);
            waves += 1;
        }
        assert!((50..75).contains(&waves), "{waves}");
        assert!(used.events < HISTORY_EVENTS);
    }
}
