//! What the history of an execution tells, as the events of a run.

use std::collections::BTreeSet;

use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};
use powertune_core::{
    observation::{Failure, Observation, Outcome},
    plan::Measurement,
    power::Power,
    warning::Warning,
    workflow::{
        Digest, Step,
        state::{Caught, Measured, Next, State, Task},
    },
};
use powertune_engine::event::{Event, Plan};
use serde_json::Value;

/// Where an execution stands.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// The state that was entered last.
    pub(super) entered: String,
    /// How it ended, as soon as its history says so; by an error where it was one that has a name.
    pub(super) ended: Option<Caught>,
    /// The result, as soon as Decide has come to it.
    pub(super) result: Option<Value>,
    /// Whether anything may have been done to the function.
    pub(super) has_begun: bool,
    published: BTreeSet<(Power, String)>,
    skipped: usize,
    rounds: u32,
    /// The powers of the round.
    measuring: Vec<Power>,
    cleaning: bool,
}

impl Story {
    /// What an event of the history means.
    pub(super) fn tell(&mut self, event: &HistoryEvent) -> Vec<Event> {
        if let Some(entered) = event.state_entered_event_details() {
            return self.entered(entered.name());
        }
        self.ended = self.ended.take().or_else(|| ending(event));
        let Some(exited) = event.state_exited_event_details() else { return Vec::new() };
        let output = exited.output().unwrap_or_default();
        if *event.r#type() == HistoryEventType::PassStateExited {
            return read(output).map_or(Vec::new(), |measured: Measured| lost(&measured));
        }
        let name = exited.name();
        let Some(step) = Step::ALL.into_iter().find(|step| step.name() == name) else {
            return Vec::new();
        };
        match step {
            Step::Measure => read(output).map_or(Vec::new(), |measured| observed(&measured)),
            Step::Clean => vec![Event::CleanedUp(Vec::new())],
            _ => read(output).map_or(Vec::new(), |state: State| self.reached(step, state)),
        }
    }

    fn entered(&mut self, name: &str) -> Vec<Event> {
        name.clone_into(&mut self.entered);
        if name == "Publish" {
            self.has_begun = true;
        }
        if name.starts_with("Clean") && !self.cleaning {
            self.cleaning = true;
            return vec![Event::CleaningUp];
        }
        Vec::new()
    }

    fn reached(&mut self, step: Step, state: State) -> Vec<Event> {
        match step {
            Step::Initialize => self.initialized(&state),
            Step::Publish => self.published(state),
            Step::Decide => self.decided(state),
            Step::Apply => state
                .applied
                .map(|applied| Event::Applied {
                    power: applied.power,
                    alias: applied.alias.zip(applied.version),
                })
                .into_iter()
                .collect(),
            Step::Measure | Step::Clean => Vec::new(),
        }
    }

    fn initialized(&mut self, state: &State) -> Vec<Event> {
        let run = &state.run;
        let measurements = measurements(state);
        let (Ok(price), Ok(request)) = (run.function.price(), run.request()) else {
            return Vec::new();
        };
        let most_invocations = request.open_end();
        let mut warnings = request.warnings;
        warnings.extend(run.notes.iter().cloned().map(Warning::Note));
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

    fn published(&mut self, state: State) -> Vec<Event> {
        let mut events = Vec::new();
        for Task { rest, version, .. } in state.tasks.into_iter().chain(state.waiting) {
            let Some(version) = version else { continue };
            if self.published.insert((rest.power, version.clone())) {
                events.push(Event::Published { power: rest.power, version });
            }
        }
        let skipped = state.seen.skipped.into_iter().skip(self.skipped);
        events.extend(skipped.map(Event::Skipped));
        self.skipped += events.iter().filter(|event| matches!(event, Event::Skipped(_))).count();
        events
    }

    fn decided(&mut self, state: State) -> Vec<Event> {
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

/// How the execution ended, if this event says so. There is no error of one that went well or ran
/// out of time, and no cause where nothing was said.
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

fn observed(measured: &Measured) -> Vec<Event> {
    let observations = measured.digest.iter().flat_map(Digest::observations);
    observations.map(Event::Observed).collect()
}

/// What a portion that was lost comes to; it says itself how many invocations that were.
fn lost(measured: &Measured) -> Vec<Event> {
    let Some(caught) = &measured.lost else { return Vec::new() };
    let why = caught.told();
    let failure =
        if caught.ran_nothing() { Failure::Refused { why } } else { Failure::Lost { why } };
    let outcome = Outcome::Failed { failure, report: None };
    vec![Event::Observed(Observation { power: measured.task.rest.power, outcome })]
}

fn measurements(state: &State) -> Vec<Measurement> {
    let tasks = state.tasks.iter().chain(&state.waiting);
    tasks.map(|task| Measurement::new(task.rest.power, task.rest.left())).collect()
}

fn read<T: serde::de::DeserializeOwned>(output: &str) -> Option<T> {
    serde_json::from_str(output).ok()
}
