//! The queue for places in flight: first come, first served, over all powers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::window::{Refused, Window};

#[derive(Debug)]
pub(crate) struct Gate {
    /// One permit for each place of the window.
    permits: Arc<Semaphore>,
    window: Mutex<Window>,
}

/// A place in flight, until it is dropped or left.
#[derive(Debug)]
pub(crate) struct GatePlace {
    gate: Arc<Gate>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Gate {
    /// A gate with `most` places at the beginning.
    pub(crate) fn new(most: u32) -> Arc<Self> {
        let most = most.max(1);
        let permits = Arc::new(Semaphore::new(most as usize));
        Arc::new(Self { permits, window: Mutex::new(Window::new(most)) })
    }

    pub(crate) async fn enter(self: Arc<Self>) -> GatePlace {
        let mut place = GatePlace { gate: self, permit: None };
        place.enter().await;
        place
    }

    fn let_through(&self) {
        let mut window = self.window();
        let more = window.let_through(places(self.permits.available_permits()));
        self.permits.add_permits(more as usize);
    }

    fn refuse(&self) -> Refused {
        let mut window = self.window();
        // Take all permits away first, so that nobody enters meanwhile.
        let free = self.permits.forget_permits(Semaphore::MAX_PERMITS);
        let (refused, gone) = window.refuse(places(free), Instant::now());
        self.permits.add_permits(free - gone as usize);
        refused
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        // The window stays consistent even if another thread panicked.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GatePlace {
    /// Takes in that Lambda ran the invocation.
    pub(crate) fn let_through(&self) {
        self.gate.let_through();
    }

    /// Takes in that Lambda refused the invocation, and returns what the invocation has to do. It
    /// has left its place if the answer is `LineUp`.
    pub(crate) fn refused(&mut self) -> Refused {
        let refused = self.gate.refuse();
        if refused == Refused::LineUp {
            self.leave();
        }
        refused
    }

    /// Waits for a place, unless the invocation has one.
    pub(crate) async fn enter(&mut self) {
        if self.permit.is_none() {
            let permit = Arc::clone(&self.gate.permits).acquire_owned().await;
            self.permit = Some(permit.expect("the permits are never closed"));
        }
    }

    fn leave(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        let mut window = self.gate.window();
        if window.leave() {
            permit.forget();
        } else {
            // Return the permit before anybody else looks at the window.
            drop(permit);
        }
    }
}

impl Drop for GatePlace {
    fn drop(&mut self) {
        self.leave();
    }
}

fn places(permits: usize) -> u32 {
    u32::try_from(permits).expect("there are no more than the window has")
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use rand::RngExt;
    use tokio::{task::JoinSet, time::timeout};

    use super::*;

    const INVOCATIONS: usize = 2_000;

    /// A limit of concurrency.
    #[derive(Debug)]
    struct Limit {
        most: u32,
        running: AtomicU32,
        let_through: AtomicU32,
    }

    async fn invocation(gate: Arc<Gate>, limit: Arc<Limit>) {
        let mut place = gate.enter().await;
        while !rand::rng().random_bool(0.01) {
            let wait = Duration::from_micros(rand::rng().random_range(0..500));
            let running = limit.running.fetch_add(1, Ordering::SeqCst);
            if running < limit.most {
                tokio::time::sleep(wait).await;
                limit.running.fetch_sub(1, Ordering::SeqCst);
                limit.let_through.fetch_add(1, Ordering::SeqCst);
                place.let_through();
                return;
            }
            limit.running.fetch_sub(1, Ordering::SeqCst);
            place.refused();
            tokio::time::sleep(wait).await;
            place.enter().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_waits_for_ever_and_every_place_comes_back() {
        for most in [1, 3, 40, 1_000] {
            let gate = Gate::new(100);
            let (running, let_through) = (AtomicU32::new(0), AtomicU32::new(0));
            let limit = Arc::new(Limit { most, running, let_through });
            let mut all = JoinSet::new();
            for _ in 0..INVOCATIONS {
                all.spawn(invocation(Arc::clone(&gate), Arc::clone(&limit)));
            }
            let all = timeout(Duration::from_mins(1), all.join_all()).await;
            assert_eq!(all.expect("it ends").len(), INVOCATIONS);
            assert!(limit.let_through.load(Ordering::SeqCst) > 0);
            assert_eq!(places(gate.permits.available_permits()), gate.window().places);
        }
    }
}
