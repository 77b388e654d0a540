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
    observation::{Evidence, Observation, Outcome},
    power::{Power, PowerValues},
    price::Price,
    region::Currency,
    request::{Num, Request},
    verdict::is_condemned,
    warning::Warning,
};

/// Fresh versions in a row that may give no cold start at a power before it gets no more of them.
pub const MOST_BARREN: u32 = 5;

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

/// What the planner says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
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
    /// where another invocation would fail like these. With `only_cold_starts` a warm one is
    /// asked for again.
    #[must_use]
    pub fn after(self, seen: &[Observation], only_cold_starts: bool) -> Option<Self> {
        let own = || seen.iter().filter(|seen| seen.power == self.power).map(|seen| &seen.outcome);
        if is_condemned(own()) {
            return None;
        }
        let mut sent = self.sent;
        for outcome in own() {
            match outcome {
                Outcome::Counted(report) | Outcome::Allowed(report)
                    if only_cold_starts && !report.start.is_cold() => {}
                _ => sent = sent.saturating_add(1),
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
    /// No other power is better by more than the indifference zone, at 95 % confidence.
    Confident,
    /// What could still tell the powers apart has had its most invocations.
    MostReached,
    /// Another invocation could exceed `maxCost`.
    CostReached,
    /// The time for measuring was up, which only `powertune demo` limits.
    TimeReached,
    /// The execution of the state machine has no room for more events in its history.
    HistoryFull,
    /// The user stopped the run.
    Interrupted,
    /// Something went wrong that ended the run.
    Failed,
}

impl Stopped {
    /// Whether measuring came to the end that the request gives it.
    pub fn is_complete(self) -> bool {
        !matches!(self, Self::Interrupted | Self::Failed)
    }

    /// What there is to warn of, where measuring ended before everything was measured.
    pub fn warning(self, max_cost: Option<f64>, currency: Currency) -> Option<Warning> {
        match self {
            Self::HistoryFull => Some(Warning::HistoryFull),
            Self::Interrupted | Self::Failed => Some(Warning::Incomplete),
            Self::CostReached => max_cost.map(|most| Warning::CostReached { most, currency }),
            Self::NumReached
            | Self::DryRun
            | Self::Confident
            | Self::MostReached
            | Self::TimeReached => None,
        }
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
    pub fn next(&self, seen: &Evidence) -> Step {
        let (invocations, stopped) = match &self.policy {
            Policy::Fixed { num } => (*num, Stopped::NumReached),
            Policy::DryRun => (1, Stopped::DryRun),
            Policy::Auto(auto) => return auto.next(&self.powers, seen),
        };
        if seen.rounds > 0 {
            return Step::Done(stopped);
        }
        let measurements =
            self.powers.iter().map(|power| Measurement::new(power, invocations)).collect();
        Step::Measure(Round { number: 1, measurements })
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
