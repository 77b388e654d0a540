//! Histories of powertune's own state machine, each with the expected output.

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::histories::{
    history::{History, TOO_LARGE, thrown},
    lambda::Lambda,
    run::{Ran, run},
    server::Execution,
};

/// An execution, with the expected output.
struct Case {
    name: &'static str,
    execution: Execution,
    code: i32,
    /// Texts in the error.
    says: &'static [&'static str],
    /// True if the command has to put the function back.
    puts_back: bool,
    /// True if the result is printed.
    prints: bool,
}

/// A test for each case.
pub(crate) fn trials() -> Vec<Trial> {
    let cases = before_changes().into_iter().chain(cleaned()).chain(not_cleaned());
    cases.chain(measured()).map(|case| Trial::test(case.name, || check(case))).collect()
}

fn case(
    name: &'static str,
    execution: Execution,
    code: i32,
    says: &'static [&'static str],
) -> Case {
    Case { name, execution, code, says, puts_back: false, prints: false }
}

fn check(case: Case) -> Result<(), Failed> {
    Runtime::new()?.block_on(async {
        let lambda = Lambda::start().await;
        let (execution, environment) = (case.execution, lambda.environment());
        let ran = tokio::task::spawn_blocking(move || run(execution, &environment)).await?;
        let is_put_back = lambda.versions().await == 0;
        lambda.stop().await;
        let problem = problem(&ran, case.code, case.says).or_else(|| {
            let prints = ran.stdout.contains("\"power\"");
            (prints != case.prints).then(|| format!("a result was printed: {prints}"))
        });
        let problem = problem.or_else(|| {
            (is_put_back != case.puts_back).then(|| format!("it was put back: {is_put_back}"))
        });
        problem.map_or(Ok(()), |problem| Err(format!("{problem}\n{ran:?}").into()))
    })
}

/// The difference from the expected output.
fn problem(ran: &Ran, code: i32, says: &[&str]) -> Option<String> {
    if ran.code != Some(code) {
        return Some(format!("the exit code should be {code}"));
    }
    if code == 0 {
        return None;
    }
    let error = ran.error();
    if let Some(missing) = says.iter().find(|words| !error.contains(**words)) {
        return Some(format!("it should say {missing:?}"));
    }
    let is_whole = !error.ends_with(':') && !error.contains(": \n") && !error.contains(":\n\n");
    // Lambda's JSON of an error is not for people.
    let is_plain = !error.contains("errorMessage") && !error.contains("errorType");
    (!is_whole || !is_plain).then(|| "it is not what people read".to_owned())
}

/// Failures in the first state, which have changed nothing.
fn before_changes() -> Vec<Case> {
    let called = || History::started().entered("Task", "Initialize").called();
    let told = |error: &str, cause: &str| {
        called().call_failed(error, Some(cause)).failed(error, Some(cause))
    };
    let untold = |error: &str| called().call_failed(error, None).failed(error, None);
    let input = thrown("Powertune.BadInput", "num: 3 is less than 5");
    let refused = thrown("Powertune.Refused", "there is no function fn");
    let missing = "Function not found: arn:aws:lambda:us-east-1:123456789012:function:a-step \
                   (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException)";
    vec![
        case("bad_input", told("Powertune.BadInput", &input), 2, &["num: 3 is less than 5"]),
        case("refused", told("Powertune.Refused", &refused), 2, &["there is no function fn"]),
        case(
            "a_step_that_is_not_there",
            told("Lambda.ResourceNotFoundException", missing),
            1,
            &["Initialize", "Lambda.ResourceNotFoundException: Function not found", "nothing was"],
        ),
        case(
            "a_step_that_crashes",
            told("Runtime.ExitError", &thrown("Runtime.ExitError", "exited with 101")),
            1,
            &["Initialize", "Runtime.ExitError: exited with 101", "nothing was changed"],
        ),
        case(
            "a_step_that_throws_without_a_word",
            told("Quiet", &thrown("Quiet", "")),
            1,
            &["failed in Initialize with Quiet\nnothing was changed"],
        ),
        case(
            "a_step_that_times_out_has_no_cause",
            untold("States.Timeout"),
            1,
            &["failed in Initialize with States.Timeout\nnothing was changed"],
        ),
        case(
            "a_result_that_is_too_large_at_once",
            told("States.DataLimitExceeded", TOO_LARGE),
            1,
            &["States.DataLimitExceeded: The state/task", "nothing was changed"],
        ),
    ]
}

