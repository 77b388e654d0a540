//! Measures one power: sends its invocations, in series or in parallel, and reads each duration.

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
    gate::{Gate, GatePlace},
    gateway::{ApiError, ErrorKind, Invoked, Invoker, NotInvoked},
    invocation::{InvokeTarget, Try, Unready, invoke_once, outcome, shortened},
};

/// The parts that all batches of a run share.
#[derive(Debug)]
pub(crate) struct Measurer {
    pub(crate) invoker: Invoker,
    pub(crate) function_arn: String,
    pub(crate) request: Request,
    /// The payloads of one power's invocations, in order.
    pub(crate) payloads: Vec<Arc<str>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) concurrency: u32,
    pub(crate) budget: Arc<Budget>,
    pub(crate) events: Events,
    pub(crate) cancelled: CancellationToken,
    /// No invocation starts after this time.
    pub(crate) last_start: Option<Instant>,
    /// True once an invocation was not sent because of `last_start`.
    pub(crate) out_of_time: AtomicBool,
}

/// Invocations of one version.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) power: Power,
    pub(crate) version: String,
    /// The number of the first invocation, counted from 0 over all invocations of the power.
    pub(crate) first: u32,
    pub(crate) invocations: u32,
}

impl Batch {
    fn is_gone(&self) -> Cause {
        Cause::VersionGone { version: self.version.clone(), power: self.power }
    }

    /// The error for a version that did not become ready.
    pub(crate) fn not_ready(&self, cause: Cause) -> Cause {
        match cause {
            Cause::Api(ApiError { kind: ErrorKind::NotFound, .. }) => self.is_gone(),
            other => other,
        }
    }
}

/// The state that the invocations of a batch share.
#[derive(Debug)]
struct Course {
    /// Another invocation would fail like the earlier ones.
    condemned: AtomicBool,
    /// The failures so far; `None` once an invocation counted.
    failing: Mutex<Option<Vec<Outcome>>>,
    unready: Unready,
}

impl Course {
    fn of(batch: &Batch) -> Self {
        Self {
            condemned: AtomicBool::new(false),
            // A later batch does not know the outcomes of earlier ones.
            failing: Mutex::new((batch.first == 0).then(Vec::new)),
            unready: Unready::default(),
        }
    }

    fn takes(&self, outcome: &Outcome) {
        // The list stays consistent even if another thread panicked.
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_condemned = match (&mut *failing, outcome) {
            (_, Outcome::Counted(_) | Outcome::Allowed(_)) => {
                *failing = None;
                false
            }
            // It does not condemn a size, and there may be thousands.
            (_, Outcome::Failed { failure, .. }) if failure.is_foreign() => false,
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

/// The reservations of an invocation before it is sent.
struct InvocationPermit {
    reservation: Reservation,
    place: GatePlace,
}

/// Waits until an invocation may be sent; `None` if the budget is exhausted.
async fn admit(budget: Arc<Budget>, gate: Arc<Gate>, power: Power) -> Option<InvocationPermit> {
    // Reserve the cost before the place: the other order deadlocks.
    let reservation = budget.reserve(power).await?;
    Some(InvocationPermit { reservation, place: gate.enter().await })
}

impl Measurer {
    /// The shared parts for one function, without a listener, a cancellation or a time limit.
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

    /// Sends a batch's invocations and returns their observations.
    ///
    /// It ends early if the power does not work, the run is cancelled, or the time or the budget is
    /// used up.
    pub(crate) async fn measure(&self, batch: &Batch) -> Result<Vec<Observation>, Cause> {
        let at_once = match self.request.pace {
            Pace::Series { .. } if !self.request.only_cold_starts => 1,
            _ => self.concurrency.min(batch.invocations).max(1) as usize,
        };
        let (power, course) = (batch.power, Course::of(batch));
        let numbers = batch.first..batch.first + batch.invocations;
        let observations: Vec<Option<Observation>> = stream::iter(numbers)
            // Admit one at a time, because a waiting future takes memory.
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

    /// One invocation with its pre- and post-processor; `None` if it is no longer needed.
    async fn one(
        &self,
        batch: &Batch,
        number: u32,
        admitted: InvocationPermit,
        course: &Course,
    ) -> Result<Option<Observation>, Cause> {
        let InvocationPermit { reservation, mut place } = admitted;
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

    async fn send(
        &self,
        batch: &Batch,
        place: &mut GatePlace,
        payload: &[u8],
        unready: &Unready,
    ) -> Result<Invoked, NotInvoked> {
        let target =
            InvokeTarget { function: &self.function_arn, qualifier: Some(batch.version.as_str()) };
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

    /// True if the run sends no further invocation: it was stopped, or its budget or time is used up.
    pub(crate) fn is_over(&self) -> bool {
        self.cancelled.is_cancelled() || self.budget.is_used_up() || self.is_out_of_time()
    }

    pub(crate) fn is_out_of_time(&self) -> bool {
        self.out_of_time.load(Ordering::Relaxed)
    }

    async fn sleep(&self) {
        if let Pace::Series { sleep_ms } = self.request.pace {
            tokio::time::sleep(Duration::from_millis(sleep_ms)).await;
        }
    }

    /// The payload that the pre-processor returns; `None` if there is no pre-processor or it
    /// returns nothing.
    async fn pre_process(
        &self,
        place: &mut GatePlace,
        payload: &str,
    ) -> Result<Option<Vec<u8>>, Cause> {
        let Some(function) = &self.request.pre_processor else { return Ok(None) };
        let returned = self.process("preProcessorARN", function, place, payload.as_bytes()).await?;
        let nothing = returned.is_empty() || returned == b"null" || returned == b"\"\"";
        Ok((!nothing).then_some(returned))
    }

    async fn post_process(&self, place: &mut GatePlace, invoked: &Invoked) -> Result<(), Cause> {
        let Some(function) = &self.request.post_processor else { return Ok(()) };
        self.process("postProcessorARN", function, place, &invoked.payload).await.map(|_| ())
    }

    /// Calls a processor. It is not measured, and its failure ends the run.
    async fn process(
        &self,
        field: &'static str,
        function: &FunctionRef,
        place: &mut GatePlace,
        payload: &[u8],
    ) -> Result<Vec<u8>, Cause> {
        let failed = |why: String| Cause::Processor { field, function: function.to_string(), why };
        let name = function.to_string();
        let target = InvokeTarget { function: &name, qualifier: None };
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

    /// An invocation that is refused every other time, as if others used the account too.
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
