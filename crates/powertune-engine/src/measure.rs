//! Measures one power: sends its invocations, in series or many at a time, and reads each.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use powertune_core::{
    arn::FunctionRef,
    observation::{Observation, Outcome},
    payload::Payloads,
    power::Power,
    request::{Pace, Request},
    verdict::is_condemned,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    budget::{Budget, Reservation},
    error::Cause,
    event::{Event, Events},
    gate::{Gate, Place},
    gateway::{ApiError, ErrorKind, Invoked, Invoker, NotInvoked},
    invocation::{Target, Try, Unready, invoke_once, outcome, shortened},
};

/// Everything that the batches of a run share.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) invoker: Invoker,
    pub(crate) function_arn: String,
    pub(crate) request: Request,
    /// The payloads of one power's invocations, in order.
    pub(crate) payloads: Vec<Arc<str>>,
    /// The gate that every invocation goes through.
    pub(crate) gate: Arc<Gate>,
    /// The most invocations at the same time.
    pub(crate) concurrency: u32,
    pub(crate) budget: Arc<Budget>,
    pub(crate) events: Events,
    pub(crate) cancelled: CancellationToken,
    /// No invocation starts after this; the rest stays unsent.
    pub(crate) last_start: Option<Instant>,
    /// True once an invocation stayed unsent because it was later than that.
    pub(crate) out_of_time: AtomicBool,
}

/// Invocations of one version.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) power: Power,
    pub(crate) version: String,
    /// The number of the first of them, counted from 0 over all invocations of the power.
    pub(crate) first: u32,
    pub(crate) invocations: u32,
}

impl Batch {
    /// What it means that its version is not there.
    fn is_gone(&self) -> Cause {
        Cause::VersionGone { version: self.version.clone(), power: self.power }
    }

    /// Why waiting for its version has failed.
    pub(crate) fn not_ready(&self, cause: Cause) -> Cause {
        match cause {
            Cause::Api(ApiError { kind: ErrorKind::NotFound, .. }) => self.is_gone(),
            other => other,
        }
    }
}

/// What the invocations of a batch know of each other.
#[derive(Debug)]
struct Course {
    /// Another one would fail like the others.
    condemned: AtomicBool,
    /// The outcomes until one counts; `None` from then on.
    failing: Mutex<Option<Vec<Outcome>>>,
    unready: Unready,
}

impl Course {
    fn of(batch: &Batch) -> Self {
        Self {
            condemned: AtomicBool::new(false),
            // Those before a later batch are not known here.
            failing: Mutex::new((batch.first == 0).then(Vec::new)),
            unready: Unready::default(),
        }
    }

    fn takes(&self, outcome: &Outcome) {
        // It is whole even where somebody panicked.
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_condemned = match (&mut *failing, outcome) {
            (_, Outcome::Counted(_) | Outcome::Allowed(_)) => {
                *failing = None;
                false
            }
            (Some(failed), Outcome::Failed { .. }) => {
                failed.push(outcome.clone());
                is_condemned(&*failed)
            }
            (None, Outcome::Failed { .. }) => is_condemned([outcome]),
        };
        if is_condemned {
            self.condemned.store(true, Ordering::Relaxed);
        }
    }
}

/// What an invocation needs before it can be sent.
struct Admitted {
    reservation: Reservation,
    place: Place,
}

/// Waits until an invocation may be sent; `None` where there is no room for it under the cap.
async fn admit(budget: Arc<Budget>, gate: Arc<Gate>, power: Power) -> Option<Admitted> {
    // Reserve budget before taking a slot: the other order deadlocks.
    let reservation = budget.reserve(power).await?;
    Some(Admitted { reservation, place: gate.enter().await })
}

impl Bench {
    /// A bench for one function. Its events are unheard, and nothing cancels it or limits its time.
    pub(crate) fn new(
        invoker: Invoker,
        function_arn: String,
        request: &Request,
        payloads: &Payloads,
        concurrency: u32,
        budget: Arc<Budget>,
    ) -> Self {
        let payloads = payloads.expand(request.most_invocations() as usize);
        Self {
            invoker,
            function_arn,
            request: request.clone(),
            payloads: payloads.expect("the payloads were expanded when they were checked"),
            gate: Gate::new(concurrency),
            concurrency: concurrency.max(1),
            budget,
            events: Events::unheard(),
            cancelled: CancellationToken::new(),
            last_start: None,
            out_of_time: AtomicBool::new(false),
        }
    }

