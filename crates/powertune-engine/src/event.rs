//! What happens during a run, for whoever wants to show it.

use powertune_core::{
    observation::{Observation, Skipped},
    plan::Measurement,
    power::{Power, PowerValues},
    price::Price,
    warning::Warning,
};
use tokio::sync::mpsc;

use crate::error::LeftBehind;

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
    /// An invocation ended.
    Observed(Observation),
    /// Lambda throttles, and the run waits.
    Throttled {
        /// The power.
        power: Power,
        /// The reason that Lambda gives.
        reason: String,
    },
    /// Every invocation at this power has ended.
    PowerDone(Power),
    /// The chosen power was applied.
    Applied {
        /// The power.
        power: Power,
        /// The alias, and the version that it points to now; `None` for `$LATEST`.
        alias: Option<(String, String)>,
    },
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
pub struct Events(mpsc::UnboundedSender<Event>);

impl Events {
    /// A place to send events to, and the end that they come out at.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// A place where nobody listens.
    pub(crate) fn unheard() -> Self {
        Self::channel().0
    }

    pub(crate) fn send(&self, event: Event) {
        // Who has stopped listening does not want to know.
        let _ = self.0.send(event);
    }
}
