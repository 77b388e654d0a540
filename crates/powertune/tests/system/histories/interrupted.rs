//! The user interrupts `powertune run` at each stage of an execution.

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::histories::{
    cases::{result, state},
    history::History,
    lambda::Lambda,
    run::{Ran, check, command, interrupted},
    server::{Answer, Execution, Fault, MACHINE, Server},
};

/// A test for each case.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("ctrl_c_puts_back_in_the_region_of_the_execution", region),
        Trial::test("ctrl_c_where_the_function_is_not_found", missing),
        Trial::test("ctrl_c_before_the_start_starts_nothing", before_start),
        Trial::test("ctrl_c_while_a_call_has_no_answer", silent),
        Trial::test("ctrl_c_when_the_choice_is_applied", applied),
        Trial::test("ctrl_c_while_the_choice_is_applied", applying),
        Trial::test("ctrl_c_when_the_execution_has_succeeded", succeeded),
        Trial::test("ctrl_c_prints_and_saves_what_was_measured", measured),
    ]
}

/// An execution that runs until it is stopped.
fn going_on(history: History) -> Execution {
    let stopped = history.aborted(Some("Powertune.Interrupted"), Some("interrupted by the user"));
    Execution { goes_on: true, ..stopped }
}

fn begun() -> History {
    History::started().step("Initialize", &state(None)).entered("Task", "Publish")
}

/// Interrupts a run of this execution, with a real Lambda, after GetExecutionHistory was called
/// twice; returns the output, and true if the function was put back.
fn beside_lambda(
    execution: Execution,
    more: &'static [(&'static str, &'static str)],
    arguments: &'static [&'static str],
) -> Result<(Ran, bool), Failed> {
    Runtime::new()?.block_on(async {
        let lambda = Lambda::start().await;
        let environment = lambda.environment();
        let ran = tokio::task::spawn_blocking(move || {
            let server = Server::start(execution);
            let arguments = [&["--state-machine", MACHINE], arguments].concat();
            let mut command = command(&server, &arguments, &environment);
            command.envs(more.iter().copied());
            interrupted(&mut command, &server, "GetExecutionHistory", 2)
        });
        let ran = ran.await?;
        let is_put_back = lambda.versions().await == 0;
        lambda.stop().await;
        Ok((ran, is_put_back))
    })
}

fn region() -> Result<(), Failed> {
    let (ran, is_put_back) = beside_lambda(
        going_on(begun()),
        &[("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-1")],
        &[],
    )?;
    check(is_put_back, "it was not put back", &ran)?;
    check(ran.code == Some(130), "the exit code", &ran)?;
    check(ran.stderr.contains("everything was put back"), "it should say so", &ran)
}

fn missing() -> Result<(), Failed> {
    let execution = going_on(begun());
    Runtime::new()?.block_on(async {
        let lambda = Lambda::start().await;
        let environment = lambda.environment();
        lambda.delete().await;
        let ran = tokio::task::spawn_blocking(move || {
            let server = Server::start(execution);
            let mut command = command(&server, &["--state-machine", MACHINE], &environment);
            interrupted(&mut command, &server, "GetExecutionHistory", 2)
        });
        let ran = ran.await?;
        lambda.stop().await;
        check(ran.code == Some(4), "the exit code", &ran)?;
        check(!ran.stderr.contains("everything was put back"), "nothing was put back", &ran)?;
        check(ran.stderr.contains("no function fn in us-east-1"), "where it looked", &ran)
    })
}

fn before_start() -> Result<(), Failed> {
    let faults = vec![Fault { operation: "ListStateMachines", times: 9, answer: Answer::Silence }];
    let server = Server::start(Execution { faults, ..going_on(begun()) });
    let mut command = command(&server, &["--state-machine", "machine"], &[]);
    let ran = interrupted(&mut command, &server, "ListStateMachines", 1);
    check(ran.code == Some(130), "the exit code", &ran)?;
    check(ran.stderr.contains("no execution was started"), "it should say so", &ran)?;
    check(server.calls("StartExecution") == 0, "it was started", &ran)
}

/// DescribeExecution and StopExecution have no answer, and the run ends nevertheless.
fn silent() -> Result<(), Failed> {
    let silence = |operation| Fault { operation, times: 99, answer: Answer::Silence };
    let faults = vec![silence("DescribeExecution"), silence("StopExecution")];
    let server = Server::start(Execution { faults, ..going_on(begun()) });
    let mut command = command(&server, &["--state-machine", MACHINE], &[]);
    let ran = interrupted(&mut command, &server, "DescribeExecution", 1);
    check(ran.code == Some(4), "the exit code", &ran)?;
    check(ran.stderr.contains("the execution goes on"), "it should say so", &ran)
}

/// The state after Apply.
fn after_apply() -> Value {
    let mut state = state(Some(result()));
    state["applied"] = json!({ "power": 512, "alias": "live", "version": "7" });
    state
}

fn decided() -> History {
    begun().exited("Task", "Publish", &state(None)).step("Decide", &state(Some(result())))
}

fn applied() -> Result<(), Failed> {
    let execution = going_on(decided().step("Apply", &after_apply()).entered("Task", "Clean"));
    let (ran, is_put_back) = beside_lambda(execution, &[], &[])?;
    check(is_put_back, "it was not put back", &ran)?;
    check(ran.code == Some(130), "the exit code", &ran)?;
    check(!ran.error().contains("as it was"), "not everything was put back", &ran)?;
    check(
        ran.stderr.contains("the alias live points to version 7 (512 MB)"),
        "it should say what was applied",
        &ran,
    )?;
    let printed: Value = serde_json::from_str(&ran.stdout)?;
    check(printed["applied"]["version"] == "7", "the result should say it too", &ran)
}

fn applying() -> Result<(), Failed> {
    let (ran, _) = beside_lambda(going_on(decided().entered("Task", "Apply")), &[], &[])?;
    check(ran.code == Some(130), "the exit code", &ran)?;
    check(!ran.error().contains("as it was"), "that is not known", &ran)?;
    check(ran.stderr.contains("was applying its choice"), "it should say so", &ran)
}

/// The execution succeeds while it is being stopped.
fn succeeded() -> Result<(), Failed> {
    let ended = decided().step("Clean", &result()).succeeded(&result());
    let server = Server::start(Execution { goes_on: true, ..ended });
    let mut command = command(&server, &["--state-machine", MACHINE], &[]);
    let ran = interrupted(&mut command, &server, "GetExecutionHistory", 2);
    check(ran.code == Some(0), "the exit code", &ran)?;
    check(ran.stdout.contains("\"power\""), "the result should be printed", &ran)
}

fn measured() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("result.json");
    let ran = {
        let execution = going_on(History::measuring());
        let server = Server::start(execution);
        let path = path.display().to_string();
        let arguments = ["--state-machine", MACHINE, "--save", &path];
        let mut command = command(&server, &arguments, &[]);
        interrupted(&mut command, &server, "GetExecutionHistory", 2)
    };
    // There is no Lambda on which the function could be put back.
    check(ran.code == Some(4), "the exit code", &ran)?;
    let printed: Value = serde_json::from_str(&ran.stdout)?;
    check(printed["complete"] == false, "it is not complete", &ran)?;
    // Five of each size: invocations without an answer may have run.
    check(printed["invocations"] == 10, "it counts what was sent", &ran)?;
    check(printed["unmeasured"] == json!([512]), "it names what is missing", &ran)?;
    let saved: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    check(saved == printed, "what is saved is what is printed", &ran)
}
