//! Turns the history of an execution into the events of a run.

use std::collections::BTreeSet;

use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};
use powertune_core::{
    backlog::Task,
    observation::{Failure, Observation, Outcome},
    plan::Measurement,
    power::Power,
    result::Applied,
    stopped::Stopped,
    warning::Warning,
    workflow::{
        self, Digest, Step,
        state::{Caught, MeasureInput, MeasureOutput, Next, RunState},
    },
};
use serde_json::Value;

use crate::{
    event::{Event, Plan},
    run::Ending,
};

/// The state of an execution, as its history tells it.
#[derive(Debug, Default)]
pub(super) struct ExecutionProgress {
    /// The name of the state that was entered last.
    pub(super) entered: String,
    /// The error that ended the execution, once the history has it; empty for an end without an
    /// error.
    pub(super) ended: Option<Caught>,
    /// True if a part of the history could not be read.
    pub(super) is_unread: bool,
    pub(super) applying: ApplyProgress,
    has_begun: bool,
    /// The times of the first and the last event, in milliseconds.
    times: Option<(i64, i64)>,
    /// The result, once Decide has made it.
    result: Option<Value>,
    /// The last state.
    state: Option<RunState>,
    /// The results of Measure since `state`.
    measured: Vec<MeasureOutput>,
    /// The tasks that Measure is working on.
    open: Vec<Task>,
    published: BTreeSet<(Power, String)>,
    skipped: usize,
    rounds: u32,
    /// The powers of the round.
    measuring: Vec<Power>,
    cleaning: bool,
}

/// The progress of applying the choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum ApplyProgress {
    #[default]
    NotBegun,
    Begun,
    Done(Applied),
}

impl ExecutionProgress {
    /// True if the execution may have changed the function.
    pub(super) fn may_have_begun(&self) -> bool {
        self.has_begun || self.is_unread
    }

    /// The measurements of an execution that did not come to its end: Decide's result, or the same
    /// analysis of the data so far.
    pub(super) fn measured(&self, stopped: Stopped) -> Option<Ending> {
        let mut result = self.result.clone().or_else(|| self.cut_off(stopped))?;
        if let ApplyProgress::Done(applied) = &self.applying {
            result["applied"] = serde_json::to_value(applied).ok()?;
        }
        if let Ok(result) = serde_json::from_value(result.clone()) {
            return Some(Ending::Tuned(Box::new(result)));
        }
        serde_json::from_value(result).ok().map(|dry_run| Ending::Dry(Box::new(dry_run)))
    }

    fn cut_off(&self, stopped: Stopped) -> Option<Value> {
        let lost = |task: &Task| {
            let caught =
                Caught { error: "the end of the execution".to_owned(), cause: String::new() };
            MeasureOutput { task: task.clone(), digest: None, failed: None, lost: Some(caught) }
        };
        let measured = self.measured.iter().cloned().chain(self.open.iter().map(lost));
        let elapsed_ms = self.times.map_or(0, |(first, last)| last.abs_diff(first));
        workflow::cut_off(self.state.clone()?, measured.collect(), stopped, elapsed_ms)
    }

