//! Watches an execution to its end, and stops it.

use std::time::{Duration, Instant};

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use powertune_core::stopped::Stopped;
use tokio_util::sync::CancellationToken;

use super::{
    client::{StepFunctions, is_outage, is_running},
    end::{ExecutionEnd, ExecutionOutcome},
    history::History,
    progress::ExecutionProgress,
};
use crate::{
    event::Events,
    gateway::{ApiError, ErrorKind},
    run::Ending,
};

/// The first pause between two reads of the history; it grows up to [`LONGEST_POLL`].
const FIRST_POLL: Duration = Duration::from_millis(100);
const LONGEST_POLL: Duration = Duration::from_secs(1);
/// The time that the history may lag behind the status: AWS only promises eventual consistency.
const LAG: Duration = Duration::from_secs(10);
/// The time that Step Functions may be out of reach, beyond the attempts of each call: the
/// execution goes on in the meantime.
const PATIENCE: Duration = Duration::from_mins(5);
/// The time limit of StopExecution, and then of the execution until it has ended.
const STOPPING: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct ExecutionWatch<'a> {
    aws: &'a StepFunctions,
    execution: &'a str,
    history: History<'a>,
    progress: ExecutionProgress,
    events: &'a Events,
    /// True if the caller may not read the history. Then the status is all that is known.
    is_blind: bool,
}

impl<'a> ExecutionWatch<'a> {
    pub(super) fn new(aws: &'a StepFunctions, execution: &'a str, events: &'a Events) -> Self {
        let history = History::new(aws, execution);
        let progress = ExecutionProgress::default();
        Self { aws, execution, history, progress, events, is_blind: false }
    }

    /// Watches the execution to its end; `None` if it is `cancelled` before.
    ///
    /// # Errors
    /// When the status can't be read any more.
    pub(super) async fn until_ended(
        &mut self,
        cancelled: &CancellationToken,
    ) -> Result<Option<ExecutionEnd>, ApiError> {
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Ok(None),
            ending = self.watch() => ending.map(Some),
        }
    }

    /// Stops the execution, and waits until it has ended.
    ///
    /// # Errors
    /// When it could not be stopped.
    pub(super) async fn stop(&mut self) -> Result<ExecutionEnd, ApiError> {
        let stopped = tokio::time::timeout(STOPPING, self.aws.stop(self.execution)).await;
        let stopped = stopped.unwrap_or_else(|_| Err(silent("StopExecution")));
        // It may have ended by itself before, and that end counts.
        let ended = tokio::time::timeout(STOPPING, self.watch()).await;
        match (stopped, ended) {
            (
                Ok(()),
                Ok(Ok(ExecutionEnd { outcome: ExecutionOutcome::Stopped(_), .. }) | Err(_))
                | Err(_),
            ) => Ok(ExecutionEnd::interrupted(&self.progress)),
            (_, Ok(Ok(ending))) => Ok(ending),
            (Err(error), _) => Err(error),
        }
    }

    /// The measurements until now.
    pub(super) fn measured(&self) -> Option<Ending> {
        self.progress.measured(Stopped::Failed)
    }

    async fn watch(&mut self) -> Result<ExecutionEnd, ApiError> {
        let mut poll = FIRST_POLL;
        loop {
            // Before the history, so that the history has everything if the status says it is over.
            let described = self.described().await?;
            self.read().await;
            if !is_running(&described.status) {
                self.catch_up().await;
                return Ok(ExecutionEnd::of(&described, &self.progress));
            }
            tokio::time::sleep(poll).await;
            poll = poll.mul_f64(1.3).min(LONGEST_POLL);
        }
    }

    /// The status, also after an outage of Step Functions.
    async fn described(&self) -> Result<DescribeExecutionOutput, ApiError> {
        let since = Instant::now();
        loop {
            match self.aws.describe(self.execution).await {
                Err(error) if is_outage(&error) && since.elapsed() < PATIENCE => {
                    tokio::time::sleep(LONGEST_POLL).await;
                }
                described => return described,
            }
        }
    }

    /// Sends the events of the history.
    async fn read(&mut self) {
        if self.is_blind {
            return;
        }
        match self.history.next().await {
            Ok(history) => {
                self.progress.is_unread = false;
                for event in history.iter().flat_map(|event| self.progress.take(event)) {
                    self.events.send(event);
                }
            }
            Err(error) => {
                self.progress.is_unread = true;
                self.is_blind = !is_outage(&error);
            }
        }
    }

    /// Reads the history of an execution that has ended until it has the end, too.
    async fn catch_up(&mut self) {
        let since = Instant::now();
        while self.progress.ended.is_none() && !self.is_blind && since.elapsed() < LAG {
            tokio::time::sleep(FIRST_POLL).await;
            self.read().await;
        }
    }
}

/// The error of a call that had no answer in time.
fn silent(operation: &'static str) -> ApiError {
    let message = "there is no answer".to_owned();
    ApiError { operation, kind: ErrorKind::Unknown, message }
}