/// Failures after which the execution has put everything back, or says that it could not.
fn cleaned() -> Vec<Case> {
    let begun = || History::started().step("Initialize", &state(None));
    let too_bad = thrown("Powertune.Failed", "too bad");
    let failed = begun().caught("Publish", "Powertune.Failed", &too_bad);
    let failed = failed.step("CleanAfterFailure", &json!({}));
    let left = thrown("Powertune.LeftBehind", "NOT everything could be put back:\n  version 3");
    let not_yet = thrown("Powertune.NotYet", "NOT everything could be put back:\n  version 3");
    let lingers = || begun().caught("Publish", "Powertune.Failed", &too_bad);
    let given_up = |cause: &str| {
        lingers().caught("CleanAfterFailure", "Powertune.NotYet", cause).fails_in(
            "LeftBehind",
            "Powertune.LeftBehind",
            cause,
        )
    };
    vec![
        case(
            "a_failure_that_was_cleaned_up",
            failed.fails_in("Failed", "Powertune.Failed", "too bad"),
            1,
            &["too bad"],
        ),
        case("a_clean_that_was_given_up", given_up(&left), 4, &["version 3"]),
        case("a_clean_that_could_not_yet", given_up(&not_yet), 4, &["version 3"]),
        case("a_clean_that_timed_out_each_time", given_up(""), 4, &["did not come to its end"]),
        case(
            "a_clean_of_an_older_state_machine",
            lingers()
                .entered("Task", "CleanAfterFailure")
                .called()
                .failed("Powertune.NotYet", Some(&not_yet)),
            4,
            &["version 3"],
        ),
    ]
}

/// Ends of an execution without Clean.
fn not_cleaned() -> Vec<Case> {
    let begun = || History::started().step("Initialize", &state(None)).entered("Task", "Publish");
    let wave = || begun().called().exited("Task", "Publish", &state(None)).entered("Map", "Powers");
    let unfinished =
        |name, execution, says| Case { puts_back: true, ..case(name, execution, 1, says) };
    vec![
        unfinished(
            "a_map_whose_result_is_too_large_and_is_not_caught",
            wave().failed("States.DataLimitExceeded", Some(TOO_LARGE)),
            &["failed in Powers with States.DataLimitExceeded", "everything was put back"],
        ),
        unfinished(
            "a_clean_that_ends_under_a_name_of_awss",
            begun()
                .called()
                .entered("Task", "CleanAfterFailure")
                .called()
                .call_failed("Lambda.Unknown", Some("no error type"))
                .failed("Lambda.Unknown", Some("no error type")),
            &["CleanAfterFailure", "Lambda.Unknown: no error type", "everything was put back"],
        ),
        unfinished(
            "an_execution_that_times_out_says_nothing",
            wave().timed_out(),
            &["ended as TIMED_OUT\neverything was put back"],
        ),
        unfinished(
            "an_execution_that_is_stopped_with_words",
            wave().aborted(Some("Enough"), Some("it is late")),
            &["ended as ABORTED: Enough: it is late\neverything was put back"],
        ),
        unfinished(
            "an_execution_that_is_stopped_without_a_word",
            wave().aborted(None, None),
            &["ended as ABORTED\neverything was put back"],
        ),
        unfinished(
            "a_description_that_leaves_the_error_to_the_history",
            Execution {
                described: json!({ "status": "FAILED" }),
                ..wave().failed("States.Runtime", Some("no such path"))
            },
            &["States.Runtime: no such path"],
        ),
    ]
}

/// Measurements are printed, whatever happens after them.
fn measured() -> Vec<Case> {
    let decided = || {
        let output = state(Some(result()));
        let begun = History::started().step("Initialize", &state(None));
        begun.step("Publish", &state(None)).step("Decide", &output)
    };
    let outdated = thrown("Powertune.Failed", "the function was changed by somebody else");
    let denied = thrown("Powertune.Failed", "UpdateAlias: AccessDenied");
    let applied = decided().caught("Apply", "Powertune.Failed", &denied);
    let applied = applied.step("CleanAfterFailure", &json!({}));
    let applied = applied.fails_in("Failed", "Powertune.Failed", "UpdateAlias: AccessDenied");
    let cleaned = decided().caught("Clean", "Powertune.Failed", &outdated);
    let stopped = || decided().entered("Task", "Clean").aborted(None, None);
    let printed =
        |name, execution, code, says| Case { prints: true, ..case(name, execution, code, says) };
    vec![
        printed("a_result", decided().step("Clean", &result()).succeeded(&result()), 0, &[]),
        printed("a_result_that_can_not_be_applied", applied.clone(), 1, &["UpdateAlias"]),
        printed(
            "a_result_whose_history_comes_late",
            Execution { lag: 2, ..applied },
            1,
            &["UpdateAlias"],
        ),
        printed(
            "a_result_that_is_out_of_date",
            cleaned.fails_in("Outdated", "Powertune.Failed", &outdated),
            1,
            &["changed by somebody else"],
        ),
        Case {
            puts_back: true,
            ..printed("a_result_of_an_execution_that_is_stopped", stopped(), 1, &["ABORTED"])
        },
    ]
}

/// A real state of the state machine, from a run.
pub(crate) fn state(result: Option<Value>) -> Value {
    let text = include_str!("../../../../../fuzz/corpus/state/state-fixed-end");
    let mut state: Value = serde_json::from_str(text).expect("it is JSON");
    state["result"] = result.into();
    if state["result"].is_null() {
        state["next"] = "measure".into();
    }
    state
}

pub(crate) fn result() -> Value {
    let text = include_str!("../../../../../fuzz/corpus/result/result-fixed");
    serde_json::from_str(text).expect("it is JSON")
}
