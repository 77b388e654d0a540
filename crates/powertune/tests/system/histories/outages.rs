//! Step Functions refuses calls, has an outage, or hides a part.

use libtest_mimic::{Failed, Trial};

use crate::histories::{
    cases::{result, state},
    history::History,
    run::{Ran, check, command, ended},
    server::{Answer, Execution, Fault, MACHINE, OTHER, STACK, Server},
};

/// A test for each case.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("a_stack_is_found_among_machines_of_others", stack),
        Trial::test("a_stack_that_is_not_found_names_what_was_not_read", no_stack),
        Trial::test("a_history_that_may_not_be_read", no_history),
        Trial::test("a_failure_without_a_history_is_not_called_harmless", no_history_of_failure),
        Trial::test("an_outage_that_passes", outage),
        Trial::test("an_execution_that_is_out_of_sight", out_of_sight),
        Trial::test("a_machine_that_is_not_there", no_machine),
        Trial::test("a_start_without_an_answer", no_start),
    ]
}

fn succeeded() -> Execution {
    let begun = History::started().step("Initialize", &state(None)).step("Publish", &state(None));
    let decided = begun.step("Decide", &state(Some(result())));
    decided.step("Clean", &result()).succeeded(&result())
}

fn fault(operation: &'static str, times: usize, status: u16, name: &'static str) -> Vec<Fault> {
    vec![Fault { operation, times, answer: Answer::Error(status, name) }]
}

/// Runs it, and checks the exit code and the texts.
fn run(
    execution: Execution,
    arguments: &[&str],
    code: i32,
    says: &[&str],
) -> Result<(Server, Ran), Failed> {
    let server = Server::start(execution);
    let ran = ended(&mut command(&server, arguments, &[]));
    let is_said = says.iter().all(|words| ran.stderr.contains(words));
    check(ran.code == Some(code) && is_said, &format!("it should be {code}, and {says:?}"), &ran)?;
    check((code == 0) == ran.stdout.contains("\"power\""), "a result belongs to 0", &ran)?;
    Ok((server, ran))
}

fn stack() -> Result<(), Failed> {
    run(succeeded(), &["--stack", STACK], 0, &[]).map(|_| ())
}

fn no_stack() -> Result<(), Failed> {
    let says = ["in the stack \"none\"", "may not read the tags of other", "--state-machine"];
    let (server, ran) = run(succeeded(), &["--stack", "none"], 2, &says)?;
    let is_started = server.calls("StartExecution") > 0;
    check(!is_started, "it was started", &ran)
}

fn no_history() -> Result<(), Failed> {
    let faults = fault("GetExecutionHistory", 99, 400, "AccessDeniedException");
    run(Execution { faults, ..succeeded() }, &["--state-machine", MACHINE], 0, &[]).map(|_| ())
}

/// It is not known if something was changed, and there is no Lambda to put back on.
fn no_history_of_failure() -> Result<(), Failed> {
    let faults = fault("GetExecutionHistory", 99, 400, "AccessDeniedException");
    let failed = History::started().failed("States.Runtime", Some("no such path"));
    let says = ["the execution failed with States.Runtime: no such path", "powertune clean fn"];
    run(Execution { faults, ..failed }, &["--state-machine", MACHINE], 4, &says).map(|_| ())
}

/// The outage lasts longer than the attempts of one call.
fn outage() -> Result<(), Failed> {
    let faults = fault("DescribeExecution", 9, 503, "ServiceUnavailableException");
    run(Execution { faults, ..succeeded() }, &["--state-machine", MACHINE], 0, &[]).map(|_| ())
}

fn out_of_sight() -> Result<(), Failed> {
    let faults = fault("DescribeExecution", 99, 400, "AccessDeniedException");
    let says = ["allow states:DescribeExecution", "the execution goes on", "describe-execution"];
    run(Execution { faults, ..succeeded() }, &["--state-machine", MACHINE], 4, &says).map(|_| ())
}

fn no_machine() -> Result<(), Failed> {
    let faults = fault("StartExecution", 9, 400, "StateMachineDoesNotExist");
    let says = ["StateMachineDoesNotExist"];
    run(Execution { faults, ..succeeded() }, &["--state-machine", OTHER], 2, &says).map(|_| ())
}

fn no_start() -> Result<(), Failed> {
    let faults = fault("StartExecution", 9, 500, "InternalServerError");
    let says = ["not known whether the execution has started", "execution:machine:powertune-"];
    run(Execution { faults, ..succeeded() }, &["--state-machine", MACHINE], 4, &says).map(|_| ())
}
