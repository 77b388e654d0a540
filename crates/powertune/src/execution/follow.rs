//! Follows an execution to its end, and stops it.

use std::time::{Duration, Instant};

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use powertune_core::stopped::Stopped;
use powertune_engine::event::Event;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{
    CallError, Ending, Measured, Outcome, StepFunctions, history::History, is_running, story::Story,
};

/// Between two looks at the history; it grows up to the longest.
const FIRST_POLL: Duration = Duration::from_millis(100);
const LONGEST_POLL: Duration = Duration::from_secs(1);
/// How long a history, or a status, may lag behind what was done: AWS promises no more than that
/// all of them come to be true.
const LAG: Duration = Duration::from_secs(10);
/// How long Step Functions may be out of sight, beside the tries that each call makes: the
/// execution goes on meanwhile.
const PATIENCE: Duration = Duration::from_mins(5);
/// How long stopping may take, and after it the end of the execution.
const STOPPING: Duration = Duration::from_secs(15);

/// An execution that is followed.
#[derive(Debug)]
pub(crate) struct Following<'a> {
    aws: &'a StepFunctions,
    execution: &'a str,
    history: History<'a>,
    story: Story,
    events: UnboundedSender<Event>,
    /// Whether the history may not be read: only the status tells of the execution then.
    is_blind: bool,
}

impl<'a> Following<'a> {
    /// Follows an execution, and tells of it in `events`.
    pub(crate) fn new(
        aws: &'a StepFunctions,
        execution: &'a str,
        events: UnboundedSender<Event>,
    ) -> Self {
        let history = History::new(aws, execution);
        Self { aws, execution, history, story: Story::default(), events, is_blind: false }
    }

    /// Follows it to its end, or until it is `cancelled`: `None`.
    ///
    /// # Errors
    /// When the execution is out of sight for good.
    pub(crate) async fn until_ended(
        &mut self,
        cancelled: &CancellationToken,
    ) -> Result<Option<Ending>, CallError> {
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Ok(None),
            ending = self.watch() => ending.map(Some),
        }
    }

    /// Stops it, and waits until it has ended.
    ///
    /// # Errors
    /// When it could not be stopped, or is out of sight.
    pub(crate) async fn stop(&mut self) -> Result<Ending, CallError> {
        let stopped = tokio::time::timeout(STOPPING, self.aws.stop(self.execution)).await;
        let stopped = stopped.unwrap_or_else(|_| Err(CallError::silent("StopExecution")));
        // It may have ended meanwhile, and how it ended is what counts.
        let ended = tokio::time::timeout(STOPPING, self.watch()).await;
        match (stopped, ended) {
            (Ok(()), Ok(Ok(Ending { outcome: Outcome::Stopped(_), .. }) | Err(_)) | Err(_)) => {
                Ok(Ending::interrupted(&self.story))
            }
            (_, Ok(Ok(ending))) => Ok(ending),
            (Err(error), _) => Err(error),
        }
    }

    /// What was measured until now.
    pub(crate) fn measured(&self) -> Option<Measured> {
        self.story.measured(Stopped::Failed)
    }

    async fn watch(&mut self) -> Result<Ending, CallError> {
        let mut poll = FIRST_POLL;
        loop {
            // Asked for first: what has ended by then is all in the history that is read next.
            let described = self.described().await?;
            self.read().await;
            if !is_running(&described.status) {
                self.catch_up().await;
                return Ok(Ending::of(&described, &self.story));
            }
            tokio::time::sleep(poll).await;
            poll = poll.mul_f64(1.3).min(LONGEST_POLL);
        }
    }

    /// The status, asked for patiently.
    async fn described(&self) -> Result<DescribeExecutionOutput, CallError> {
        let since = Instant::now();
        loop {
            match self.aws.describe(self.execution).await {
                Err(error) if error.is_outage() && since.elapsed() < PATIENCE => {
                    tokio::time::sleep(LONGEST_POLL).await;
                }
                described => return described,
            }
        }
    }

    /// Tells of what the history says. Where it can't be read, the status alone says how the
    /// execution ends.
    async fn read(&mut self) {
        if self.is_blind {
            return;
        }
        match self.history.next().await {
            Ok(history) => {
                self.story.is_unread = false;
                for told in history.iter().flat_map(|event| self.story.tell(event)) {
                    // Who has stopped listening does not want to know.
                    let _ = self.events.send(told);
                }
            }
            Err(error) => {
                self.story.is_unread = true;
                self.is_blind = !error.is_outage();
            }
        }
    }

    /// Reads the history of an execution that has ended until it says so, too.
    async fn catch_up(&mut self) {
        let since = Instant::now();
        while self.story.ended.is_none() && !self.is_blind && since.elapsed() < LAG {
            tokio::time::sleep(FIRST_POLL).await;
            self.read().await;
        }
    }
}
