//! One round of a run: publishes a version for each power that has none, puts `$LATEST` back, and
//! measures; a power is measured as soon as its version is there, while the next is still being
//! published. Later rounds invoke the same versions again, whose environments are warm.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use powertune_core::{
    observation::{Observation, Skipped},
    plan::{MOST_BARREN, Measurement, Rest, Round},
    power::Power,
};
use tokio::task::{JoinError, JoinSet};

use crate::{
    announce::Announced,
    error::Cause,
    event::Event,
    gateway::{Gateway, Version},
    mark::Mark,
    measure::{Bench, Portion},
    publish::{Baseline, Clock, Publisher, Unpublished, wait},
};

/// What is being measured.
type Portions = JoinSet<Result<Vec<Observation>, Cause>>;

/// What a round came to.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) observations: Vec<Observation>,
    pub(crate) skipped: Vec<Skipped>,
}

/// Measures rounds on one function.
#[derive(Debug)]
pub(crate) struct Rounds {
    pub(crate) gateway: Gateway,
    pub(crate) baseline: Baseline,
    pub(crate) mark: Mark,
    pub(crate) bench: Arc<Bench>,
    /// The version of each power that is to be invoked again when more is to be measured there.
    versions: BTreeMap<Power, String>,
    /// Every version that was invoked.
    used: HashSet<String>,
    /// How the announcement has left `$LATEST`, until the first version is published.
    announced: Option<Announced>,
    /// The meaning of LastModified at this endpoint.
    clock: Clock,
    /// How many invocations each power has had.
    sent: BTreeMap<Power, u32>,
}

impl Rounds {
    pub(crate) fn new(
        gateway: Gateway,
        baseline: Baseline,
        mark: Mark,
        bench: Bench,
        announced: Announced,
    ) -> Self {
        let version = announced.own_version(&mark);
        let versions = version.map(|version| (baseline.power, version)).into_iter().collect();
        Self {
            gateway,
            baseline,
            mark,
            bench: Arc::new(bench),
            versions,
            used: HashSet::new(),
            clock: announced.clock,
            announced: Some(announced),
            sent: BTreeMap::new(),
        }
    }

    /// Measures a round. `$LATEST` has its own power again before the last invocation ends.
    pub(crate) async fn measure(&mut self, round: &Round) -> Result<Measured, Cause> {
        self.bench.events.send(Event::RoundStarted(round.measurements.clone()));
        let mut measured = Measured::default();
        let mut rests = self.in_order(&round.measurements);
        for measurement in round.measurements.iter().filter(|measurement| measurement.fresh) {
            self.versions.remove(&measurement.power);
        }
        let only_cold_starts = self.bench.request.only_cold_starts;
        let mut barren: BTreeMap<Power, u32> = BTreeMap::new();
        loop {
            let pass = self.pass(&rests).await?;
            rests = rests
                .into_iter()
                .filter(|rest| !pass.skipped.iter().any(|skipped| skipped.power == rest.power))
                .filter_map(|rest| {
                    let left = rest.after(&pass.observations, only_cold_starts)?;
                    let barren = barren.entry(rest.power).or_default();
                    *barren = if left.sent == rest.sent { *barren + 1 } else { 0 };
                    (*barren < MOST_BARREN).then_some(left)
                })
                .collect();
            measured.observations.extend(pass.observations);
            measured.skipped.extend(pass.skipped);
            let bench = &self.bench;
            let is_over = bench.cancelled.is_cancelled()
                || bench.budget.is_used_up()
                || bench.is_out_of_time();
            // Where warm invocations count, one pass sends them all.
            if rests.is_empty() || is_over || !only_cold_starts {
                break;
            }
        }
        for observation in &measured.observations {
            *self.sent.entry(observation.power).or_default() += 1;
        }
        for measurement in &round.measurements {
            self.bench.events.send(Event::PowerDone(measurement.power));
        }
        Ok(measured)
    }

    /// The function's own power last: `$LATEST` is put back to it anyway.
    fn in_order(&self, measurements: &[Measurement]) -> Vec<Rest> {
        let mut rests: Vec<Rest> = measurements.iter().copied().map(Rest::of).collect();
        rests.sort_by_key(|rest| own_last(rest.power, self.baseline.power));
        rests
    }

    /// How many invocations of a power one version takes: where cold starts alone count, only as
    /// many as can run at the same time, since every later one would find a warm environment.
    fn portion(&self, powers: usize) -> u32 {
        if !self.bench.request.only_cold_starts {
            return u32::MAX;
        }
        let powers = u32::try_from(powers).unwrap_or(u32::MAX);
        (self.bench.concurrency / powers.max(1)).max(1)
    }

