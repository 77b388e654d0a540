//! Which environments there are, by the credentials that they sign with: how a call on this
//! endpoint is known to come from a function that now waits for its answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use uuid::Uuid;

use super::lease::{CpuLease, Suspension};
use crate::settings::Credentials;

/// Names one execution environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EnvironmentId(Uuid);

/// The environments that exist. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Registry {
    entries: Arc<Mutex<HashMap<EnvironmentId, RegisteredEnvironment>>>,
}

#[derive(Debug)]
struct RegisteredEnvironment {
    credentials: Credentials,
    /// The function that the environment runs.
    function: String,
    /// While it initialises or runs an invocation.
    lease: Option<Arc<CpuLease>>,
}

/// An environment's entry, gone when dropped.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Registry,
    id: EnvironmentId,
}

impl Registry {
    /// Enters an environment that initialises under `lease`.
    pub(super) fn register(
        &self,
        credentials: Credentials,
        function: String,
        lease: &Arc<CpuLease>,
    ) -> Registration {
        let id = EnvironmentId(Uuid::new_v4());
        let entry = RegisteredEnvironment { credentials, function, lease: Some(Arc::clone(lease)) };
        self.lock().insert(id, entry);
        Registration { registry: self.clone(), id }
    }

    /// The environment that signs with `access_key_id`, and all that it signs with.
    pub(super) fn caller(&self, access_key_id: &str) -> Option<(EnvironmentId, Credentials)> {
        let entries = self.lock();
        let found =
            entries.iter().find(|(_, entry)| entry.credentials.access_key_id == access_key_id);
        found.map(|(id, entry)| (*id, entry.credentials.clone()))
    }

    /// The function that an environment runs.
    pub(super) fn function(&self, environment: EnvironmentId) -> Option<String> {
        self.lock().get(&environment).map(|entry| entry.function.clone())
    }

    /// Takes the share of CPU from an environment that waits.
    pub(super) fn suspend(&self, caller: EnvironmentId) -> Suspension {
        let lease = self.lock().get(&caller).and_then(|entry| entry.lease.clone());
        lease.map_or_else(Suspension::none, CpuLease::suspend)
    }

    fn set_tenure(&self, id: EnvironmentId, lease: Option<Arc<CpuLease>>) {
        if let Some(entry) = self.lock().get_mut(&id) {
            entry.lease = lease;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EnvironmentId, RegisteredEnvironment>> {
        self.entries.lock().expect("nothing panics while it holds the lock")
    }
}

impl Registration {
    /// The environment works under `lease` from now on.
    pub(super) fn hold(&self, lease: &Arc<CpuLease>) {
        self.registry.set_tenure(self.id, Some(Arc::clone(lease)));
    }

    /// The environment waits for work.
    pub(super) fn release(&self) {
        self.registry.set_tenure(self.id, None);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
    }
}
