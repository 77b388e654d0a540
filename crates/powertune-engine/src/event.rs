//! What happens during a run, for whoever wants to show it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use powertune_core::{
    observation::{Evidence, Failure, Observation, Outcome, Skipped},
    plan::{Measurement, Standing},
    power::{Power, PowerValues},
    price::Price,
    warning::Warning,
};
use tokio::sync::mpsc;

use crate::{error::LeftBehind, gateway::Wait};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The function was read and can be tuned.
    Planned(Plan),
    /// A round begins.
    RoundStarted(Vec<Measurement>),
    /// A version with this power was published.
    Published {
        /// Its power.
        power: Power,
        /// Its number.
        version: String,
    },
    /// A power turned out not to be had.
    Skipped(Skipped),
    /// An invocation was sent to this power.
    Sent(Power),
    /// An invocation ended.
    Observed(Observation),
    /// Lambda throttles, has not run the invocation, and the run waits.
    Throttled {
        /// The power.
        power: Power,
        /// The reason that Lambda gives.
        reason: String,
    },
    /// Every invocation at this power has ended.
    PowerDone(Power),
    /// A round is over, where it is found out in the run how many there are.
    Standing(Standing),
    /// The chosen power was applied.
    Applied {
        /// The power.
        power: Power,
        /// The alias, and the version that it points to now; `None` for `$LATEST`.
        alias: Option<(String, String)>,
    },
    /// A call has had no answer for a while.
    Waiting(Wait),
    /// The execution of the state machine is being stopped, and the function put back.
    StoppingExecution,
    /// Putting back begins.
    CleaningUp,
    /// Putting back has ended; what is left is named.
    CleanedUp(Vec<LeftBehind>),
}

/// What a run is going to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The function, unqualified.
    pub function_arn: String,
    /// Its power now.
    pub current: Power,
    /// The powers to choose from.
    pub powers: PowerValues,
    /// What is measured first.
    pub measurements: Vec<Measurement>,
    /// The most invocations that a power may come to have, where that is found out in the run.
    pub most_invocations: Option<u32>,
    /// What the run that was asked for can cost at most, were every invocation to last until the
    /// timeout.
    pub worst_cost: f64,
    /// What running the function costs.
    pub price: Price,
    /// How many invocations run at the same time at most.
    pub concurrency: u32,
    /// What is worth knowing beforehand.
    pub warnings: Vec<Warning>,
}

/// Where events go; nobody needs to listen.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::UnboundedSender<Event>,
    record: Option<Record>,
}

/// What the events of a run have told of its invocations. It stays whatever becomes of those who
/// sent them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    seen: Evidence,
    /// How many invocations of each power have had no answer yet.
    in_flight: BTreeMap<Power, u32>,
}

impl Events {
    /// A place to send events to, and the end that they come out at.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender, record: None }, receiver)
    }

    /// The same place, whose events are recorded too.
    pub(crate) fn recorded(&self) -> (Self, Record) {
        let record = Record::default();
        (Self { record: Some(record.clone()), ..self.clone() }, record)
    }

    /// A function that sends [`Event::Waiting`]. It does not keep the receiver from ending.
    pub fn tell_of_waits(&self) -> impl Fn(Wait) + Send + use<> {
        let sender = self.sender.downgrade();
        move |wait| {
            if let Some(sender) = sender.upgrade() {
                // A receiver that has stopped listening does not want to know.
                let _ = sender.send(Event::Waiting(wait));
            }
        }
    }

    /// A place where nobody listens.
    pub(crate) fn unheard() -> Self {
        Self::channel().0
    }

    pub(crate) fn send(&self, event: Event) {
        if let Some(record) = &self.record {
            record.take(&event);
        }
        // Who has stopped listening does not want to know.
        let _ = self.sender.send(event);
    }
}

impl Record {
    fn lock(&self) -> MutexGuard<'_, Recorded> {
        // Each event is taken as a whole, also where a later one made somebody panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, event: &Event) {
        let mut recorded = self.lock();
        match event {
            Event::RoundStarted(_) => recorded.seen.rounds += 1,
            Event::Sent(power) => *recorded.in_flight.entry(*power).or_default() += 1,
            Event::Throttled { power, .. } => recorded.ended(*power),
            Event::Observed(observation) => {
                recorded.ended(observation.power);
                recorded.seen.observations.push(observation.clone());
            }
            Event::Skipped(skipped) => recorded.seen.skipped.push(skipped.clone()),
            _ => {}
        }
    }

    /// All that was seen. What is still in flight counts as unanswered: nobody waits for it.
    pub(crate) fn seen(&self) -> Evidence {
        let recorded = self.lock();
        let mut seen = recorded.seen.clone();
        for (&power, &count) in &recorded.in_flight {
            let outcome = Outcome::Failed { failure: Failure::Unanswered, report: None };
            let unanswered = Observation { power, outcome };
            seen.observations.extend(std::iter::repeat_n(unanswered, count as usize));
        }
        seen
    }
}

impl Recorded {
    fn ended(&mut self, power: Power) {
        if let Some(count) = self.in_flight.get_mut(&power) {
            *count = count.saturating_sub(1);
        }
    }
}