    /// Sends a batch's invocations and returns what came of them.
    ///
    /// It ends early when the power turns out not to work, when the run is cancelled, or when there
    /// is no time or no money for another invocation.
    pub(crate) async fn measure(&self, batch: &Batch) -> Result<Vec<Observation>, Cause> {
        let at_once = match self.request.pace {
            Pace::Series { .. } if !self.request.only_cold_starts => 1,
            _ => self.concurrency.min(batch.invocations).max(1) as usize,
        };
        let (power, course) = (batch.power, Course::of(batch));
        let numbers = batch.first..batch.first + batch.invocations;
        let observations: Vec<Option<Observation>> = stream::iter(numbers)
            // One is admitted at a time: what waits takes memory.
            .filter_map(|number| {
                let admitted = admit(Arc::clone(&self.budget), Arc::clone(&self.gate), power);
                async move { Some((number, admitted.await?)) }
            })
            .map(|(number, admitted)| self.one(batch, number, admitted, &course))
            .buffer_unordered(at_once)
            .try_collect()
            .await?;
        Ok(observations.into_iter().flatten().collect())
    }

    /// One invocation, and its pre- and post-processor; `None` where it is not wanted any more.
    async fn one(
        &self,
        batch: &Batch,
        number: u32,
        admitted: Admitted,
        course: &Course,
    ) -> Result<Option<Observation>, Cause> {
        let Admitted { reservation, mut place } = admitted;
        if course.condemned.load(Ordering::Relaxed) || self.cancelled.is_cancelled() {
            reservation.release();
            return Ok(None);
        }
        if self.is_late() {
            self.out_of_time.store(true, Ordering::Relaxed);
            reservation.release();
            return Ok(None);
        }
        let payload = &self.payloads[number as usize % self.payloads.len()];
        let replaced = self.pre_process(&mut place, payload).await?;
        let payload = replaced.as_deref().unwrap_or(payload.as_bytes());
        let answer = self.send(batch, &mut place, payload, &course.unready).await;
        let is_refused =
            matches!(answer, Err(NotInvoked::Throttled { .. } | NotInvoked::Later { .. }));
        if is_refused && self.is_late() {
            self.out_of_time.store(true, Ordering::Relaxed);
            reservation.release();
            return Ok(None);
        }
        if let Err(NotInvoked::Gone(_)) = &answer {
            reservation.release();
            return Err(batch.is_gone());
        }
        let outcome = outcome(&answer, &self.request.allowed_exceptions);
        reservation.settle(&outcome);
        course.takes(&outcome);
        let observation = Observation { power: batch.power, outcome };
        self.events.send(Event::Observed(observation.clone()));
        if let Ok(invoked) = answer {
            self.post_process(&mut place, &invoked).await?;
        }
        if let Pace::Series { sleep_ms: 1.. } = self.request.pace {
            self.sleep().await;
        }
        Ok(Some(observation))
    }

