//! The conversation with one runtime: a state machine that decides which calls are allowed.

use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use uuid::Uuid;

use super::{Dispatch, RuntimeApiError};

/// A call of the runtime.
#[derive(Debug)]
pub(in crate::execution) enum RuntimeEvent {
    /// A request for the next event, after the init or after an answer.
    Ready {
        at: Instant,
    },
    Response {
        payload: Bytes,
    },
    /// An answer that is larger than Lambda allows.
    ResponseTooLarge,
    /// The function failed. `payload` is the runtime's description.
    Error {
        error_type: String,
        payload: Bytes,
    },
    /// The init failed.
    InitError {
        error_type: String,
        payload: Bytes,
    },
}

#[derive(Debug)]
pub(super) struct Conversation {
    progress: Mutex<Progress>,
    pub(super) dispatched: Notify,
    events: mpsc::UnboundedSender<RuntimeEvent>,
}

#[derive(Debug)]
struct Progress {
    state: RuntimeState,
    /// `None` after the answer.
    event: Option<Dispatch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RuntimeState {
    Initialising,
    InitFailed,
    /// The runtime waits for an event.
    Ready,
    Running(Uuid),
    Responded(Uuid),
}

impl Conversation {
    pub(super) fn new(events: mpsc::UnboundedSender<RuntimeEvent>) -> Self {
        let progress = Progress { state: RuntimeState::Initialising, event: None };
        Self { progress: Mutex::new(progress), dispatched: Notify::new(), events }
    }

    pub(super) fn dispatch(&self, dispatch: Dispatch) {
        self.lock().event = Some(dispatch);
        self.dispatched.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().expect("nothing panics while it holds the lock")
    }

    pub(super) fn ready(&self) -> Result<(), RuntimeApiError> {
        let mut progress = self.lock();
        match progress.state {
            RuntimeState::Initialising | RuntimeState::Responded(_) => {
                progress.state = RuntimeState::Ready;
                self.tell(RuntimeEvent::Ready { at: Instant::now() });
                Ok(())
            }
            // The runtime asks again after a broken connection, and gets the same event.
            RuntimeState::Ready | RuntimeState::Running(_) => Ok(()),
            state @ RuntimeState::InitFailed => Err(state.refuses("Ready")),
        }
    }

    pub(super) fn give_event(&self) -> Option<Dispatch> {
        let mut progress = self.lock();
        let dispatch = progress.event.clone()?;
        progress.state = RuntimeState::Running(dispatch.request.request_id);
        Some(dispatch)
    }

    pub(super) fn expect_running(
        &self,
        id: &str,
        transition: &'static str,
    ) -> Result<(), RuntimeApiError> {
        match self.lock().state {
            RuntimeState::Running(current) if is(current, id) => Ok(()),
            state @ RuntimeState::Responded(current) if is(current, id) => {
                Err(state.refuses(transition))
            }
            _ => Err(RuntimeApiError::InvalidRequestId),
        }
    }

    pub(super) fn responded(
        &self,
        id: &str,
        transition: &'static str,
        event: RuntimeEvent,
    ) -> Result<(), RuntimeApiError> {
        let mut progress = self.lock();
        match progress.state {
            RuntimeState::Running(current) if is(current, id) => {
                progress.state = RuntimeState::Responded(current);
                progress.event = None;
                self.tell(event);
                Ok(())
            }
            // Another answer arrived while this one was read.
            state => Err(state.refuses(transition)),
        }
    }

    pub(super) fn init_failed(&self, event: RuntimeEvent) -> Result<(), RuntimeApiError> {
        let mut progress = self.lock();
        if progress.state != RuntimeState::Initialising {
            return Err(progress.state.refuses("InitError"));
        }
        progress.state = RuntimeState::InitFailed;
        self.tell(event);
        Ok(())
    }

    fn tell(&self, event: RuntimeEvent) {
        // Without a receiver the environment is about to end.
        drop(self.events.send(event));
    }
}

fn is(current: Uuid, id: &str) -> bool {
    Uuid::parse_str(id).is_ok_and(|id| id == current)
}

impl RuntimeState {
    /// The name of the state in AWS's runtime interface emulator.
    fn name(self) -> &'static str {
        match self {
            Self::Initialising => "RuntimeStartedState",
            Self::InitFailed => "RuntimeInitErrorState",
            Self::Ready => "RuntimeReadyState",
            Self::Running(_) => "Running",
            Self::Responded(_) => "RuntimeResponseSentState",
        }
    }

    fn refuses(self, transition: &'static str) -> RuntimeApiError {
        RuntimeApiError::InvalidTransition { from: self.name(), to: transition }
    }
}
