//! Keeps a run within its `maxCost`. Each invocation reserves its worst-case cost first. It waits
//! while others in flight may still turn out cheaper than their worst case.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use powertune_core::{
    budget::{CostLedger, ReserveOutcome, Tariff},
    observation::Outcome,
    power::Power,
};
use tokio::sync::Notify;

#[derive(Debug)]
pub(crate) struct Budget {
    tariff: Tariff,
    account: Mutex<CostLedger>,
    settled: Notify,
    used_up: AtomicBool,
}

/// The reserved worst-case cost of one invocation. If it is dropped without a result, it stays
/// spent: nobody knows whether the invocation ran.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    power: Power,
    cost: f64,
}

impl Budget {
    /// A budget of `most`, in the currency of the tariff; `None` means unlimited.
    pub(crate) fn new(most: Option<f64>, tariff: Tariff) -> Arc<Self> {
        Arc::new(Self {
            tariff,
            account: Mutex::new(CostLedger::new(most)),
            settled: Notify::new(),
            used_up: AtomicBool::new(false),
        })
    }

    pub(crate) fn tariff(&self) -> &Tariff {
        &self.tariff
    }

    /// Reserves the cost of an invocation at `power`; `None` if the budget is exhausted.
    pub(crate) async fn reserve(self: &Arc<Self>, power: Power) -> Option<Reservation> {
        let worst = self.tariff.worst(power);
        loop {
            // Register before looking at the account, or a notification in between is lost.
            let settled = self.settled.notified();
            let room = self.account().reserve(worst);
            match room {
                ReserveOutcome::Reserved => {
                    return Some(Reservation { budget: Arc::clone(self), power, cost: worst });
                }
                ReserveOutcome::Later => settled.await,
                ReserveOutcome::Never => {
                    self.used_up.store(true, Ordering::Relaxed);
                    return None;
                }
            }
        }
    }

    /// True if an invocation got no reservation.
    pub(crate) fn is_used_up(&self) -> bool {
        self.used_up.load(Ordering::Relaxed)
    }

    fn account(&self) -> MutexGuard<'_, CostLedger> {
        // The account stays consistent even if another thread panicked.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Returns the difference between the worst case and the real cost.
    pub(crate) fn settle(mut self, outcome: &Outcome) {
        self.cost = self.budget.tariff.charged(self.power, outcome);
    }

    /// Returns the whole reservation: nothing ran.
    pub(crate) fn release(mut self) {
        self.cost = 0.0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let worst = self.budget.tariff.worst(self.power);
        self.budget.account().settle(worst, self.cost);
        self.budget.settled.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use powertune_core::{
        architecture::Architecture,
        observation::Failure,
        price,
        report::{Report, Start, Status},
    };
    use rand::RngExt;
    use tokio::{task::JoinSet, time::timeout};

    use super::*;

    const LONGEST_MS: u64 = 1000;

    fn tariff() -> Tariff {
        let region = "us-east-1".parse().expect("a region");
        let price = price::on_demand(&region, Architecture::X86_64).expect("a price");
        Tariff { price, longest_ms: LONGEST_MS as f64 }
    }

    /// The outcome of an invocation that was billed for this long, or that was lost.
    fn outcome(billed_ms: Option<u64>) -> Outcome {
        let Some(billed_ms) = billed_ms else {
            return Outcome::Failed { failure: Failure::Lost { why: String::new() }, report: None };
        };
        Outcome::Counted(Report {
            duration_ms: billed_ms as f64,
            billed_ms,
            memory_mb: 128,
            max_memory_mb: None,
            start: Start::Warm,
            status: Status::Success,
        })
    }

    /// Runs one power's invocations in series; returns the most that they can have cost.
    async fn series(budget: Arc<Budget>, power: Power) -> f64 {
        let mut spent = 0.0;
        for _ in 0..30 {
            let Some(reservation) = budget.reserve(power).await else { break };
            let (wait_us, lost) = (rand::rng().random_range(0..500), rand::rng().random_bool(0.1));
            let billed_ms = (!lost).then(|| rand::rng().random_range(1..=LONGEST_MS));
            tokio::time::sleep(Duration::from_micros(wait_us)).await;
            let outcome = outcome(billed_ms);
            spent += budget.tariff.charged(power, &outcome);
            reservation.settle(&outcome);
        }
        spent
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_cap_holds_and_nobody_waits_for_ever() {
        let largest = Power::MAX;
        for most in [1.0, 2.5, 10.0, 1000.0] {
            let most = most * tariff().worst(largest);
            let budget = Budget::new(Some(most), tariff());
            let mut powers = JoinSet::new();
            for power in [Power::MIN, Power::new(1024).expect("a power"), largest, largest] {
                powers.spawn(series(Arc::clone(&budget), power));
            }
            let spent = timeout(Duration::from_secs(30), powers.join_all()).await;
            let spent: f64 = spent.expect("it ends").into_iter().sum();
            assert!(spent <= most * (1.0 + 1e-9), "{spent} of {most}");
            let all = most > 100.0 * tariff().worst(largest);
            assert_eq!(budget.is_used_up(), !all);
        }
    }

    #[tokio::test]
    async fn what_is_given_back_is_there_for_others() {
        let budget = Budget::new(Some(tariff().worst(Power::MIN)), tariff());
        let first = budget.reserve(Power::MIN).await.expect("there is room");
        first.release();
        let second = budget.reserve(Power::MIN).await.expect("there is room again");
        drop(second);
        assert!(budget.reserve(Power::MIN).await.is_none(), "nobody knows what became of it");
        assert!(budget.is_used_up());
    }
}
