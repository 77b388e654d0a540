//! The planner: what to measure next, given what was seen.
//!
//! It speaks in rounds, because a policy may want powers that it only knows of after a first look.
//! It holds no state besides its own settings: the same evidence always gives the same step, so a
//! state machine can forget it between two steps and a replay can drive it over recorded samples.

use serde::{Deserialize, Serialize};

mod auto;
mod between;

use self::auto::Auto;
use crate::{
    observation::Evidence,
    power::{Power, PowerValues},
    price::Price,
    request::{Num, Request},
    stopped::Stopped,
};

/// How the number of invocations is chosen.
#[derive(Debug, Clone, PartialEq)]
enum Policy {
    /// So many invocations at every power, cold ones included.
    Fixed { num: u32 },
    /// One invocation at every power, to see that it works.
    DryRun,
    /// As many as the answer needs.
    Auto(Box<Auto>),
}

/// Decides what to measure next.
#[derive(Debug, Clone, PartialEq)]
pub struct Planner {
    policy: Policy,
    powers: PowerValues,
}

/// The planner's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Measure this, then ask again.
    Measure(Round),
    /// There is nothing more to measure.
    Done(Stopped),
}

/// How the powers stand after a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The power that would be chosen now.
    pub front: Power,
    /// How sure that would be, from 0 to 1, among the powers measured so far.
    pub confidence: f64,
}

/// Powers to measure together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
    /// The first round is 1.
    pub number: u32,
    /// What to measure, smallest power first.
    pub measurements: Vec<Measurement>,
}

/// So many invocations at one power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// The power.
    pub power: Power,
    /// How many invocations to send to it.
    pub invocations: u32,
    /// Whether to send them to an environment that was not there before, on a version of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
}

impl Measurement {
    /// So many invocations at a power, in whatever environment there is.
    pub fn new(power: Power, invocations: u32) -> Self {
        Self { power, invocations, fresh: false }
    }
}

/// How many sizes may be measured that are not among the powers to choose from: some between them,
/// where nobody has named any.
pub fn most_unnamed(request: &Request) -> usize {
    if request.num == Num::Auto && request.powers.is_none() { auto::BETWEEN } else { 0 }
}

impl Planner {
    /// A planner for what is asked of a function that has the power `current` now and these to
    /// choose from, at this price.
    pub fn new(request: &Request, price: Price, current: Power, powers: PowerValues) -> Self {
        let policy = match request.num {
            _ if request.dry_run => Policy::DryRun,
            Num::Fixed(num) => Policy::Fixed { num },
            Num::Auto => Policy::Auto(Box::new(Auto::new(request, price, current))),
        };
        Self { policy, powers }
    }

    /// What to do next, given everything seen so far.
    pub fn next(&self, seen: &Evidence) -> Decision {
        let (invocations, stopped) = match &self.policy {
            Policy::Fixed { num } => (*num, Stopped::NumReached),
            Policy::DryRun => (1, Stopped::DryRun),
            Policy::Auto(auto) => return auto.next(&self.powers, seen),
        };
        if seen.rounds > 0 {
            return Decision::Done(stopped);
        }
        let measurements =
            self.powers.iter().map(|power| Measurement::new(power, invocations)).collect();
        Decision::Measure(Round { number: 1, measurements })
    }

    /// How the powers stand, where it is found out in the run how much is measured; `None` before
    /// anything is.
    pub fn standing(&self, seen: &Evidence) -> Option<Standing> {
        match &self.policy {
            Policy::Auto(auto) => auto.standing(seen),
            Policy::Fixed { .. } | Policy::DryRun => None,
        }
    }
}

#[cfg(test)]
mod tests;
