//! One invocation: sent until Lambda takes it, run at most once. Its duration comes from the log.

use std::{
    ops::ControlFlow,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use powertune_core::{
    observation::{Failure, Outcome},
    report::{self, Report, Status},
};
use rand::RngExt;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    gate::GatePlace,
    gateway::{Invoked, Invoker, NotInvoked},
    window::{PATIENCE, Refused},
};

/// The wait after the first refusal by Lambda; each wait is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The time in which Lambda spreads a new version to all of its hosts.
const SPREADING: Duration = Duration::from_secs(5);

/// The longest text of a function's error that is kept, in characters.
const LONGEST_SAID: usize = 1000;
/// The number of stack frames that are kept.
const FRAMES: usize = 3;

#[derive(Debug, Clone)]
pub(crate) struct InvokeTarget<'a> {
    pub(crate) function: &'a str,
    pub(crate) qualifier: Option<&'a str>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Try<'a> {
    Sent,
    /// Lambda has not run it, for this reason; it will be sent again.
    Refused(&'a str),
}

/// The start of the time in which a version has not been ready. All of its invocations share it, so
/// that they do not wait for the same thing one after the other.
#[derive(Debug, Default)]
pub(crate) struct Unready(Mutex<Option<Instant>>);

impl Unready {
    /// Takes in that the version is not ready. Returns true if the wait is over.
    fn is_over(&self) -> bool {
        self.since().get_or_insert_with(Instant::now).elapsed() > PATIENCE
    }

    fn is_ready(&self) {
        *self.since() = None;
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        // The value stays consistent even if another thread panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends an invocation until it has run. It sends again only if nothing ran: throttled, not ready,
/// not known yet, or not connected. After `last_start` it stops.
///
/// `heard` hears of every try.
pub(crate) async fn invoke_once(
    invoker: &Invoker,
    place: &mut GatePlace,
    target: InvokeTarget<'_>,
    payload: &[u8],
    unready: &Unready,
    last_start: Option<Instant>,
    heard: impl Fn(Try<'_>),
) -> Result<Invoked, NotInvoked> {
    let started = Instant::now();
    let mut wait = FIRST_WAIT;
    loop {
        heard(Try::Sent);
        let answer = invoker.invoke(target.function, target.qualifier, payload).await;
        let (why, retry_after, refused) = match &answer {
            Err(NotInvoked::Throttled { why, retry_after }) => (why, *retry_after, place.refused()),
            Err(NotInvoked::Later { why }) if unready.is_over() => (why, None, Refused::GiveUp),
            // A temporary fault has nothing to do with the invocations in flight.
            Err(NotInvoked::Later { why }) => (why, None, Refused::Wait),
            Err(NotInvoked::Gone(error)) if started.elapsed() < SPREADING => {
                (&error.message, None, Refused::Wait)
            }
            Err(NotInvoked::Never(_) | NotInvoked::Gone(_) | NotInvoked::Unknown(_)) => {
                return answer;
            }
            Ok(_) => {
                unready.is_ready();
                place.let_through();
                return answer;
            }
        };
        if refused == Refused::GiveUp {
            return answer;
        }
        heard(Try::Refused(why));
        // Full jitter, so that invocations refused together do not come back together.
        let jittered = wait.mul_f64(rand::rng().random_range(0.1..1.0));
        let again = Instant::now() + pause(jittered, retry_after);
        tokio::time::sleep_until(last_start.map_or(again, |last| last.min(again))).await;
        place.enter().await;
        if last_start.is_some_and(|last| Instant::now() > last) {
            return answer;
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// The wait before the next try: the one that AWS asks for, limited by the patience.
fn pause(jittered: Duration, retry_after: Option<Duration>) -> Duration {
    jittered.max(retry_after.unwrap_or_default()).min(PATIENCE)
}

/// The outcome of an answer or of an error.
pub(crate) fn outcome(
    answer: &Result<Invoked, NotInvoked>,
    allowed_exceptions: &[String],
) -> Outcome {
    let invoked = match answer {
        Ok(invoked) => invoked,
        Err(error) => return Outcome::Failed { failure: not_invoked(error), report: None },
    };
    let (report, why) = match read_report(invoked) {
        Ok(report) => (Some(report), String::new()),
        Err(why) => (None, why),
    };
    match (function_failure(invoked, report.as_ref(), allowed_exceptions), report) {
        (ControlFlow::Break(failure), report) => Outcome::Failed { failure, report },
        (ControlFlow::Continue(()), Some(report)) if invoked.function_failed => {
            Outcome::Allowed(report)
        }
        (ControlFlow::Continue(()), Some(report)) => Outcome::Counted(report),
        (ControlFlow::Continue(()), None) => {
            Outcome::Failed { failure: Failure::NoReport { why }, report: None }
        }
    }
}

fn not_invoked(error: &NotInvoked) -> Failure {
    match error {
        NotInvoked::Throttled { why, .. } | NotInvoked::Later { why } => Failure::Refused {
            why: format!("{why}; Lambda refused it for {} s", PATIENCE.as_secs()),
        },
        NotInvoked::Never(error) | NotInvoked::Gone(error) => {
            Failure::Refused { why: error.to_string() }
        }
        NotInvoked::Unknown(error) => Failure::Lost { why: error.to_string() },
    }
}

fn read_report(invoked: &Invoked) -> Result<Report, String> {
    if let Some(version) = &invoked.other_version {
        return Err(format!("Lambda ran version {version} instead of the invoked one"));
    }
    let id = invoked.request_id.as_deref().ok_or("the answer has no request id")?;
    let tail = invoked.log_tail.as_deref().ok_or("the answer has no LogResult")?;
    report::find(tail, id).map_err(|error| error.to_string())
}

fn function_failure(
    invoked: &Invoked,
    report: Option<&Report>,
    allowed_exceptions: &[String],
) -> ControlFlow<Failure> {
    if !invoked.function_failed {
        return ControlFlow::Continue(());
    }
    let payload: Value = serde_json::from_slice(&invoked.payload).unwrap_or(Value::Null);
    let said = |key: &str| payload.get(key).and_then(Value::as_str).map(str::to_owned);
    let (error_type, message) = (said("errorType"), said("errorMessage"));
    let allowed = |error_type: &String| allowed_exceptions.contains(error_type);
    if error_type.as_ref().is_some_and(allowed) {
        return ControlFlow::Continue(());
    }
    let is_type = |wanted: &str| error_type.as_deref() == Some(wanted);
    let says = |wanted: &str| message.as_deref().is_some_and(|message| message.contains(wanted));
    let timed_out = report.is_some_and(|report| report.status == Status::Timeout);
    ControlFlow::Break(
        // Before Lambda reported a type, a timeout had none. Another type comes from the function.
        if timed_out
            || is_type("Sandbox.Timedout")
            || (error_type.is_none() && says("Task timed out after"))
        {
            Failure::Timeout
        } else if is_type("Runtime.OutOfMemory")
            || (is_type("Runtime.ExitError") && says("signal: killed"))
        {
            Failure::OutOfMemory
        } else {
            Failure::FunctionError {
                error_type: error_type.as_deref().map(shortened),
                message: message.as_deref().map(shortened),
                trace: trace(&payload),
            }
        },
    )
}

/// The first frames of the stack trace in an error payload: `stackTrace` in Python, Ruby and Java,
/// `trace` in Node.js, whose first line repeats the message.
fn trace(payload: &Value) -> Vec<String> {
    let lines = |key: &str| payload.get(key).and_then(Value::as_array);
    let (frames, skipped) = match (lines("stackTrace"), lines("trace")) {
        (Some(frames), _) => (frames, 0),
        (None, Some(lines)) => (lines, 1),
        (None, None) => return Vec::new(),
    };
    let frames = frames.iter().skip(skipped).filter_map(frame);
    frames.filter(|frame| !frame.is_empty()).take(FRAMES).collect()
}

fn frame(frame: &Value) -> Option<String> {
    let text = match frame {
        Value::String(text) => text.clone(),
        // Ruby and old Python runtimes return lists of file, line and name.
        Value::Array(parts) => {
            let part = |part: &Value| match part {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            parts.iter().map(part).collect::<Vec<_>>().join(" ")
        }
        _ => return None,
    };
    // Python underlines a part of the source line.
    let is_underline = |line: &&str| line.trim().chars().all(|c| matches!(c, '^' | '~'));
    let lines = text.lines().filter(|line| !is_underline(line));
    let text = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    Some(shortened(text.strip_prefix("at ").unwrap_or(&text)))
}

/// A function's error text, shortened to a readable length; the original may have 6 MB.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_SAID) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f507cfc-0000-4697-b07a-ac58fc914c95";

    fn invoked(payload: &str, failed: bool) -> Invoked {
        Invoked {
            request_id: Some(ID.to_owned()),
            function_failed: failed,
            payload: payload.as_bytes().to_vec(),
            log_tail: Some(format!(
                "REPORT RequestId: {ID}\tDuration: 3.50 ms\tBilled Duration: 4 ms\tMemory Size: \
                 128 MB\tMax Memory Used: 31 MB\t\n"
            )),
            other_version: None,
        }
    }

    fn failure(answer: Invoked, allowed: &[String]) -> Option<Failure> {
        match outcome(&Ok(answer), allowed) {
            Outcome::Counted(_) | Outcome::Allowed(_) => None,
            Outcome::Failed { failure, .. } => Some(failure),
        }
    }

    #[test]
    fn a_success_counts() {
        assert_eq!(failure(invoked("{}", false), &[]), None);
    }

    #[test]
    fn failures_are_told_apart() {
        let timeout = r#"{"errorMessage":"2026 8f50 Task timed out after 3.00 seconds"}"#;
        assert_eq!(failure(invoked(timeout, true), &[]), Some(Failure::Timeout));
        let timeout = r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 8f50 Error: Task timed out after 3.00 seconds"}"#;
        assert_eq!(failure(invoked(timeout, true), &[]), Some(Failure::Timeout));
        // A process that exits by itself is not out of memory.
        for how in ["exit status 127", "without providing a reason"] {
            let exit = format!(
                r#"{{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 8f50 Error: Runtime exited {how}"}}"#
            );
            let failure = failure(invoked(&exit, true), &[]);
            assert!(matches!(failure, Some(Failure::FunctionError { .. })), "{failure:?}");
        }
        let memory = r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: x Error: Runtime exited with error: signal: killed"}"#;
        assert_eq!(failure(invoked(memory, true), &[]), Some(Failure::OutOfMemory));
        let thrown = r#"{"errorType":"ValueError","errorMessage":"no"}"#;
        assert_eq!(
            failure(invoked(thrown, true), &[]),
            Some(Failure::FunctionError {
                error_type: Some("ValueError".to_owned()),
                message: Some("no".to_owned()),
                trace: Vec::new(),
            })
        );
        assert_eq!(failure(invoked(thrown, true), &["ValueError".to_owned()]), None);
        let allowed = outcome(&Ok(invoked(thrown, true)), &["ValueError".to_owned()]);
        assert!(matches!(allowed, Outcome::Allowed(_)), "{allowed:?}");
    }

    #[test]
    fn the_first_frames_of_a_stack_trace_are_kept() {
        let traced = |payload: &str| match failure(invoked(payload, true), &[]) {
            Some(Failure::FunctionError { trace, .. }) => trace,
            other => panic!("{other:?}"),
        };
        let python = r#"{"errorType":"E","stackTrace":["  File \"/var/task/app.py\", line 3, in handler\n    brew()\n    ^^^^^^\n","  File \"/var/task/app.py\", line 9, in brew\n","3","4"]}"#;
        let frames = traced(python);
        assert_eq!(frames[0], "File \"/var/task/app.py\", line 3, in handler brew()");
        assert_eq!(frames.len(), FRAMES);
        let node = r#"{"errorType":"E","trace":["E: no","    at brew (/var/task/index.js:3:9)"]}"#;
        assert_eq!(traced(node), ["brew (/var/task/index.js:3:9)"]);
        let ruby = r#"{"errorType":"E","stackTrace":[["app.rb",3,"brew"]]}"#;
        assert_eq!(traced(ruby), ["app.rb 3 brew"]);
        assert!(traced(r#"{"errorType":"E","stackTrace":"no list"}"#).is_empty());
    }

    #[test]
    fn a_function_that_speaks_of_a_timeout_has_none() {
        let own =
            r#"{"errorType":"QueueError","errorMessage":"Task timed out after 3.00 seconds"}"#;
        let failure = failure(invoked(own, true), &[]);
        assert!(matches!(failure, Some(Failure::FunctionError { .. })), "{failure:?}");
    }

    #[test]
    fn megabytes_of_an_error_are_not_kept() {
        let long = "ü".repeat(3 * 1024 * 1024);
        let thrown = format!(r#"{{"errorType":"{long}","errorMessage":"{long}"}}"#);
        let Some(failure) = failure(invoked(&thrown, true), &[]) else { panic!("it failed") };
        assert!(failure.to_string().len() < 5 * LONGEST_SAID, "{failure}");
        assert!(failure.to_string().ends_with("ü..."), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_invocation_has_waited_for_the_next_does_not() {
        let (unready, second) = (Unready::default(), Duration::from_secs(1));
        assert!(!unready.is_over());
        tokio::time::advance(PATIENCE.saturating_sub(second)).await;
        assert!(!unready.is_over());
        tokio::time::advance(2 * second).await;
        assert!(unready.is_over() && unready.is_over(), "and it stays so");
        unready.is_ready();
        assert!(!unready.is_over());
    }

    #[test]
    fn nobody_is_waited_for_longer_than_there_is_patience() {
        let short = Duration::from_millis(70);
        let asked = Duration::from_secs(3);
        assert_eq!(pause(short, None), short);
        assert_eq!(pause(short, Some(asked)), asked);
        assert_eq!(pause(asked, Some(short)), asked);
        assert_eq!(pause(short, Some(Duration::MAX)), PATIENCE);
    }

    #[test]
    fn what_has_no_report_does_not_count() {
        let mut answer = invoked("{}", false);
        answer.log_tail = None;
        assert!(matches!(failure(answer, &[]), Some(Failure::NoReport { .. })));
        let mut answer = invoked("{}", false);
        answer.request_id = Some("another".to_owned());
        assert!(matches!(failure(answer, &[]), Some(Failure::NoReport { .. })));
        let mut answer = invoked("{}", false);
        answer.other_version = Some("7".to_owned());
        assert!(matches!(failure(answer, &[]), Some(Failure::NoReport { .. })));
    }
}