    /// One version for each power, measured.
    async fn pass(&mut self, rests: &[Rest]) -> Result<Measured, Cause> {
        let mut portions = JoinSet::new();
        let mut measured = Measured::default();
        let (known, unknown): (Vec<Rest>, Vec<Rest>) =
            rests.iter().partition(|rest| self.versions.contains_key(&rest.power));
        let largest = self.portion(rests.len());
        for rest in known {
            let version = self.known(rest.power);
            self.begin(&mut portions, rest, version, largest);
        }
        // The announcement has left $LATEST at a memory size that is not its own.
        let failed = if unknown.is_empty() && self.announced.is_none() {
            None
        } else {
            let skipped = &mut measured.skipped;
            self.publish_all(&unknown, largest, &mut portions, skipped).await.err()
        };
        if failed.is_some() {
            portions.abort_all();
        }
        while let Some(portion) = self.next(&mut portions).await {
            match portion {
                Ok(observations) => measured.observations.extend(observations?),
                Err(error) if error.is_cancelled() => {}
                Err(error) => return Err(Cause::Bug(panic_message(error))),
            }
        }
        failed.map_or(Ok(measured), Err)
    }

    /// The version of a power that was published before. Where cold starts alone count it is used
    /// once.
    fn known(&mut self, power: Power) -> String {
        let version = self.versions[&power].clone();
        if self.bench.request.only_cold_starts {
            self.versions.remove(&power);
        }
        if self.used.insert(version.clone()) {
            self.bench.events.send(Event::Published { power, version: version.clone() });
        }
        version
    }

    /// Begins to measure a power.
    fn begin(&self, portions: &mut Portions, rest: Rest, version: String, largest: u32) {
        let first = self.sent.get(&rest.power).copied().unwrap_or_default() + rest.sent;
        let invocations = rest.left().min(largest);
        let portion = Portion { power: rest.power, version, first, invocations };
        portions.spawn(measure(self.gateway.clone(), Arc::clone(&self.bench), portion));
    }

    /// The next portion that ends; once the user stops the run, all of them end at once.
    async fn next<T: 'static>(&self, portions: &mut JoinSet<T>) -> Option<Result<T, JoinError>> {
        tokio::select! {
            biased;
            portion = portions.join_next() => return portion,
            () = self.bench.cancelled.cancelled() => portions.abort_all(),
        }
        portions.join_next().await
    }

    /// Publishes a version for each of these powers and begins to measure it; then puts `$LATEST`
    /// back.
    async fn publish_all(
        &mut self,
        rests: &[Rest],
        largest: u32,
        portions: &mut Portions,
        skipped: &mut Vec<Skipped>,
    ) -> Result<(), Cause> {
        if let Some(sets) = self.mark.sets.with(rests.iter().map(|rest| rest.power)) {
            self.mark.sets = sets;
        }
        let (gateway, baseline, mark) =
            (self.gateway.clone(), self.baseline.clone(), self.mark.clone());
        let mut publisher = match self.announced.take() {
            Some(announced) => Publisher::first(&gateway, &baseline, &mark, announced),
            None => Publisher::again(&gateway, &baseline, &mark, self.clock).await?,
        };
        for &rest in rests {
            if self.bench.cancelled.is_cancelled() {
                break;
            }
            match self.publish(&mut publisher, rest.power).await {
                Ok(version) => self.begin(portions, rest, version, largest),
                Err(Unpublished::BeyondAccount(reason)) => {
                    let skip = Skipped { power: rest.power, reason };
                    self.bench.events.send(Event::Skipped(skip.clone()));
                    skipped.push(skip);
                }
                // Whoever cleans up puts $LATEST back, unless somebody else has changed it.
                Err(Unpublished::Failed(cause)) => return Err(cause),
            }
        }
        publisher.put_back().await
    }

    /// A version of a power that was not invoked before, to be kept for later rounds where warm
    /// environments do no harm.
    async fn publish(
        &mut self,
        publisher: &mut Publisher<'_>,
        power: Power,
    ) -> Result<String, Unpublished> {
        let usable = |version: &Version| !self.used.contains(&version.version);
        let version = publisher.publish_marked(power, usable).await?.version;
        self.used.insert(version.clone());
        if !self.bench.request.only_cold_starts {
            self.versions.insert(power, version.clone());
        }
        self.bench.events.send(Event::Published { power, version: version.clone() });
        Ok(version)
    }
}

/// Sorts powers for publishing, the function's own one last: `$LATEST` goes back to it anyway.
pub(crate) fn own_last(power: Power, own: Power) -> (bool, Power) {
    (power == own, power)
}

/// Measures a portion as soon as its version is ready.
async fn measure(
    gateway: Gateway,
    bench: Arc<Bench>,
    portion: Portion,
) -> Result<Vec<Observation>, Cause> {
    let ready = wait(&gateway, &bench.function_arn, Some(&portion.version)).await;
    ready.map_err(|cause| portion.not_ready(cause))?;
    bench.measure(&portion).await
}

/// What a panic said.
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
