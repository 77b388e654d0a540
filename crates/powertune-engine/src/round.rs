//! One round of a run: publishes a version for each power, puts `$LATEST` back, and measures; a
//! power is measured as soon as its version is there, while the next is still being published.

use std::{collections::HashSet, sync::Arc};

use powertune_core::{
    observation::{Observation, Skipped},
    plan::{Measurement, Rest, Round},
};
use tokio::task::{JoinError, JoinSet};

use crate::{
    error::Cause,
    event::Event,
    gateway::Gateway,
    mark::Mark,
    measure::{Bench, Portion},
    publish::{Baseline, Publisher, Unpublished, wait},
};

/// Beyond the passes that would do if every cold start were had, so many more are tried.
const SPARE_PASSES: u32 = 2;

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
}

impl Rounds {
    /// Measures a round. `$LATEST` has its own power again before the last invocation ends.
    pub(crate) async fn measure(&self, round: &Round) -> Result<Measured, Cause> {
        self.bench.events.send(Event::RoundStarted(round.measurements.clone()));
        let mut measured = Measured::default();
        let mut used = HashSet::new();
        let mut rests = self.in_order(&round.measurements);
        for _ in 0..self.passes(&rests) {
            let pass = self.pass(&rests, &mut used).await?;
            let only_cold_starts = self.bench.request.only_cold_starts;
            rests = rests
                .into_iter()
                .filter(|rest| !pass.skipped.iter().any(|skipped| skipped.power == rest.power))
                .filter_map(|rest| rest.after(&pass.observations, only_cold_starts))
                .collect();
            measured.observations.extend(pass.observations);
            measured.skipped.extend(pass.skipped);
            if rests.is_empty() || self.bench.cancelled.is_cancelled() {
                break;
            }
        }
        for measurement in &round.measurements {
            self.bench.events.send(Event::PowerDone(measurement.power));
        }
        Ok(measured)
    }

    /// The function's own power first: `$LATEST` has it, so that one change less is needed.
    fn in_order(&self, measurements: &[Measurement]) -> Vec<Rest> {
        let mut rests: Vec<Rest> = measurements.iter().copied().map(Rest::of).collect();
        rests.sort_by_key(|rest| (rest.power != self.baseline.power, rest.power));
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

    fn passes(&self, rests: &[Rest]) -> u32 {
        let wanted = rests.iter().map(|rest| rest.wanted).max().unwrap_or(0);
        let passes = wanted.div_ceil(self.portion(rests.len()));
        let spare = if self.bench.request.only_cold_starts { SPARE_PASSES } else { 0 };
        passes + spare
    }

    /// One version for each power, measured.
    async fn pass(&self, rests: &[Rest], used: &mut HashSet<String>) -> Result<Measured, Cause> {
        let mut publisher = Publisher::open(&self.gateway, &self.baseline, &self.mark).await?;
        let mut portions = JoinSet::new();
        let mut measured = Measured::default();
        let published = self
            .publish_all(&mut publisher, rests, used, &mut portions, &mut measured.skipped)
            .await;
        // Whatever happened, $LATEST goes back to its power first: that is what others see.
        let put_back = publisher.set_power(self.baseline.power).await;
        let put_back = put_back.map_err(|error| error.into_cause("putting $LATEST back"));
        let failed = published.err().or(put_back.err());
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

    /// The next portion that ends; once the user stops the run, all of them end at once.
    async fn next<T: 'static>(&self, portions: &mut JoinSet<T>) -> Option<Result<T, JoinError>> {
        tokio::select! {
            biased;
            portion = portions.join_next() => return portion,
            () = self.bench.cancelled.cancelled() => portions.abort_all(),
        }
        portions.join_next().await
    }

    async fn publish_all(
        &self,
        publisher: &mut Publisher<'_>,
        rests: &[Rest],
        used: &mut HashSet<String>,
        portions: &mut JoinSet<Result<Vec<Observation>, Cause>>,
        skipped: &mut Vec<Skipped>,
    ) -> Result<(), Cause> {
        let largest = self.portion(rests.len());
        for rest in rests {
            if self.bench.cancelled.is_cancelled() {
                return Ok(());
            }
            let fresh = publisher
                .publish_marked(rest.power, |version| !used.contains(&version.version))
                .await;
            let version = match fresh {
                Ok(version) => version.version,
                Err(Unpublished::BeyondAccount(reason)) => {
                    let skip = Skipped { power: rest.power, reason };
                    self.bench.events.send(Event::Skipped(skip.clone()));
                    skipped.push(skip);
                    continue;
                }
                Err(Unpublished::Failed(cause)) => return Err(cause),
            };
            used.insert(version.clone());
            let power = rest.power;
            self.bench.events.send(Event::Published { power, version: version.clone() });
            let invocations = rest.left().min(largest);
            let portion = Portion { power, version, first: rest.sent, invocations };
            portions.spawn(measure(self.gateway.clone(), Arc::clone(&self.bench), portion));
        }
        Ok(())
    }
}

/// Measures a portion as soon as its version is ready.
async fn measure(
    gateway: Gateway,
    bench: Arc<Bench>,
    portion: Portion,
) -> Result<Vec<Observation>, Cause> {
    wait(&gateway, &bench.function_arn, Some(&portion.version)).await?;
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
