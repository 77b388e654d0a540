//! The book-keeping of a run's rounds: the invocations that the open round still wants, the versions
//! that they go to, and when a power is given up.
//!
//! It is pure. `tune` holds it in memory, the state machine holds it as JSON between two steps; both
//! carry out what it says, and tell it what came of that:
//!
//! 1. [`open`](Backlog::open) takes a round of the planner in,
//! 2. [`line_up`](Backlog::line_up) picks the tasks that are measured next, side by side,
//! 3. [`unpublished`](Backlog::unpublished) names the powers that need a version first, and
//!    [`published`](Backlog::published) or [`skip`](Backlog::skip) says what came of it,
//! 4. [`batch`](Backlog::batch) says how many invocations go to a task's version, and
//!    [`take`](Backlog::take) takes their observations in; what is left waits for the next
//!    `line_up`.

use serde::{Deserialize, Serialize};

use crate::{
    budget::{Need, Tariff, shares},
    observation::{Failure, Observation, Outcome},
    plan::Measurement,
    power::Power,
    verdict::is_condemned,
};

/// Batches in a row that may give no cold start, where cold starts alone count, before a power gets
/// no more of them. Each goes to a version of its own.
pub const MOST_BARREN: u32 = 5;

/// Batches in a row that may come to nothing, because a version gets ready slowly, for example.
const MOST_IDLE: u32 = 3;

/// The open round of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backlog {
    /// The tasks to measure next, side by side.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// The tasks to measure after those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Task>,
    /// Versions to invoke again when more is to be measured at their power. Where cold starts alone
    /// count there are none: a version that was invoked has warm environments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<(Power, String)>,
    /// The highest number of a version that was invoked. Lambda numbers versions upwards.
    #[serde(default)]
    pub last_used: u64,
}

/// One power's share of a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The power to measure.
    pub power: Power,
    /// The number of invocations that the round wants.
    pub wanted: u32,
    /// The number of them that count as sent. Where cold starts alone count, a warm invocation does
    /// not.
    pub sent: u32,
    /// The number of invocations that the power had before this round.
    #[serde(default)]
    pub first: u32,
    /// The version to invoke; `None` until it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The number of last batches in a row without a cold start, where cold starts alone count.
    #[serde(default)]
    pub barren: u32,
    /// The number of last batches in a row that came to nothing.
    #[serde(default)]
    pub idle: u32,
    /// The most that the next batch may cost, where the run has a `maxCost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
}

/// The rest of a task that is not sent any more.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenUp {
    /// The number of invocations that are not sent.
    pub invocations: u32,
    /// The reason.
    pub failure: Failure,
}

impl Task {
    fn of(measurement: Measurement, first: u32, version: Option<String>) -> Self {
        let Measurement { power, invocations, .. } = measurement;
        Self {
            power,
            wanted: invocations,
            sent: 0,
            first,
            version,
            barren: 0,
            idle: 0,
            budget: None,
        }
    }

    /// The number of invocations that are left.
    pub fn left(&self) -> u32 {
        self.wanted.saturating_sub(self.sent)
    }

    /// The number of the power's next invocation, counted from 0 over all rounds.
    pub fn next_number(&self) -> u32 {
        self.first.saturating_add(self.sent)
    }

    /// The number of invocations that count as sent once these observations are in; `None` where
    /// nothing is left, or where another invocation would fail like these.
    fn sent_after(&self, seen: &[Observation], only_cold_starts: bool) -> Option<u32> {
        let own = || seen.iter().filter(|seen| seen.power == self.power).map(|seen| &seen.outcome);
        if is_condemned(own()) {
            return None;
        }
        let is_warm = |outcome: &Outcome| match outcome {
            Outcome::Counted(report) | Outcome::Allowed(report) => !report.start.is_cold(),
            Outcome::Failed { .. } => false,
        };
        let counting = own().filter(|outcome| !(only_cold_starts && is_warm(outcome))).count();
        let sent = self.sent.saturating_add(u32::try_from(counting).unwrap_or(u32::MAX));
        (sent < self.wanted).then_some(sent)
    }
}

impl Backlog {
    /// Adds a round. `sent` is the number of invocations that a power has had so far. A power that
    /// has a version is measured there again, unless that has to be fresh.
    pub fn open(&mut self, measurements: &[Measurement], sent: impl Fn(Power) -> u32) {
        for &measurement in measurements {
            if measurement.fresh {
                self.versions.retain(|known| known.0 != measurement.power);
            }
            let version = self.version(measurement.power).map(str::to_owned);
            self.waiting.push(Task::of(measurement, sent(measurement.power), version));
        }
    }

    /// Makes this version the one to invoke at its power, whenever that is measured.
    pub fn know(&mut self, power: Power, version: String) {
        for task in self.tasks.iter_mut().chain(&mut self.waiting) {
            if task.power == power {
                task.version.get_or_insert_with(|| version.clone());
            }
        }
        self.versions.retain(|known| known.0 != power);
        self.versions.push((power, version));
    }

