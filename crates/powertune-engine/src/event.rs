//! Events of a run, for progress displays.

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

/// An event of a run.
#[derive(Debug, Clone)]
pub enum Event {
    /// The function was read and can be tuned.
    Planned(Plan),
    /// A round begins with these measurements.
    RoundStarted(Vec<Measurement>),
    /// A version with this power is published.
    Published {
        /// The power of the version.
        power: Power,
        /// The version's number.
        version: String,
    },
    /// The account does not allow this power.
    Skipped(Skipped),
    /// An invocation was sent to this power.
    Sent(Power),
    /// An invocation ended.
    Observed(Observation),
    /// Lambda refused an invocation without running it. The run will send it again.
    Throttled {
        /// The power of the invocation.
        power: Power,
        /// Lambda's reason.
        reason: String,
    },
    /// Every invocation at this power has ended.
    PowerDone(Power),
    /// A round ended in a run that chooses the number of rounds itself.
    Standing(Standing),
    /// The chosen power was applied.
    Applied {
        /// The chosen power.
        power: Power,
        /// The alias and the version that it points to now; `None` if `$LATEST` was changed.
        alias: Option<(String, String)>,
    },
    /// A call has had no answer for a while.
    Waiting(Wait),
    /// The execution of the state machine is being stopped, and the function put back.
    StoppingExecution,
    /// The run starts to put the function back.
    CleaningUp,
    /// The run has put the function back, except for these leftovers.
    CleanedUp(Vec<LeftBehind>),
}

/// The plan of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The unqualified ARN of the function.
    pub function_arn: String,
    /// The function's present power.
    pub current: Power,
    /// The powers to choose from.
    pub powers: PowerValues,
    /// The measurements of the first round.
    pub measurements: Vec<Measurement>,
    /// The most invocations of one power, if the run chooses the number itself.
    pub most_invocations: Option<u32>,
    /// The worst-case cost of the run, in the currency of `price`: every invocation runs to the
    /// timeout.
    pub worst_cost: f64,
    /// The price of an invocation at this architecture and region.
    pub price: Price,
    /// The most invocations in flight at the same time.
    pub concurrency: u32,
    /// Warnings to show before the run.
    pub warnings: Vec<Warning>,
}

/// Sends events to a listener, if there is one.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::UnboundedSender<Event>,
    record: Option<EvidenceRecord>,
}

/// A record of the invocations of a run, made from its events. It survives a panic of the run.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvidenceRecord(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    seen: Evidence,
    /// The number of invocations without an answer, by power.
    in_flight: BTreeMap<Power, u32>,
}

impl Events {
    /// A sender and the receiver of its events.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender, record: None }, receiver)
    }

    /// A copy of this sender that also records the events.
    pub(crate) fn recorded(&self) -> (Self, EvidenceRecord) {
        let record = EvidenceRecord::default();
        (Self { record: Some(record.clone()), ..self.clone() }, record)
    }

    /// A function that sends [`Event::Waiting`]. It holds no strong reference, so the receiver can
    /// end.
    pub fn tell_of_waits(&self) -> impl Fn(Wait) + Send + use<> {
        let sender = self.sender.downgrade();
        move |wait| {
            if let Some(sender) = sender.upgrade() {
                // The receiver may be gone.
                let _ = sender.send(Event::Waiting(wait));
            }
        }
    }

    /// A sender without a receiver.
    pub(crate) fn unheard() -> Self {
        Self::channel().0
    }

    pub(crate) fn send(&self, event: Event) {
        if let Some(record) = &self.record {
            record.take(&event);
        }
        let _ = self.sender.send(event);
    }
}

impl EvidenceRecord {
    fn lock(&self) -> MutexGuard<'_, Recorded> {
        // Each event is recorded as a whole, so the record stays valid after a panic.
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

    /// Everything seen so far. Invocations in flight count as unanswered, because nobody waits for
    /// them.
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