    /// Takes in an event of the history, and returns the events of the run that it stands for.
    pub(super) fn take(&mut self, event: &HistoryEvent) -> Vec<Event> {
        let at = event.timestamp().to_millis().unwrap_or_default();
        self.times = Some((self.times.map_or(at, |(first, _)| first), at));
        if let Some(entered) = event.state_entered_event_details() {
            return self.entered(entered.name(), entered.input().unwrap_or_default());
        }
        self.ended = self.ended.take().or_else(|| ending(event));
        let Some(exited) = event.state_exited_event_details() else { return Vec::new() };
        let output = exited.output().unwrap_or_default();
        if *event.r#type() == HistoryEventType::PassStateExited {
            return read(output).map_or(Vec::new(), |portion| self.portion(portion));
        }
        let name = exited.name();
        let Some(step) = Step::ALL.into_iter().find(|step| step.name() == name) else {
            return Vec::new();
        };
        match step {
            // The next state tells of an error that was caught.
            Step::Measure => read(output)
                .filter(|portion: &MeasureOutput| portion.lost.is_none())
                .map_or(Vec::new(), |portion| self.portion(portion)),
            Step::Clean => vec![Event::CleanedUp(Vec::new())],
            _ => read(output).map_or(Vec::new(), |state: RunState| self.reached(step, state)),
        }
    }

    fn entered(&mut self, name: &str, input: &str) -> Vec<Event> {
        name.clone_into(&mut self.entered);
        match name {
            "Publish" => self.has_begun = true,
            "Measure" => self.open.extend(read(input).map(|given: MeasureInput| given.task)),
            "Apply" => self.applying = ApplyProgress::Begun,
            _ => {}
        }
        if name.starts_with("Clean") && !self.cleaning {
            self.cleaning = true;
            return vec![Event::CleaningUp];
        }
        Vec::new()
    }

    /// Takes in the result of a Measure.
    fn portion(&mut self, portion: MeasureOutput) -> Vec<Event> {
        self.open.retain(|task| task.power != portion.task.power);
        let mut events = observed(&portion);
        events.extend(lost(&portion));
        self.measured.push(portion);
        events
    }

    fn reached(&mut self, step: Step, state: RunState) -> Vec<Event> {
        if step == Step::Decide {
            self.measured.clear();
        }
        self.state = Some(state.clone());
        match step {
            Step::Initialize => self.initialized(&state),
            Step::Publish => self.published(state),
            Step::Decide => self.decided(state),
            Step::Apply => {
                let Some(applied) = state.applied else { return Vec::new() };
                self.applying = ApplyProgress::Done(applied.clone());
                let alias = applied.alias.zip(applied.version);
                vec![Event::Applied { power: applied.power, alias }]
            }
            Step::Measure | Step::Clean => Vec::new(),
        }
    }

    fn initialized(&mut self, state: &RunState) -> Vec<Event> {
        let run = &state.run;
        let measurements = measurements(state);
        let (Ok(price), Ok(request)) = (run.function.price(), run.request()) else {
            return Vec::new();
        };
        let most_invocations = request.open_end();
        // The command has shown the warnings of the request before.
        let warnings = run.notes.iter().cloned().map(Warning::Note).collect();
        let plan = Plan {
            function_arn: run.function.arn.clone(),
            current: run.function.current,
            powers: run.powers.clone(),
            measurements: measurements.clone(),
            most_invocations,
            worst_cost: run.worst_cost,
            price,
            concurrency: run.width.saturating_mul(run.in_flight),
            warnings,
        };
        vec![Event::Planned(plan), self.round(measurements)]
    }

    fn published(&mut self, state: RunState) -> Vec<Event> {
        let mut events = Vec::new();
        for Task { power, version, .. } in
            state.backlog.tasks.into_iter().chain(state.backlog.waiting)
        {
            let Some(version) = version else { continue };
            if self.published.insert((power, version.clone())) {
                events.push(Event::Published { power, version });
            }
        }
        let skipped = state.seen.skipped.into_iter().skip(self.skipped);
        events.extend(skipped.map(Event::Skipped));
        self.skipped += events.iter().filter(|event| matches!(event, Event::Skipped(_))).count();
        events
    }

    fn decided(&mut self, state: RunState) -> Vec<Event> {
        let mut events = Vec::new();
        match state.next {
            Some(Next::Publish | Next::Measure) if state.seen.rounds > self.rounds => {
                self.rounds = state.seen.rounds;
                events.extend(self.measuring.drain(..).map(Event::PowerDone));
                events.push(self.round(measurements(&state)));
            }
            Some(Next::Apply | Next::Clean) => {
                self.result = state.result;
                events.extend(self.measuring.drain(..).map(Event::PowerDone));
            }
            _ => {}
        }
        events
    }

    fn round(&mut self, measurements: Vec<Measurement>) -> Event {
        self.measuring = measurements.iter().map(|measurement| measurement.power).collect();
        Event::RoundStarted(measurements)
    }
}

/// The end of the execution, if this is its event. The error is empty for success and for a
/// timeout.
fn ending(event: &HistoryEvent) -> Option<Caught> {
    let failed = event.execution_failed_event_details().map(|how| (how.error(), how.cause()));
    let aborted = event.execution_aborted_event_details().map(|how| (how.error(), how.cause()));
    let timed_out = event.execution_timed_out_event_details().map(|how| (how.error(), how.cause()));
    let (error, cause) = match event.r#type() {
        HistoryEventType::ExecutionFailed => failed,
        HistoryEventType::ExecutionAborted => aborted,
        HistoryEventType::ExecutionTimedOut => timed_out,
        HistoryEventType::ExecutionSucceeded => None,
        _ => return None,
    }
    .unwrap_or_default();
    let [error, cause] = [error, cause].map(|text| text.unwrap_or_default().to_owned());
    Some(Caught { error, cause })
}

fn observed(portion: &MeasureOutput) -> Vec<Event> {
    let observations = portion.digest.iter().flat_map(Digest::observations);
    observations.map(Event::Observed).collect()
}

/// The outcome of a Measure that was lost. Its text names the number of invocations.
fn lost(portion: &MeasureOutput) -> Option<Event> {
    let caught = portion.lost.as_ref()?;
    let why = caught.told();
    let failure =
        if caught.ran_nothing() { Failure::Refused { why } } else { Failure::Lost { why } };
    let outcome = Outcome::Failed { failure, report: None };
    Some(Event::Observed(Observation { power: portion.task.power, outcome }))
}

fn measurements(state: &RunState) -> Vec<Measurement> {
    state.backlog.all().map(|task| Measurement::new(task.power, task.left())).collect()
}

fn read<T: serde::de::DeserializeOwned>(output: &str) -> Option<T> {
    serde_json::from_str(output).ok()
}
