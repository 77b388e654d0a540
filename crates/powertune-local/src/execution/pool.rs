//! The idle environments, by the snapshot that they run.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::environment::ExecutionEnvironment;

#[derive(Debug, Default)]
pub(super) struct Pool {
    versions: Mutex<HashMap<Uuid, IdleEnvironments>>,
}

/// The environments of one snapshot.
#[derive(Debug, Default)]
struct IdleEnvironments {
    /// The most recently used environment is the last.
    idle: Vec<ExecutionEnvironment>,
    /// Invocations that will take or return an environment.
    in_flight: usize,
    retired: bool,
}

impl Pool {
    /// Announces an invocation of `snapshot`.
    pub(super) fn enter(&self, snapshot: Uuid) {
        self.lock().entry(snapshot).or_default().in_flight += 1;
    }

    /// Takes the environment that was used last, so that the others grow old and end.
    pub(super) fn take(&self, snapshot: Uuid) -> Option<ExecutionEnvironment> {
        self.lock().get_mut(&snapshot)?.idle.pop()
    }

    /// Ends an announced invocation. Returns the environments to end.
    #[must_use = "they have to be ended"]
    pub(super) fn leave(
        &self,
        snapshot: Uuid,
        back: Option<ExecutionEnvironment>,
    ) -> Vec<ExecutionEnvironment> {
        let mut versions = self.lock();
        let these = versions.entry(snapshot).or_default();
        these.in_flight = these.in_flight.saturating_sub(1);
        these.idle.extend(back);
        let unwanted = if these.retired && these.in_flight == 0 {
            std::mem::take(&mut these.idle)
        } else {
            Vec::new()
        };
        if these.is_bare() {
            versions.remove(&snapshot);
        }
        unwanted
    }

    /// Takes `snapshot` out of use: idle environments now, busy environments after their
    /// invocations.
    #[must_use = "they have to be ended"]
    pub(super) fn retire(&self, snapshot: Uuid) -> Vec<ExecutionEnvironment> {
        let mut versions = self.lock();
        let Some(these) = versions.get_mut(&snapshot) else { return Vec::new() };
        these.retired = true;
        let idle = std::mem::take(&mut these.idle);
        if these.is_bare() {
            versions.remove(&snapshot);
        }
        idle
    }

    /// Takes environments that were idle for `age`.
    #[must_use = "they have to be ended"]
    pub(super) fn expire(&self, age: Duration) -> Vec<ExecutionEnvironment> {
        let now = Instant::now();
        let old = |environment: &mut ExecutionEnvironment| {
            now.saturating_duration_since(environment.last_used()) >= age
        };
        let mut versions = self.lock();
        let expired =
            versions.values_mut().flat_map(|shelf| shelf.idle.extract_if(.., old)).collect();
        versions.retain(|_, shelf| !shelf.is_bare());
        expired
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, IdleEnvironments>> {
        self.versions.lock().expect("nothing panics while it holds the lock")
    }
}

impl IdleEnvironments {
    fn is_bare(&self) -> bool {
        self.idle.is_empty() && self.in_flight == 0
    }
}
