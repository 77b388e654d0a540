//! Reports calls that wait for an answer. After a few seconds the listener hears of the call, so no
//! terminal stays silent. Before a run's first change, a minute without an answer ends the run.
//!
//! An interceptor in the SDK sees every call, so none can be forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use aws_sdk_lambda::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::context::{
            BeforeDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextRef,
            BeforeTransmitInterceptorContextRef,
        },
        orchestrator::Metadata,
    },
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use tokio::time::Instant;

use super::{Gateway, transport::Called};

/// The listener hears of a call after this wait.
const NOTICE: Duration = Duration::from_secs(5);
/// The longest wait for an answer before the first change. The SDK waits no longer for credentials
/// either: a person may have to press a button for them.
pub(super) const LONGEST_SILENCE: Duration = Duration::from_mins(1);
/// The interval of the looks at the calls.
const LOOK: Duration = Duration::from_secs(1);

/// A call that has had no answer for a while.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// The operation, by AWS's name.
    pub operation: String,
    /// The cause of the wait.
    pub on: WaitsOn,
    /// The length of the wait so far, in seconds.
    pub seconds: u64,
}

/// The cause of a wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitsOn {
    /// The call waits for AWS credentials.
    Credentials {
        /// The profile of AWS's configuration files, if one is named.
        profile: Option<String>,
    },
    /// The call waits for this endpoint, given by its URL.
    Endpoint(String),
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, on, seconds } = self;
        match on {
            WaitsOn::Endpoint(url) => {
                write!(f, "{operation}: {url} has not answered for {seconds} s")
            }
            WaitsOn::Credentials { profile } => {
                let profile = profile.as_deref().unwrap_or("default");
                write!(
                    f,
                    "{operation}: no AWS credentials for {seconds} s; they come from the \
                     environment, or from the credential_process, the sign-in or the role of the \
                     profile {profile}"
                )
            }
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Waits {
    waiting: Arc<Mutex<Waiting>>,
    profile: Option<String>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    calls: BTreeMap<u64, WaitingCall>,
    /// The reported waits since the last answer: many calls may wait for the same thing.
    told: BTreeSet<(String, WaitsOn)>,
    listener: Listener,
    /// True while a task looks for long waits.
    is_watched: bool,
}

#[derive(Default)]
struct Listener(Option<Box<dyn Fn(Wait) + Send>>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.0.is_some()).finish()
    }
}

#[derive(Debug)]
struct WaitingCall {
    operation: String,
    on: WaitsOn,
    since: Instant,
    /// True once its long wait was reported, or that of another call for the same thing.
    is_told: bool,
}

impl WaitingCall {
    fn wait(&self) -> Wait {
        Wait {
            operation: self.operation.clone(),
            on: self.on.clone(),
            seconds: self.since.elapsed().as_secs(),
        }
    }
}

impl Waits {
    pub(super) fn new(profile: Option<String>) -> Self {
        Self { waiting: Arc::default(), profile }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    fn credentials(&self) -> WaitsOn {
        WaitsOn::Credentials { profile: self.profile.clone() }
    }

    fn begin(&self, operation: String) -> Begun {
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        let (on, since) = (self.credentials(), Instant::now());
        waiting.calls.insert(number, WaitingCall { operation, on, since, is_told: false });
        // One task for all calls: a task for each would wake another thread for each.
        if !waiting.is_watched {
            waiting.is_watched = true;
            tokio::spawn(watch(Watching(Arc::downgrade(&self.waiting))));
        }
        Begun { waits: self.clone(), number }
    }

    /// Waits until a call has had no answer for too long.
    async fn too_long(&self) -> Wait {
        loop {
            let oldest = self.lock().calls.values().map(|call| call.since).min();
            match oldest.map(|since| since + LONGEST_SILENCE) {
                Some(end) if end <= Instant::now() => {
                    let waiting = self.lock();
                    if let Some(call) = waiting.calls.values().min_by_key(|call| call.since) {
                        return call.wait();
                    }
                }
                Some(end) => tokio::time::sleep_until(end).await,
                None => tokio::time::sleep(LOOK).await,
            }
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    // Every write leaves this consistent, even if a writer panics.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waiting {
    /// Reports each call once, as soon as its wait is long.
    fn report(&mut self) {
        let Self { calls, told, listener, .. } = self;
        let is_long = |call: &&mut WaitingCall| !call.is_told && call.since.elapsed() >= NOTICE;
        for call in calls.values_mut().filter(is_long) {
            call.is_told = true;
            let wait = call.wait();
            if told.insert((wait.operation.clone(), wait.on.clone()))
                && let Some(tell) = &listener.0
            {
                tell(wait);
            }
        }
    }
}

/// Says when dropped that nothing looks for long waits any more, even if the runtime ends first.
struct Watching(Weak<Mutex<Waiting>>);

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.upgrade() {
            lock(&waiting).is_watched = false;
        }
    }
}

/// Reports long waits, as long as there are calls.
async fn watch(watching: Watching) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(waiting) = watching.0.upgrade() else { return };
        let mut waiting = lock(&waiting);
        waiting.report();
        if waiting.calls.is_empty() {
            // Under the lock, so that no call begins unseen.
            waiting.is_watched = false;
            return;
        }
    }
}

