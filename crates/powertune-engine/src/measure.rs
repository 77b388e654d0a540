//! Measures one power: sends its invocations, in series or many at a time, and reads each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use powertune_core::{
    arn::FunctionRef,
    observation::{Observation, Outcome},
    power::Power,
    request::{Pace, Request},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    budget::Budget,
    error::Cause,
    event::{Event, Events},
    gateway::{Invoked, Invoker, NotInvoked},
    invocation::{Target, invoke_once, outcome, shortened},
};

/// What every power's measurement shares.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) invoker: Invoker,
    pub(crate) function_arn: String,
    pub(crate) request: Request,
    /// The payloads of one power's invocations, in order.
    pub(crate) payloads: Vec<Arc<str>>,
    /// One permit an invocation in flight, over all powers.
    pub(crate) permits: Semaphore,
    pub(crate) concurrency: u32,
    pub(crate) budget: Budget,
    pub(crate) events: Events,
    pub(crate) cancelled: CancellationToken,
    /// No invocation is begun after this; the rest stays unsent.
    pub(crate) last_start: Option<Instant>,
}

/// A version to measure, and which of the power's invocations to send to it.
#[derive(Debug, Clone)]
pub(crate) struct Portion {
    pub(crate) power: Power,
    pub(crate) version: String,
    pub(crate) first: u32,
    pub(crate) invocations: u32,
}

impl Bench {
    /// Sends a portion's invocations and returns what came of them.
    ///
    /// It ends early when the power turns out not to work, when the run is cancelled, or when there
    /// is no time or no money for another invocation.
    pub(crate) async fn measure(&self, portion: &Portion) -> Result<Vec<Observation>, Cause> {
        let at_once = match self.request.pace {
            Pace::Series { .. } if !self.request.only_cold_starts => 1,
            _ => self.concurrency.min(portion.invocations).max(1) as usize,
        };
        let condemned = AtomicBool::new(false);
        let numbers = portion.first..portion.first + portion.invocations;
        let observations: Vec<Option<Observation>> = stream::iter(numbers)
            .map(|number| self.one(portion, number, &condemned))
            .buffer_unordered(at_once)
            .try_collect()
            .await?;
        Ok(observations.into_iter().flatten().collect())
    }

    /// One invocation, and its pre- and post-processor; `None` where it is not wanted any more.
    async fn one(
        &self,
        portion: &Portion,
        number: u32,
        condemned: &AtomicBool,
    ) -> Result<Option<Observation>, Cause> {
        let _permit = self.permits.acquire().await.expect("the permits are never closed");
        let Some(reservation) = self.budget.reserve(portion.power).await else { return Ok(None) };
        if condemned.load(Ordering::Relaxed) || self.cancelled.is_cancelled() || self.is_late() {
            reservation.release();
            return Ok(None);
        }
        let payload = &self.payloads[number as usize % self.payloads.len()];
        let replaced = self.pre_process(payload).await?;
        let payload = replaced.as_deref().unwrap_or(payload.as_bytes());
        let target =
            Target { function: &self.function_arn, qualifier: Some(portion.version.as_str()) };
        let throttled = |reason: &str| {
            let reason = reason.to_owned();
            self.events.send(Event::Throttled { power: portion.power, reason });
        };
        let answer = invoke_once(&self.invoker, target, payload, self.last_start, throttled).await;
        if self.is_late() && matches!(answer, Err(NotInvoked::Later { .. })) {
            reservation.release();
            return Ok(None);
        }
        let outcome = outcome(&answer, &self.request.allowed_exceptions);
        reservation.settle(&outcome);
        if matches!(&outcome, Outcome::Failed { failure, .. } if failure.condemns_power()) {
            condemned.store(true, Ordering::Relaxed);
        }
        let observation = Observation { power: portion.power, outcome };
        self.events.send(Event::Observed(observation.clone()));
        if let Ok(invoked) = answer {
            self.post_process(&invoked).await?;
        }
        if let Pace::Series { sleep_ms: 1.. } = self.request.pace {
            self.sleep().await;
        }
        Ok(Some(observation))
    }

    fn is_late(&self) -> bool {
        self.last_start.is_some_and(|last| Instant::now() > last)
    }

    async fn sleep(&self) {
        if let Pace::Series { sleep_ms } = self.request.pace {
            tokio::time::sleep(Duration::from_millis(sleep_ms)).await;
        }
    }

    /// What the pre-processor makes of the payload, if there is one and it returns something.
    async fn pre_process(&self, payload: &str) -> Result<Option<Vec<u8>>, Cause> {
        let Some(function) = &self.request.pre_processor else { return Ok(None) };
        let returned = self.process("preProcessorARN", function, payload.as_bytes()).await?;
        let nothing = returned.is_empty() || returned == b"null" || returned == b"\"\"";
        Ok((!nothing).then_some(returned))
    }

    async fn post_process(&self, invoked: &Invoked) -> Result<(), Cause> {
        let Some(function) = &self.request.post_processor else { return Ok(()) };
        self.process("postProcessorARN", function, &invoked.payload).await.map(|_| ())
    }

    /// Calls a processor, which is not measured; its failure ends the run.
    async fn process(
        &self,
        field: &'static str,
        function: &FunctionRef,
        payload: &[u8],
    ) -> Result<Vec<u8>, Cause> {
        let failed = |why: String| Cause::Processor { field, function: function.to_string(), why };
        let name = function.to_string();
        let target = Target { function: &name, qualifier: None };
        match invoke_once(&self.invoker, target, payload, None, |_| ()).await {
            Ok(invoked) if invoked.function_failed => {
                Err(failed(shortened(&String::from_utf8_lossy(&invoked.payload))))
            }
            Ok(invoked) => Ok(invoked.payload),
            Err(error) => match outcome(&Err(error), &[]) {
                Outcome::Failed { failure, .. } => Err(failed(failure.to_string())),
                Outcome::Counted(_) => unreachable!("what was not invoked can't count"),
            },
        }
    }
}
