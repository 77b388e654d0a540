//! The books of a round: the invocations that it still needs, their versions, and the powers that
//! it gives up.
//!
//! This module is pure. `tune` keeps the books in memory, and the state machine keeps them as JSON
//! between two steps. Both carry out each decision and report the outcome:
//!
//! 1. [`open`](Backlog::open) adds a round of the planner.
//! 2. [`line_up`](Backlog::line_up) picks the tasks to measure next, side by side.
//! 3. [`unpublished`](Backlog::unpublished) lists the powers that need a version first.
//!    [`published`](Backlog::published) and [`skip`](Backlog::skip) take in the outcome.
//! 4. [`batch`] is the number of invocations for the version of a task.
//!    [`take`](Backlog::take) takes in their observations. The rest waits for the next `line_up`.

use serde::{Deserialize, Serialize};

use crate::{
    budget::{Need, Tariff, shares},
    observation::{Failure, Observation, Outcome},
    plan::Measurement,
    power::Power,
    verdict::is_condemned,
};

/// The limit on batches in a row without a cold start, where only cold starts count. The power then
/// gets no more batches. Each of these batches goes to a new version.
pub const MOST_BARREN: u32 = 5;

/// The limit on batches in a row without any outcome. One reason is a version that becomes ready
/// slowly.
const MOST_IDLE: u32 = 3;

/// The open round of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backlog {
    /// The tasks to measure next, side by side.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// The tasks to measure after `tasks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Task>,
    /// The versions to invoke again when their power needs more. Empty where only cold starts
    /// count, because a version has warm environments after its first invocation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<(Power, String)>,
    /// The highest number of an invoked version. Lambda numbers versions upwards.
    #[serde(default)]
    pub last_used: u64,
}

/// The share of one power in a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The power to measure.
    pub power: Power,
    /// The number of invocations that the round needs.
    pub wanted: u32,
    /// The number of invocations that count as sent. A warm invocation does not count where only
    /// cold starts count.
    pub sent: u32,
    /// The number of invocations that the power had before this round.
    #[serde(default)]
    pub first: u32,
    /// The version to invoke. `None` until it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The number of latest batches in a row without a cold start, where only cold starts count.
    #[serde(default)]
    pub barren: u32,
    /// The number of latest batches in a row without any outcome.
    #[serde(default)]
    pub idle: u32,
    /// The cost limit of the next batch in the price's currency. `None` without `maxCost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
}

/// The rest of a task that is not sent.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenUp {
    /// The number of invocations that are not sent.
    pub invocations: u32,
    /// The reason, as the outcome of each of them.
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

    /// The number of invocations that are still to be sent.
    pub fn left(&self) -> u32 {
        self.wanted.saturating_sub(self.sent)
    }

    /// The number of the power's next invocation, counted from 0 over all rounds.
    pub fn next_number(&self) -> u32 {
        self.first.saturating_add(self.sent)
    }

    /// The number of invocations that count as sent after these observations. `None` if the task is
    /// done, or if another invocation would fail in the same way.
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
    /// Adds a round. `sent` is the number of invocations that a power has had so far. A power with
    /// a version is measured there again, unless the measurement asks for a fresh one.
    pub fn open(&mut self, measurements: &[Measurement], sent: impl Fn(Power) -> u32) {
        for &measurement in measurements {
            if measurement.fresh {
                self.versions.retain(|known| known.0 != measurement.power);
            }
            let version = self.version(measurement.power).map(str::to_owned);
            self.waiting.push(Task::of(measurement, sent(measurement.power), version));
        }
    }

    /// Stores the version to invoke at this power from now on.
    pub fn know(&mut self, power: Power, version: String) {
        if let Some(task) = self.task(power) {
            task.version.get_or_insert_with(|| version.clone());
        }
        self.versions.retain(|known| known.0 != power);
        self.versions.push((power, version));
    }

    /// All tasks of the round that are left: those to measure next, then the waiting ones.
    pub fn all(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().chain(&self.waiting)
    }

    fn task(&mut self, power: Power) -> Option<&mut Task> {
        self.tasks.iter_mut().chain(&mut self.waiting).find(|task| task.power == power)
    }

    fn version(&self, power: Power) -> Option<&str> {
        self.versions.iter().find(|known| known.0 == power).map(|known| known.1.as_str())
    }

    /// Picks the tasks to measure next: at most `width` powers, within `room` in the currency of
    /// `tariff`. A `room` of `None` means no `maxCost`. The other tasks wait.
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

    /// True if the round needs no more invocations.
    pub fn is_done(&self) -> bool {
        self.tasks.is_empty() && self.waiting.is_empty()
    }

    /// The powers that need a version first, in ascending order. The function's `own` power comes
    /// last, because `$LATEST` gets it back anyway.
    pub fn unpublished(&self, own: Power) -> Vec<Power> {
        let unpublished = self.all().filter(|task| task.version.is_none());
        let mut powers: Vec<Power> = unpublished.map(|task| task.power).collect();
        powers.sort_by_key(|&power| (power == own, power));
        powers
    }

    /// True if this run has never invoked the version. The version number tells it.
    pub fn is_fresh(&self, version: &str) -> bool {
        version.parse().is_ok_and(|number: u64| number > self.last_used)
    }

    /// Gives the task of a power its version, and returns the task.
    ///
    /// # Panics
    /// When the power has no task.
    pub fn published(&mut self, power: Power, version: String) -> Task {
        let task = self.task(power).expect("the power is to be measured");
        task.version = Some(version);
        task.clone()
    }

    /// Removes a power whose version could not be published.
    pub fn skip(&mut self, power: Power) {
        self.tasks.retain(|task| task.power != power);
        self.waiting.retain(|task| task.power != power);
    }

    /// Takes in one batch. The task leaves `tasks`, and the rest of it waits.
    pub fn take(
        &mut self,
        task: Task,
        seen: &[Observation],
        only_cold_starts: bool,
    ) -> Option<GivenUp> {
        self.close(&task, only_cold_starts);
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
        // An invoked version has warm environments.
        let version = task.version.filter(|_| !only_cold_starts || idle > 0);
        self.waiting.push(Task { sent, barren, idle, version, budget: None, ..task });
        None
    }

    /// Closes a task whose version was invoked, and sends nothing of it again. This is all that is
    /// done for a lost batch: nobody knows how many of its invocations ran.
    pub fn close(&mut self, task: &Task, only_cold_starts: bool) {
        self.tasks.retain(|known| known.power != task.power);
        self.versions.retain(|known| known.0 != task.power);
        let Some(version) = &task.version else { return };
        self.last_used = self.last_used.max(version.parse().unwrap_or_default());
        if !only_cold_starts {
            self.versions.push((task.power, version.clone()));
        }
    }
}

/// The maximum number of invocations that a task sends to its version. `in_flight` of them can run
/// at the same time. Where only cold starts count, every later one would find a warm environment.
pub fn batch(task: &Task, in_flight: u32, only_cold_starts: bool) -> u32 {
    if only_cold_starts { task.left().min(in_flight.max(1)) } else { task.left() }
}

/// The number of invocations that each of `powers` powers may have in flight, out of `allowed` in
/// total. At least 1.
pub fn in_flight_each(allowed: u32, powers: usize) -> u32 {
    (allowed / u32::try_from(powers.max(1)).unwrap_or(u32::MAX)).max(1)
}

#[cfg(test)]
mod tests;
