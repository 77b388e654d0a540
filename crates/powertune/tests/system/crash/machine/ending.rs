//! The expected end of an execution.

use powertune_core::workflow::Step;
use serde_json::Value;

use super::{
    interpreter::Ended,
    kind::Machine,
    stage::Stage,
    watch::{Seen, Trap},
};
use crate::crash::{
    answer::leaves_open, footprint::Footprint, function::FAILURE, kind::Applied,
    operation::Operation,
};

/// The expectations of an execution that may have a fault.
#[derive(Debug)]
pub(crate) struct Expected {
    machine: &'static Machine,
    status: &'static str,
    /// The step with the fault, and the error that Step Functions got.
    struck: Option<(Step, &'static str)>,
    /// True if the step was run again.
    again: bool,
}

impl Expected {
    pub(crate) fn of(stage: &Stage, machine: &'static Machine, trap: Option<Trap>) -> Self {
        let struck = trap.and_then(|trap| Some((trap.step(), trap.error()?)));
        let again = struck.is_some_and(|(step, error)| stage.retries(step, error));
        let goes_on = match struck {
            None => true,
            // A size that can't be measured does not end the run.
            Some((step, _)) => again || step == Step::Measure,
        };
        let status = match trap {
            Some(trap) if trap.aborts() => "ABORTED",
            _ if goes_on && !machine.fails => "SUCCEEDED",
            _ => "FAILED",
        };
        Self { machine, status, struck, again }
    }

    /// Checks the end.
    pub(crate) fn check_end(&self, ended: &Ended, seen: &Seen) -> Result<(), String> {
        let checked = if ended.status != self.status {
            Err(format!("it should have ended as {}", self.status))
        } else if ended.status == "SUCCEEDED" {
            self.check_result(&ended.output, seen)
        } else if ended.status == "FAILED" {
            self.check_failure(ended)
        } else {
            Ok(())
        };
        checked.map_err(|problem| format!("{problem}: {ended:?}"))
    }

    /// Checks the chosen size, and that every invocation is counted once.
    fn check_result(&self, result: &Value, seen: &Seen) -> Result<(), String> {
        let rows = result["stats"].as_array().cloned().unwrap_or_default();
        let failures: u64 = rows.iter().filter_map(|row| row["failures"].as_u64()).sum();
        let counted = result["invocations"].as_u64().unwrap_or_default();
        let sent =
            seen.requests.iter().filter(|(_, what)| *what == Operation::Invoke).count() as u64;
        let is_lost = self.struck.is_some_and(|(step, _)| step == Step::Measure) && !self.again;
        if !is_lost && (counted, failures) != (sent, 0) {
            return Err(format!("{sent} were sent, {counted} counted, {failures} as failures"));
        }
        if is_lost && (counted < sent || failures == 0) {
            return Err(format!("{sent} were sent, {counted} counted, {failures} as failures"));
        }
        check_choice(result, &rows, is_lost)
    }

    /// Checks that the error is one of ours, in clear words.
    fn check_failure(&self, ended: &Ended) -> Result<(), String> {
        let Some((_, error)) =
            self.struck.filter(|(step, _)| !self.again && *step != Step::Measure)
        else {
            let is_right = ended.error == "Powertune.Failed" && ended.cause.contains(FAILURE);
            return if is_right {
                Ok(())
            } else {
                Err("it should have failed by itself".to_owned())
            };
        };
        let tells = |words| ended.cause.contains(words);
        let is_told = ended.error == "Powertune.Failed" && tells(error) && tells("started again");
        if is_told { Ok(()) } else { Err(format!("it should tell of {error}, and what to do")) }
    }

    /// Checks the function: it is as before, or the choice was applied completely.
    pub(crate) fn check_footprint(
        &self,
        ended: &Ended,
        before: &Footprint,
        after: &Footprint,
    ) -> Result<(), String> {
        let run = self.machine.run();
        if ended.status == "SUCCEEDED" && leaves_open(&ended.output) {
            return after.must_be(before);
        }
        if ended.status == "SUCCEEDED" {
            return run.applies.check_end(before, after);
        }
        let has_latest = after.latest.memory_size != before.latest.memory_size;
        let is_told = ended.status == "ABORTED" || ended.cause.contains("$LATEST has the chosen");
        let may_be_applied = is_told && matches!(run.applies, Applied::Latest);
        run.applies.check_cleaned(before, after, may_be_applied && has_latest)
    }
}

/// Checks that every size was measured, and that the cheapest is chosen. The load of the machine
/// decides which one that is.
fn check_choice(result: &Value, rows: &[Value], is_lost: bool) -> Result<(), String> {
    let cost = |row: &Value| match result["decidedBy"].as_str() {
        Some("averagePrice") => row["averagePrice"].as_f64(),
        _ => row["cost"]["mean"].as_f64(),
    };
    let measured: Vec<&Value> = rows.iter().filter(|row| row["state"] == "measured").collect();
    if !is_lost && measured.len() != rows.len() {
        return Err("a power was not measured".to_owned());
    }
    let cheapest = measured.iter().min_by(|a, b| cost(a).partial_cmp(&cost(b)).expect("costs"));
    let ties = result["ties"].as_array().into_iter().flatten();
    let mut chosen = ties.chain([&result["power"]]);
    let is_right = cheapest.is_some_and(|row| chosen.any(|power| *power == row["value"]));
    if is_right { Ok(()) } else { Err("another power is the cheapest".to_owned()) }
}