    /// Sends one of a batch's invocations until Lambda takes it.
    async fn send(
        &self,
        batch: &Batch,
        place: &mut Place,
        payload: &[u8],
        unready: &Unready,
    ) -> Result<Invoked, NotInvoked> {
        let target =
            Target { function: &self.function_arn, qualifier: Some(batch.version.as_str()) };
        let power = batch.power;
        let heard = |told: Try<'_>| {
            self.events.send(match told {
                Try::Sent => Event::Sent(power),
                Try::Refused(reason) => Event::Throttled { power, reason: reason.to_owned() },
            });
        };
        let (invoker, last_start) = (&self.invoker, self.last_start);
        invoke_once(invoker, place, target, payload, unready, last_start, heard).await
    }

    pub(crate) fn is_late(&self) -> bool {
        self.last_start.is_some_and(|last| Instant::now() > last)
    }

    pub(crate) fn is_out_of_time(&self) -> bool {
        self.out_of_time.load(Ordering::Relaxed)
    }

    async fn sleep(&self) {
        if let Pace::Series { sleep_ms } = self.request.pace {
            tokio::time::sleep(Duration::from_millis(sleep_ms)).await;
        }
    }

    /// What the pre-processor makes of the payload, if there is one and it returns something.
    async fn pre_process(
        &self,
        place: &mut Place,
        payload: &str,
    ) -> Result<Option<Vec<u8>>, Cause> {
        let Some(function) = &self.request.pre_processor else { return Ok(None) };
        let returned = self.process("preProcessorARN", function, place, payload.as_bytes()).await?;
        let nothing = returned.is_empty() || returned == b"null" || returned == b"\"\"";
        Ok((!nothing).then_some(returned))
    }

    async fn post_process(&self, place: &mut Place, invoked: &Invoked) -> Result<(), Cause> {
        let Some(function) = &self.request.post_processor else { return Ok(()) };
        self.process("postProcessorARN", function, place, &invoked.payload).await.map(|_| ())
    }

    /// Calls a processor, which is not measured; its failure ends the run.
    async fn process(
        &self,
        field: &'static str,
        function: &FunctionRef,
        place: &mut Place,
        payload: &[u8],
    ) -> Result<Vec<u8>, Cause> {
        let failed = |why: String| Cause::Processor { field, function: function.to_string(), why };
        let name = function.to_string();
        let target = Target { function: &name, qualifier: None };
        let unready = Unready::default();
        match invoke_once(&self.invoker, place, target, payload, &unready, None, |_| ()).await {
            Ok(invoked) if invoked.function_failed => {
                Err(failed(shortened(&String::from_utf8_lossy(&invoked.payload))))
            }
            Ok(invoked) => Ok(invoked.payload),
            Err(error) => match outcome(&Err(error), &[]) {
                Outcome::Failed { failure, .. } => Err(failed(failure.to_string())),
                Outcome::Counted(_) | Outcome::Allowed(_) => {
                    unreachable!("what was not invoked can't count")
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use powertune_core::{
        architecture::Architecture,
        budget::Tariff,
        price,
        report::{Report, Start, Status},
    };
    use rand::RngExt;
    use tokio::{task::JoinSet, time::timeout};

    use super::*;

    const INVOCATIONS: usize = 1_000;
    const LONGEST_MS: u64 = 1_000;

    /// Refused every other time, as if others used the account too.
    async fn invocation(budget: Arc<Budget>, gate: Arc<Gate>) -> bool {
        let Some(mut admitted) = admit(budget, gate, Power::MIN).await else { return false };
        while rand::rng().random_bool(0.5) {
            admitted.place.refused();
            tokio::time::sleep(Duration::from_micros(100)).await;
            admitted.place.enter().await;
        }
        tokio::time::sleep(Duration::from_micros(100)).await;
        admitted.place.let_through();
        admitted.reservation.settle(&Outcome::Counted(Report {
            duration_ms: 10.0,
            billed_ms: 10,
            memory_mb: 128,
            max_memory_mb: None,
            start: Start::Warm,
            status: Status::Success,
        }));
        true
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_waits_for_a_place_and_who_waits_for_room_do_not_wait_for_each_other() {
        let region = "us-east-1".parse().expect("a region");
        let price = price::on_demand(&region, Architecture::X86_64).expect("a price");
        let tariff = Tariff { price, longest_ms: LONGEST_MS as f64 };
        let budget = Budget::new(Some(3.0 * tariff.worst(Power::MIN)), tariff);
        let gate = Gate::new(4);
        let mut all = JoinSet::new();
        for _ in 0..INVOCATIONS {
            all.spawn(invocation(Arc::clone(&budget), Arc::clone(&gate)));
        }
        let all = timeout(Duration::from_secs(30), all.join_all()).await.expect("it ends");
        assert!(all.contains(&true) && all.contains(&false), "the cap was not reached");
    }
}
