//! What the history of an execution tells, as the events of a run.

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
        state::{Caught, MeasureInput, Measured as Portion, Next, State},
    },
};
use powertune_engine::event::{Event, Plan};
use serde_json::Value;

use super::Measured;

/// Where an execution stands.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// The state that was entered last.
    pub(super) entered: String,
    /// How it ended, as soon as its history says so; by an error where it was one that has a name.
    pub(super) ended: Option<Caught>,
    /// Whether a part of the history could not be read.
    pub(super) is_unread: bool,
    pub(super) applying: Applying,
    has_begun: bool,
    /// When the first and the last event happened, in milliseconds.
    times: Option<(i64, i64)>,
    /// The result, as soon as Decide has come to it.
    result: Option<Value>,
    /// The last state.
    state: Option<State>,
    /// What Measure has come to since then.
    measured: Vec<Portion>,
    /// What Measure is at.
    open: Vec<Task>,
    published: BTreeSet<(Power, String)>,
    skipped: usize,
    rounds: u32,
    /// The powers of the round.
    measuring: Vec<Power>,
    cleaning: bool,
}

/// How far an execution has come with applying the choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Applying {
    #[default]
    NotBegun,
    Begun,
    Done(Applied),
}

impl Story {
    /// Whether anything may have been done to the function.
    pub(super) fn may_have_begun(&self) -> bool {
        self.has_begun || self.is_unread
    }

    /// What was measured, although the execution did not come to its end: Decide's result, or the
    /// same analysis of what there is.
    pub(super) fn measured(&self, stopped: Stopped) -> Option<Measured> {
        let mut result = self.result.clone().or_else(|| self.cut_off(stopped))?;
        if let Applying::Done(applied) = &self.applying {
            result["applied"] = serde_json::to_value(applied).ok()?;
        }
        if let Ok(result) = serde_json::from_value(result.clone()) {
            return Some(Measured::Tuned(Box::new(result)));
        }
        serde_json::from_value(result).ok().map(|dry_run| Measured::Dry(Box::new(dry_run)))
    }

    fn cut_off(&self, stopped: Stopped) -> Option<Value> {
        let lost = |task: &Task| {
            let caught =
                Caught { error: "the end of the execution".to_owned(), cause: String::new() };
            Portion { task: task.clone(), digest: None, failed: None, lost: Some(caught) }
        };
        let measured = self.measured.iter().cloned().chain(self.open.iter().map(lost));
        let elapsed_ms = self.times.map_or(0, |(first, last)| last.abs_diff(first));
        workflow::cut_off(self.state.clone()?, measured.collect(), stopped, elapsed_ms)
    }

    /// What an event of the history means.
    pub(super) fn tell(&mut self, event: &HistoryEvent) -> Vec<Event> {
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
            // What is caught is told by the state that comes next.
            Step::Measure => read(output)
                .filter(|portion: &Portion| portion.lost.is_none())
                .map_or(Vec::new(), |portion| self.portion(portion)),
            Step::Clean => vec![Event::CleanedUp(Vec::new())],
            _ => read(output).map_or(Vec::new(), |state: State| self.reached(step, state)),
        }
    }

    fn entered(&mut self, name: &str, input: &str) -> Vec<Event> {
        name.clone_into(&mut self.entered);
        match name {
            "Publish" => self.has_begun = true,
            "Measure" => self.open.extend(read(input).map(|given: MeasureInput| given.task)),
            "Apply" => self.applying = Applying::Begun,
            _ => {}
        }
        if name.starts_with("Clean") && !self.cleaning {
            self.cleaning = true;
            return vec![Event::CleaningUp];
        }
        Vec::new()
    }

    /// What a portion has come to.
    fn portion(&mut self, portion: Portion) -> Vec<Event> {
        self.open.retain(|task| task.power != portion.task.power);
        let mut events = observed(&portion);
        events.extend(lost(&portion));
        self.measured.push(portion);
        events
    }

    fn reached(&mut self, step: Step, state: State) -> Vec<Event> {
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
                self.applying = Applying::Done(applied.clone());
                let alias = applied.alias.zip(applied.version);
                vec![Event::Applied { power: applied.power, alias }]
            }
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
        // Those of the request were said before the execution was started.
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

    fn published(&mut self, state: State) -> Vec<Event> {
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

fn observed(portion: &Portion) -> Vec<Event> {
    let observations = portion.digest.iter().flat_map(Digest::observations);
    observations.map(Event::Observed).collect()
}

/// What a portion that was lost comes to; it says itself how many invocations that were.
fn lost(portion: &Portion) -> Option<Event> {
    let caught = portion.lost.as_ref()?;
    let why = caught.told();
    let failure =
        if caught.ran_nothing() { Failure::Refused { why } } else { Failure::Lost { why } };
    let outcome = Outcome::Failed { failure, report: None };
    Some(Event::Observed(Observation { power: portion.task.power, outcome }))
}

fn measurements(state: &State) -> Vec<Measurement> {
    let tasks = state.backlog.tasks.iter().chain(&state.backlog.waiting);
    tasks.map(|task| Measurement::new(task.power, task.left())).collect()
}

fn read<T: serde::de::DeserializeOwned>(output: &str) -> Option<T> {
    serde_json::from_str(output).ok()
}
