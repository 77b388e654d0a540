//! The shared state of all requests: the control plane's store, and the data plane.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::{
    calls::CallLog,
    credentials::Credentials,
    execution::DataPlane,
    reference::AwsAccount,
    store::{Moment, Store},
};

#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) account: AwsAccount,
    /// `http://127.0.0.1:PORT`.
    pub(crate) endpoint: String,
    pub(crate) credentials: Vec<Credentials>,
    pub(crate) data_plane: DataPlane,
    pub(crate) calls: Option<CallLog>,
    /// Cancelled when the server stops.
    pub(crate) stopping: CancellationToken,
    store: Mutex<Store>,
}

impl Platform {
    pub(crate) fn new(
        store: Store,
        data_plane: DataPlane,
        endpoint: String,
        credentials: Vec<Credentials>,
        calls: Option<CallLog>,
        stopping: CancellationToken,
    ) -> Arc<Self> {
        let account = store.account.clone();
        let store = Mutex::new(store);
        Arc::new(Self { account, endpoint, credentials, data_plane, calls, stopping, store })
    }

    /// Changes or reads the store as of now, and then ends the environments that went out of
    /// service.
    pub(crate) fn with_store<T>(&self, work: impl FnOnce(&mut Store, Moment) -> T) -> T {
        // A panic in another request leaves no half-made change: every transition checks first and
        // assigns last.
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Moment::now();
        store.settle(now);
        let result = work(&mut store, now);
        let retired = store.take_retired();
        drop(store);
        for snapshot in retired {
            self.data_plane.retire(snapshot);
        }
        result
    }
}
