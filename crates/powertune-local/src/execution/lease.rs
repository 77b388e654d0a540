//! Leases: the time in which an environment holds its share of CPU, and the clock of that time.
//!
//! A function may call Invoke on this endpoint and wait for the answer. If it kept its share, the
//! called function could wait for a share for ever. So the share is free while a call is open, and
//! the clock stands still until the share is taken again.
//!
//! The share is free while *any* call of the environment is open. Answers wait until the last call
//! has ended. Otherwise the caller could run without a share, or two environments could wait for
//! each other. The computations of the caller beside its open calls are neither admitted nor timed.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::admission::{Admission, Grant, Share};

/// One invocation's share of the CPU, from admission to the end.
#[derive(Debug)]
pub(super) struct CpuLease {
    admission: Admission,
    state: Mutex<LeaseState>,
    phase: watch::Sender<LeasePhase>,
}

#[derive(Debug)]
struct LeaseState {
    grant: Option<Grant>,
    /// The share while the environment runs.
    share: Share,
    open_calls: u32,
    paused_since: Option<Instant>,
    paused: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeasePhase {
    Running,
    Suspended,
    Ended,
}

/// A moment on the clock of a lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseInstant {
    at: Instant,
    paused: Duration,
}

impl CpuLease {
    pub(super) fn begin(admission: &Admission, grant: Grant) -> Arc<Self> {
        let share = grant.share();
        let state = LeaseState {
            grant: Some(grant),
            share,
            open_calls: 0,
            paused_since: None,
            paused: Duration::ZERO,
        };
        Arc::new(Self {
            admission: admission.clone(),
            state: Mutex::new(state),
            phase: watch::Sender::new(LeasePhase::Running),
        })
    }

    pub(super) fn share(&self) -> Share {
        self.lock().share
    }

    /// Frees everything above `share`, now and after every suspension.
    pub(super) fn shrink_to(&self, share: Share) {
        let mut state = self.lock();
        state.share = state.share.min(share);
        let share = state.share;
        if let Some(grant) = &mut state.grant {
            grant.shrink_to(share);
        }
    }

    /// Frees the share for good.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.grant = None;
        self.phase.send_replace(LeasePhase::Ended);
    }

    pub(super) fn now(&self) -> LeaseInstant {
        self.instant_at(Instant::now())
    }

    /// The moment at `at`.
    pub(super) fn instant_at(&self, at: Instant) -> LeaseInstant {
        LeaseInstant { at, paused: self.lock().paused_until(at) }
    }

    /// The time from `since` until `until`, without suspensions.
    pub(super) fn elapsed(&self, since: LeaseInstant, until: Instant) -> Duration {
        let paused = self.lock().paused_until(until).saturating_sub(since.paused);
        until.saturating_duration_since(since.at).saturating_sub(paused)
    }

    /// Waits until `limit` has passed since `since`, without suspensions.
    pub(super) async fn expired(&self, since: LeaseInstant, limit: Duration) {
        let mut phase = self.phase.subscribe();
        loop {
            let now = *phase.borrow_and_update();
            match now {
                LeasePhase::Running => {
                    let paused = self.lock().paused.saturating_sub(since.paused);
                    tokio::select! {
                        () = sleep_until(since.at + limit + paused) => return,
                        changed = phase.changed() => changed.expect("self holds the sender"),
                    }
                }
                LeasePhase::Suspended => phase.changed().await.expect("self holds the sender"),
                LeasePhase::Ended => return std::future::pending().await,
            }
        }
    }

    /// Opens a call. The share is free until the last open call has resumed.
    pub(super) fn suspend(self: Arc<Self>) -> Suspension {
        let mut state = self.lock();
        state.open_calls += 1;
        if state.grant.take().is_some() {
            state.paused_since = Some(Instant::now());
            self.phase.send_if_modified(|phase| {
                let running = *phase == LeasePhase::Running;
                if running {
                    *phase = LeasePhase::Suspended;
                }
                running
            });
        }
        drop(state);
        Suspension { lease: Some(self) }
    }

    async fn close_call(&self) {
        let (last, share) = {
            let mut state = self.lock();
            state.open_calls -= 1;
            (state.open_calls == 0, state.share)
        };
        if last && *self.phase.borrow() == LeasePhase::Suspended {
            // An error means that the server shuts down. The function is about to be killed.
            if let Ok(grant) = self.admission.admit(share).await {
                self.take_back(grant);
            }
        }
        let mut phase = self.phase.subscribe();
        phase
            .wait_for(|phase| *phase != LeasePhase::Suspended)
            .await
            .map(drop)
            .expect("self holds the sender");
    }

    /// Continues with `grant`. If another call has been opened meanwhile, the end of that call
    /// continues.
    fn take_back(&self, mut grant: Grant) {
        let mut state = self.lock();
        if state.open_calls > 0 || *self.phase.borrow() == LeasePhase::Ended {
            return;
        }
        grant.shrink_to(state.share);
        state.grant = Some(grant);
        state.paused = state.paused_until(Instant::now());
        state.paused_since = None;
        self.phase.send_replace(LeasePhase::Running);
    }

    fn lock(&self) -> MutexGuard<'_, LeaseState> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }
}

