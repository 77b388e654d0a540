//! The planner: what to measure next, given what was seen.
//!
//! It speaks in rounds, because a policy may want powers that it only knows of after a first look.
//! It holds no state besides its own settings: the same evidence always gives the same step, so a
//! state machine can forget it between two steps and a replay can drive it over recorded samples.

use serde::{Deserialize, Serialize};

use crate::{
    observation::Evidence,
    power::{Power, PowerValues},
};

/// How the number of invocations is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Policy {
    /// So many invocations at every power, cold ones included.
    Fixed {
        /// Invocations a power.
        num: u32,
    },
    /// One invocation at every power, to see that it works.
    DryRun,
}

/// Decides what to measure next.
#[derive(Debug, Clone, PartialEq)]
pub struct Planner {
    policy: Policy,
    powers: PowerValues,
}

/// What the planner says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Measure this, then ask again.
    Measure(Round),
    /// There is nothing more to measure.
    Done(Stopped),
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
}

/// Why measuring ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stopped {
    /// Every power has had its `num` invocations.
    NumReached,
    /// It was a dry run: one invocation a power.
    DryRun,
}

impl Planner {
    /// A planner for these powers.
    pub fn new(policy: Policy, powers: PowerValues) -> Self {
        Self { policy, powers }
    }

    /// What to do next, given everything seen so far.
    pub fn next(&self, seen: &Evidence) -> Step {
        let (invocations, stopped) = match self.policy {
            Policy::Fixed { num } => (num, Stopped::NumReached),
            Policy::DryRun => (1, Stopped::DryRun),
        };
        if seen.rounds > 0 {
            return Step::Done(stopped);
        }
        let measurements =
            self.powers.iter().map(|power| Measurement { power, invocations }).collect();
        Step::Measure(Round { number: 1, measurements })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn powers() -> PowerValues {
        "128,512".parse().expect("valid powers")
    }

    #[test]
    fn fixed_measures_every_power_once_and_is_done() {
        let planner = Planner::new(Policy::Fixed { num: 7 }, powers());
        let Step::Measure(round) = planner.next(&Evidence::default()) else {
            panic!("the first step measures");
        };
        assert_eq!(round.number, 1);
        assert_eq!(
            round.measurements,
            powers().iter().map(|power| Measurement { power, invocations: 7 }).collect::<Vec<_>>()
        );
        let seen = Evidence { rounds: 1, ..Evidence::default() };
        assert_eq!(planner.next(&seen), Step::Done(Stopped::NumReached));
    }
}
