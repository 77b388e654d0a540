//! One round of a run. It publishes a version for each power that has none, puts `$LATEST` back,
//! and measures. Measuring a power begins as soon as its version is ready, while the next is
//! published. Later rounds use the same versions, whose environments are warm.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use powertune_core::{
    backlog::{Backlog, Task, batch, in_flight_each},
    observation::{Observation, Outcome, Skipped},
    plan::Round,
    power::Power,
};
use tokio::task::{JoinError, JoinSet};

use crate::{
    announce::Announced,
    baseline::{Baseline, ModifiedClock, wait},
    error::Cause,
    event::Event,
    gateway::Gateway,
    mark::Mark,
    measure::{Batch, Measurer},
    publish::{Publisher, publish_missing},
};

/// The batches in flight, each with its task.
type Batches = JoinSet<Result<(Task, Vec<Observation>), Cause>>;

#[derive(Debug, Default)]
pub(crate) struct RoundResult {
    pub(crate) observations: Vec<Observation>,
    pub(crate) skipped: Vec<Skipped>,
}

/// Measures the rounds of a run.
#[derive(Debug)]
pub(crate) struct Rounds {
    pub(crate) gateway: Gateway,
    pub(crate) baseline: Baseline,
    pub(crate) mark: Mark,
    pub(crate) measurer: Arc<Measurer>,
    backlog: Backlog,
    /// The versions that were reported to displays.
    told: HashSet<String>,
    /// The state of `$LATEST` after the announcement; taken by the first publisher.
    announced: Option<Announced>,
    clock: ModifiedClock,
    /// The number of invocations of each power so far.
    sent: BTreeMap<Power, u32>,
}

impl Rounds {
    pub(crate) fn new(
        gateway: Gateway,
        baseline: Baseline,
        mark: Mark,
        measurer: Measurer,
        announced: Announced,
    ) -> Self {
        let mut backlog = Backlog::default();
        if let Some(version) = announced.own_version(&mark) {
            backlog.know(baseline.power, version);
        }
        Self {
            gateway,
            baseline,
            mark,
            measurer: Arc::new(measurer),
            backlog,
            told: HashSet::new(),
            clock: announced.clock,
            announced: Some(announced),
            sent: BTreeMap::new(),
        }
    }

    /// Measures a round. `$LATEST` has its own power again before the last invocation ends.
    pub(crate) async fn measure(&mut self, round: &Round) -> Result<RoundResult, Cause> {
        self.measurer.events.send(Event::RoundStarted(round.measurements.clone()));
        let sent = &self.sent;
        self.backlog.open(&round.measurements, |power| sent.get(&power).copied().unwrap_or(0));
        let mut measured = RoundResult::default();
        loop {
            self.pass(&mut measured).await?;
            if self.measurer.is_over() || self.backlog.is_done() {
                break;
            }
        }
        for observation in &measured.observations {
            *self.sent.entry(observation.power).or_default() += 1;
        }
        for measurement in &round.measurements {
            self.measurer.events.send(Event::PowerDone(measurement.power));
        }
        Ok(measured)
    }

    /// Measures one batch of each remaining power, all side by side.
    async fn pass(&mut self, measured: &mut RoundResult) -> Result<(), Cause> {
        let measurer = Arc::clone(&self.measurer);
        self.backlog.line_up(usize::MAX, None, measurer.budget.tariff());
        let in_flight = in_flight_each(measurer.concurrency, self.backlog.tasks.len());
        let mut batches = JoinSet::new();
        let tasks = self.backlog.tasks.clone();
        for task in tasks.into_iter().filter(|task| task.version.is_some()) {
            self.begin(&mut batches, task, in_flight);
        }
        let published = self.publish(&mut batches, in_flight, &mut measured.skipped).await;
        if published.is_err() {
            batches.abort_all();
        }
        while let Some(batch) = self.next(&mut batches).await {
            match batch {
                Ok(batch) => {
                    let (task, observations) = batch?;
                    measured.observations.extend(self.took(task, observations));
                }
                Err(error) if error.is_cancelled() => {}
                Err(error) => return Err(Cause::Bug(panic_message(error))),
            }
        }
        published
    }

    /// Updates the backlog after a batch. Invocations that the backlog gives up count as failed.
    fn took(&mut self, task: Task, mut seen: Vec<Observation>) -> Vec<Observation> {
        let (power, cold) = (task.power, self.measurer.request.only_cold_starts);
        let is_over = self.measurer.is_over();
        if let Some(given_up) = self.backlog.take(task, &seen, cold).filter(|_| !is_over) {
            let outcome = Outcome::Failed { failure: given_up.failure, report: None };
            let given_up = std::iter::repeat_n(outcome, given_up.invocations as usize);
            seen.extend(given_up.map(|outcome| Observation { power, outcome }));
        }
        seen
    }

    fn begin(&mut self, batches: &mut Batches, task: Task, in_flight: u32) {
        let Some(version) = task.version.clone() else { return };
        let power = task.power;
        if self.told.insert(version.clone()) {
            self.measurer.events.send(Event::Published { power, version: version.clone() });
        }
        let invocations = batch(&task, in_flight, self.measurer.request.only_cold_starts);
        let batch = Batch { power, version, first: task.next_number(), invocations };
        batches.spawn(measure(self.gateway.clone(), Arc::clone(&self.measurer), task, batch));
    }

    /// Waits for the next batch to end. A cancellation of the run aborts all batches.
    async fn next<T: 'static>(&self, batches: &mut JoinSet<T>) -> Option<Result<T, JoinError>> {
        tokio::select! {
            biased;
            batch = batches.join_next() => return batch,
            () = self.measurer.cancelled.cancelled() => batches.abort_all(),
        }
        batches.join_next().await
    }

    /// Publishes a version for each power that has none, starts to measure it, and puts `$LATEST`
    /// back.
    async fn publish(
        &mut self,
        batches: &mut Batches,
        in_flight: u32,
        skipped: &mut Vec<Skipped>,
    ) -> Result<(), Cause> {
        let missing = self.backlog.unpublished(self.baseline.power);
        // After the announcement `$LATEST` has another memory size.
        if missing.is_empty() && self.announced.is_none() {
            return Ok(());
        }
        self.mark.add_sizes(&missing);
        let (gateway, baseline, mark) =
            (self.gateway.clone(), self.baseline.clone(), self.mark.clone());
        let mut publisher = match self.announced.take() {
            Some(announced) => Publisher::first(&gateway, &baseline, &mark, announced),
            None => Publisher::again(&gateway, &baseline, &mark, self.clock).await?,
        };
        for power in missing {
            if self.measurer.cancelled.is_cancelled() {
                break;
            }
            match publish_missing(&mut publisher, &mut self.backlog, power).await? {
                Ok(task) => self.begin(batches, task, in_flight),
                Err(skip) => {
                    self.measurer.events.send(Event::Skipped(skip.clone()));
                    skipped.push(skip);
                }
            }
        }
        publisher.put_back().await
    }
}

async fn measure(
    gateway: Gateway,
    measurer: Arc<Measurer>,
    task: Task,
    batch: Batch,
) -> Result<(Task, Vec<Observation>), Cause> {
    let ready = wait(&gateway, &measurer.function_arn, Some(&batch.version)).await;
    ready.map_err(|cause| batch.not_ready(cause))?;
    measurer.measure(&batch).await.map(|seen| (task, seen))
}

pub(crate) fn panic_message(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic".to_owned()),
        Err(error) => error.to_string(),
    }
}