/// A call in progress. Dropping this ends it, whatever its result.
#[derive(Debug)]
struct Begun {
    waits: Waits,
    number: u64,
}

impl Storable for Begun {
    type Storer = StoreReplace<Self>;
}

impl Begun {
    fn change(&self, change: impl FnOnce(&mut WaitingCall)) {
        if let Some(call) = self.waits.lock().calls.get_mut(&self.number) {
            change(call);
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.waits.lock().calls.remove(&self.number);
    }
}

#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) waits: Waits,
    pub(super) called: Called,
    /// True if an answer may take any time, as a function's answer may.
    pub(super) is_patient: bool,
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "powertune's watch"
    }

    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = bag.load::<Metadata>().map_or("a call", Metadata::name).to_owned();
        let begun = self.waits.begin(operation);
        bag.interceptor_state().store_put(begun);
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(begun) = bag.load::<Begun>() {
            begun.change(|call| call.on = self.waits.credentials());
        }
        Ok(())
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.called.note(context);
        if self.is_patient {
            bag.interceptor_state().unset::<Begun>();
        } else if let Some(begun) = bag.load::<Begun>() {
            begun.change(|call| call.on = WaitsOn::Endpoint(self.called.endpoint()));
        }
        Ok(())
    }

    fn read_after_transmit(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(begun) = bag.load::<Begun>() {
            begun.change(|call| call.since = Instant::now());
            self.waits.lock().told.clear();
        }
        Ok(())
    }
}

impl Gateway {
    /// Sets the function that hears of every long wait. It replaces an earlier one.
    pub fn on_wait(&self, tell: impl Fn(Wait) + Send + 'static) {
        self.waits.lock().listener = Listener(Some(Box::new(tell)));
    }

    /// Does work that comes before the first change. It fails if a call has had no answer for a
    /// minute.
    pub(crate) async fn patiently<T, E: From<Wait>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            done = work => done,
            wait = self.waits.too_long() => Err(wait.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_is_told_of_once_and_given_up_after_a_minute() {
        let waits = Waits::new(Some("work".to_owned()));
        let (tell, heard) = std::sync::mpsc::channel();
        waits.lock().listener =
            Listener(Some(Box::new(move |wait| tell.send(wait).expect("it is heard"))));
        let [one, another] =
            ["GetFunction", "GetFunction"].map(|name| waits.begin(name.to_owned()));
        let started = Instant::now();
        let wait = waits.too_long().await;
        assert_eq!((started.elapsed(), wait.seconds), (LONGEST_SILENCE, 60));
        drop((one, another));
        let told: Vec<String> = heard.try_iter().map(|wait: Wait| wait.to_string()).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("GetFunction") && told[0].contains("the profile work"),
            "{told:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn answers_and_ends_are_no_silence() {
        let waits = Waits::new(None);
        let call = waits.begin("ListTags".to_owned());
        let quiet = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(59)).await;
                call.change(|call| call.since = Instant::now());
            }
            drop(call);
            tokio::time::sleep(Duration::from_hours(1)).await;
        };
        tokio::select! {
            wait = waits.too_long() => panic!("{wait}"),
            () = quiet => {}
        }
    }
}