    fn version(&self, power: Power) -> Option<&str> {
        self.versions.iter().find(|known| known.0 == power).map(|known| known.1.as_str())
    }

    /// Has as much measured next as can be measured and paid side by side: `width` powers, for
    /// `room` in the currency of `tariff`; no `room` means that the run has no `maxCost`. The rest
    /// waits.
    pub fn line_up(&mut self, width: usize, room: Option<f64>, tariff: &Tariff) {
        let limit = room.unwrap_or(f64::INFINITY);
        let mut queue = std::mem::take(&mut self.tasks);
        queue.append(&mut self.waiting);
        let mut needs = Vec::new();
        let mut taken = 0.0;
        (self.tasks, self.waiting) = queue.into_iter().partition(|task| {
            let worst = tariff.worst(task.power);
            let fits = needs.len() < width && taken + worst <= limit;
            if fits {
                taken += worst;
                needs.push(Need { worst, invocations: task.left() });
            }
            fits
        });
        if let Some(room) = room {
            for (task, share) in self.tasks.iter_mut().zip(shares(room, &needs)) {
                task.budget = Some(share);
            }
        }
    }

    /// Whether the round wants nothing more.
    pub fn is_done(&self) -> bool {
        self.tasks.is_empty() && self.waiting.is_empty()
    }

    /// The powers that need a version before they can be measured, smallest first; the function's
    /// `own` power is last, since `$LATEST` goes back to it anyway.
    pub fn unpublished(&self, own: Power) -> Vec<Power> {
        let tasks = self.tasks.iter().chain(&self.waiting);
        let mut powers: Vec<Power> =
            tasks.filter(|task| task.version.is_none()).map(|task| task.power).collect();
        powers.sort_by_key(|&power| (power == own, power));
        powers
    }

    /// Whether a version has never been invoked by this run, by its number.
    pub fn is_fresh(&self, version: &str) -> bool {
        version.parse().is_ok_and(|number: u64| number > self.last_used)
    }

    /// Gives a power's task the version that was published for it; returns the task.
    ///
    /// # Panics
    /// When the power has no task.
    pub fn published(&mut self, power: Power, version: String) -> Task {
        let mut tasks = self.tasks.iter_mut().chain(&mut self.waiting);
        let task = tasks.find(|task| task.power == power).expect("the power is to be measured");
        task.version = Some(version);
        task.clone()
    }

    /// There can be no version with this power: it is not measured.
    pub fn skip(&mut self, power: Power) {
        self.tasks.retain(|task| task.power != power);
        self.waiting.retain(|task| task.power != power);
    }

    /// Takes one batch in: the task leaves `tasks`, and what is left of it waits.
    pub fn take(
        &mut self,
        task: Task,
        seen: &[Observation],
        only_cold_starts: bool,
    ) -> Option<GivenUp> {
        self.invoked(&task, only_cold_starts);
        let sent = task.sent_after(seen, only_cold_starts)?;
        let idle = if seen.is_empty() { task.idle.saturating_add(1) } else { 0 };
        let barren = if sent == task.sent { task.barren.saturating_add(1) } else { 0 };
        if idle >= MOST_IDLE {
            let why = "its version did not get ready, or Lambda let nothing through, for as long \
                       as three batches last";
            let failure = Failure::Refused { why: why.to_owned() };
            return Some(GivenUp { invocations: task.left(), failure });
        }
        if only_cold_starts && barren >= MOST_BARREN {
            return None;
        }
        // A version that was invoked has warm environments.
        let version = task.version.filter(|_| !only_cold_starts || idle > 0);
        self.waiting.push(Task { sent, barren, idle, version, budget: None, ..task });
        None
    }

    /// A batch was lost: nobody knows how many of its invocations ran, so none is sent again.
    pub fn lose(&mut self, task: &Task, only_cold_starts: bool) {
        self.invoked(task, only_cold_starts);
    }

    fn invoked(&mut self, task: &Task, only_cold_starts: bool) {
        self.tasks.retain(|known| known.power != task.power);
        self.versions.retain(|known| known.0 != task.power);
        let Some(version) = &task.version else { return };
        self.last_used = self.last_used.max(version.parse().unwrap_or_default());
        if !only_cold_starts {
            self.versions.push((task.power, version.clone()));
        }
    }
}

/// The number of invocations that a task sends to its version at most, of which `in_flight` can run
/// at the same time. Where cold starts alone count, each later one would find a warm environment.
pub fn batch(task: &Task, in_flight: u32, only_cold_starts: bool) -> u32 {
    if only_cold_starts { task.left().min(in_flight.max(1)) } else { task.left() }
}

/// The number of invocations that each of so many powers may have in flight, of as many as are
/// `allowed` in all; at least 1.
pub fn in_flight_each(allowed: u32, powers: usize) -> u32 {
    (allowed / u32::try_from(powers.max(1)).unwrap_or(u32::MAX)).max(1)
}

#[cfg(test)]
mod tests;
