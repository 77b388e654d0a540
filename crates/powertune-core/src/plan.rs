//! The planner: what to measure next, given what was seen.
//!
//! It speaks in rounds, because a policy may want powers that it only knows of after a first look.
//! It holds no state besides its own settings: the same evidence always gives the same step, so a
//! state machine can forget it between two steps and a replay can drive it over recorded samples.

use serde::{Deserialize, Serialize};

use crate::{
    observation::{Evidence, Observation, Outcome},
    power::{Power, PowerValues},
    request::Request,
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

impl Policy {
    /// The policy that a request asks for.
    pub fn of(request: &Request) -> Self {
        if request.dry_run { Self::DryRun } else { Self::Fixed { num: request.num } }
    }
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

/// What is still to be measured at one power in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rest {
    /// The power.
    pub power: Power,
    /// How many invocations it is to have.
    pub wanted: u32,
    /// How many of them it has had.
    pub sent: u32,
}

impl Rest {
    /// All of a measurement.
    pub fn of(measurement: Measurement) -> Self {
        Self { power: measurement.power, wanted: measurement.invocations, sent: 0 }
    }

    /// How many invocations are left.
    pub fn left(self) -> u32 {
        self.wanted.saturating_sub(self.sent)
    }

    /// What is left after these observations, of other powers too; `None` where nothing is, or
    /// where another invocation would fail like the last. With `only_cold_starts` a warm one is
    /// asked for again.
    #[must_use]
    pub fn after(self, seen: &[Observation], only_cold_starts: bool) -> Option<Self> {
        let mut sent = self.sent;
        for outcome in seen.iter().filter(|seen| seen.power == self.power).map(|seen| &seen.outcome)
        {
            match outcome {
                Outcome::Counted(report) if only_cold_starts && !report.start.is_cold() => {}
                Outcome::Failed { failure, .. } if failure.condemns_power() => return None,
                Outcome::Counted(_) | Outcome::Failed { .. } => sent = sent.saturating_add(1),
            }
        }
        (sent < self.wanted).then_some(Self { sent, ..self })
    }
}

/// Why measuring ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stopped {
    /// Every power has had its `num` invocations.
    NumReached,
    /// It was a dry run: one invocation a power.
    DryRun,
    /// The execution of the state machine has no room for more events in its history.
    HistoryFull,
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
