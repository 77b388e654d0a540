//! The environments, by the credentials that they sign with. So a call on this endpoint is
//! recognised as the call of a function that waits for the answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use uuid::Uuid;

use super::lease::{CpuLease, Suspension};
use crate::credentials::Credentials;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EnvironmentId(Uuid);

/// The existing environments. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Registry {
    entries: Arc<Mutex<HashMap<EnvironmentId, RegisteredEnvironment>>>,
}

#[derive(Debug)]
struct RegisteredEnvironment {
    credentials: Credentials,
    function: String,
    /// `None` while the environment is idle.
    lease: Option<Arc<CpuLease>>,
}

/// The entry of an environment, removed when dropped.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Registry,
    id: EnvironmentId,
}

impl Registry {
    /// Adds an environment that initialises under `lease`.
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

    /// The environment that signs with `access_key_id`, and its key pair.
    pub(super) fn caller(&self, access_key_id: &str) -> Option<(EnvironmentId, Credentials)> {
        let entries = self.lock();
        let found =
            entries.iter().find(|(_, entry)| entry.credentials.access_key_id == access_key_id);
        found.map(|(id, entry)| (*id, entry.credentials.clone()))
    }

    pub(super) fn function(&self, environment: EnvironmentId) -> Option<String> {
        self.lock().get(&environment).map(|entry| entry.function.clone())
    }

    /// Takes the share of CPU from a waiting environment.
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
    pub(super) fn hold(&self, lease: &Arc<CpuLease>) {
        self.registry.set_tenure(self.id, Some(Arc::clone(lease)));
    }

    pub(super) fn release(&self) {
        self.registry.set_tenure(self.id, None);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
    }
}
