//! What calls wait for. A call that has had no answer for a while is told of, so that nobody looks
//! at a silent terminal; before a run changes anything, a minute without an answer ends it.
//!
//! The SDK tells of every call through an interceptor, so that no call can be forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
use tokio_util::task::AbortOnDropHandle;

use super::{Gateway, transport::Called};

/// A call without an answer for so long is told of.
const NOTICE: Duration = Duration::from_secs(5);
/// Before the first change, nobody waits longer for an answer. It is also the longest that the SDK
/// waits for credentials: a person may have to press a button for them.
pub(super) const LONGEST_SILENCE: Duration = Duration::from_mins(1);
/// How often it is looked for calls, where there are none.
const LOOK: Duration = Duration::from_secs(1);

/// A call that has had no answer for a while.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// The operation, by AWS's name.
    pub operation: String,
    /// What it waits for.
    pub on: WaitsOn,
    /// For how many seconds it has been waiting.
    pub seconds: u64,
}

/// What a call waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitsOn {
    /// AWS credentials.
    Credentials {
        /// The profile of the AWS configuration files, where one was named.
        profile: Option<String>,
    },
    /// The answer of an endpoint, by its URL.
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
                    "{operation}: there have been no AWS credentials for {seconds} s; they come \
                     from the environment, or from the credential_process, the sign-in or the \
                     role of the profile {profile}"
                )
            }
        }
    }
}

/// The calls of a gateway that wait for something.
#[derive(Debug, Clone)]
pub(super) struct Waits {
    waiting: Arc<Mutex<Waiting>>,
    profile: Option<String>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The number of the next call.
    next: u64,
    calls: BTreeMap<u64, Call>,
    /// What was told of since the last answer: many calls may wait for the same.
    told: BTreeSet<(String, WaitsOn)>,
    listener: Listener,
}

/// The function that is told of waits.
#[derive(Default)]
struct Listener(Option<Box<dyn Fn(Wait) + Send>>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.0.is_some()).finish()
    }
}

#[derive(Debug)]
struct Call {
    operation: String,
    on: WaitsOn,
    since: Instant,
}

impl Call {
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
        // What is written there is whole, also where a writer panicked.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn credentials(&self) -> WaitsOn {
        WaitsOn::Credentials { profile: self.profile.clone() }
    }

    fn begin(&self, operation: String) -> Begun {
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        let call = Call { operation, on: self.credentials(), since: Instant::now() };
        waiting.calls.insert(number, call);
        let waits = self.clone();
        let notice = tokio::spawn(async move { waits.notice(number).await });
        Begun { waits: self.clone(), number, _notice: AbortOnDropHandle::new(notice) }
    }

    /// Tells of a call as soon as it has waited for long, once.
    async fn notice(&self, number: u64) {
        loop {
            let Some(since) = self.lock().calls.get(&number).map(|call| call.since) else { return };
            tokio::time::sleep_until(since + NOTICE).await;
            let mut waiting = self.lock();
            let Some(call) = waiting.calls.get(&number) else { return };
            if call.since == since {
                let wait = call.wait();
                if waiting.told.insert((wait.operation.clone(), wait.on.clone()))
                    && let Some(tell) = &waiting.listener.0
                {
                    tell(wait);
                }
                return;
            }
        }
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

/// A call that goes on; it is over when this is dropped, whatever has become of it.
#[derive(Debug)]
struct Begun {
    waits: Waits,
    number: u64,
    _notice: AbortOnDropHandle<()>,
}

impl Storable for Begun {
    type Storer = StoreReplace<Self>;
}

impl Begun {
    fn change(&self, change: impl FnOnce(&mut Call)) {
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

/// What the SDK tells of the calls of a client.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) waits: Waits,
    pub(super) called: Called,
    /// Whether the answer may take any time, as that of a function.
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
        let endpoint = self.called.note(context);
        if self.is_patient {
            bag.interceptor_state().unset::<Begun>();
        } else if let Some(begun) = bag.load::<Begun>() {
            begun.change(|call| call.on = WaitsOn::Endpoint(endpoint));
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
    /// Calls this function for each call that waits for long, instead of an earlier one.
    pub fn on_wait(&self, tell: impl Fn(Wait) + Send + 'static) {
        self.waits.lock().listener = Listener(Some(Box::new(tell)));
    }

    /// Does the work that comes before the first change; an error where a call has no answer for a
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