impl LeaseState {
    fn paused_until(&self, until: Instant) -> Duration {
        let now = self.paused_since.map_or(Duration::ZERO, |s| until.saturating_duration_since(s));
        self.paused + now
    }
}

/// The time in which an environment waits in an Invoke on this endpoint. Its share of CPU is free.
#[derive(Debug)]
#[must_use = "dropping it takes the share back in the background"]
pub(crate) struct Suspension {
    lease: Option<Arc<CpuLease>>,
}

impl Suspension {
    /// For a caller that runs nothing any more.
    pub(super) fn none() -> Self {
        Self { lease: None }
    }

    /// Waits until the share is taken again. The caller may get its answer only after that.
    pub(crate) async fn resume(mut self) {
        if let Some(lease) = self.lease.take() {
            // A separate task: it goes on if our caller goes away.
            let closed = tokio::spawn(async move { lease.close_call().await });
            drop(closed.await);
        }
    }
}

impl Drop for Suspension {
    fn drop(&mut self) {
        if let (Some(lease), Ok(runtime)) =
            (self.lease.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(async move { lease.close_call().await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole_host() -> Share {
        Share::of_memory(1769)
    }

    async fn lease(admission: &Admission) -> Arc<CpuLease> {
        CpuLease::begin(admission, admission.admit(whole_host()).await.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspension_frees_the_share_and_stops_the_clock() {
        let admission = Admission::new(1);
        let lease = lease(&admission).await;
        let since = lease.now();
        tokio::time::sleep(Duration::from_millis(100)).await;

        let suspension = Arc::clone(&lease).suspend();
        let nested = admission.admit(whole_host()).await.unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
        let resumed = tokio::spawn(suspension.resume());
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(!resumed.is_finished(), "the nested invocation still holds the host");
        drop(nested);
        resumed.await.unwrap();

        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(lease.elapsed(since, Instant::now()), Duration::from_millis(150));
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_moves_by_the_suspension() {
        let admission = Admission::new(1);
        let lease = lease(&admission).await;
        let since = lease.now();
        let expiry = {
            let lease = Arc::clone(&lease);
            tokio::spawn(async move {
                lease.expired(since, Duration::from_secs(3)).await;
                Instant::now()
            })
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
        let suspension = Arc::clone(&lease).suspend();
        tokio::time::sleep(Duration::from_secs(10)).await;
        suspension.resume().await;
        assert_eq!(expiry.await.unwrap() - since.at, Duration::from_secs(13));
    }

    #[tokio::test]
    async fn of_two_open_calls_the_last_takes_the_share_back() {
        let admission = Admission::new(1);
        let lease = lease(&admission).await;
        let first = Arc::clone(&lease).suspend();
        let second = Arc::clone(&lease).suspend();
        let first = tokio::spawn(first.resume());
        tokio::task::yield_now().await;
        let nested = admission.admit(whole_host()).await.unwrap();
        assert!(!first.is_finished());
        drop(nested);
        second.resume().await;
        first.await.unwrap();
        assert_eq!(*lease.phase.borrow(), LeasePhase::Running);
    }

    #[tokio::test]
    async fn a_dropped_suspension_resumes_by_itself() {
        let admission = Admission::new(1);
        let lease = lease(&admission).await;
        drop(Arc::clone(&lease).suspend());
        let mut phase = lease.phase.subscribe();
        phase.wait_for(|phase| *phase == LeasePhase::Running).await.unwrap();
    }

    #[tokio::test]
    async fn what_ends_while_suspended_never_takes_the_share_again() {
        let admission = Admission::new(1);
        let lease = lease(&admission).await;
        let suspension = Arc::clone(&lease).suspend();
        lease.end();
        suspension.resume().await;
        assert!(lease.lock().grant.is_none());
        admission.admit(whole_host()).await.unwrap();
    }

    #[tokio::test]
    async fn a_share_that_shrank_stays_small_after_a_suspension() {
        let admission = Admission::new(1);
        let lease = lease(&admission).await;
        lease.shrink_to(Share::of_memory(128));
        Arc::clone(&lease).suspend().resume().await;
        assert_eq!(lease.share(), Share::of_memory(128));
        admission.admit(Share::of_memory(1000)).await.unwrap();
    }
}
