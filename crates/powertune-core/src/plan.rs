//! The planner: it decides from the evidence what to measure next.
//!
//! It plans in rounds, because a policy may need powers that it only knows after a first look.
//! Besides its settings it holds no state: the same evidence always gives the same step. So a state
//! machine can forget it between two steps, and a replay can drive it over recorded samples.

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

#[derive(Debug, Clone, PartialEq)]
enum Policy {
    /// A fixed number of invocations at every power, cold starts included.
    Fixed { num: u32 },
    /// One invocation at every power, to see that it works.
    DryRun,
    /// As many invocations as the answer needs.
    Auto(Box<Auto>),
}

/// Decides what to measure next.
#[derive(Debug, Clone, PartialEq)]
pub struct Planner {
    policy: Policy,
    powers: PowerValues,
}

/// The decision of the planner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Measure this round, then ask again.
    Measure(Round),
    /// Stop measuring.
    Done(Stopped),
}

/// The interim result after a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The best power so far.
    pub front: Power,
    /// The confidence from 0 to 1 that it is the best of the measured powers.
    pub confidence: f64,
}

/// The powers to measure together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
    /// The number of the round, from 1.
    pub number: u32,
    /// One entry per power, in ascending order.
    pub measurements: Vec<Measurement>,
}

/// The invocations to send at one power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// The memory size to measure.
    pub power: Power,
    /// The number of invocations to send.
    pub invocations: u32,
    /// True if they need a new environment, and so a new version.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
}

impl Measurement {
    /// Invocations in any environment.
    pub fn new(power: Power, invocations: u32) -> Self {
        Self { power, invocations, fresh: false }
    }
}

/// The maximum number of sizes that may be measured besides the powers to choose from. They lie
/// between those, and are only allowed if the request names no powers.
pub fn most_unnamed(request: &Request) -> usize {
    if request.num == Num::Auto && request.powers.is_none() { auto::BETWEEN } else { 0 }
}

impl Planner {
    /// A planner for a request. `current` is the power that the function has now.
    pub fn new(request: &Request, price: Price, current: Power, powers: PowerValues) -> Self {
        let policy = match request.num {
            _ if request.dry_run => Policy::DryRun,
            Num::Fixed(num) => Policy::Fixed { num },
            Num::Auto => Policy::Auto(Box::new(Auto::new(request, price, current))),
        };
        Self { policy, powers }
    }

    /// The next step, given the evidence so far.
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

    /// The interim result. `None` before the first measurement, and for a fixed number of
    /// invocations.
    pub fn standing(&self, seen: &Evidence) -> Option<Standing> {
        match &self.policy {
            Policy::Auto(auto) => auto.standing(seen),
            Policy::Fixed { .. } | Policy::DryRun => None,
        }
    }
}

#[cfg(test)]
mod tests;
