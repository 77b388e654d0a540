//! Executions of the state machine on AWS Step Functions: started, followed and ended from here.
//!
//! What the history of an execution tells becomes the events that a run on this machine sends, so
//! that the same display shows both.

mod ending;
mod find;
mod history;
mod story;

use std::time::{Duration, Instant};

use aws_sdk_sfn::{
    Client,
    config::retry::RetryConfig,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    types::{ExecutionStatus, HistoryEvent},
};
use powertune_engine::event::Event;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    ending::{Ending, Outcome},
    find::{Named, find},
};
use self::{history::History, story::Story};

/// Between two looks at the history; it grows up to the longest.
const FIRST_POLL: Duration = Duration::from_millis(100);
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// How long a history may lag behind the execution's status: AWS promises no more than that both
/// come to be true.
const LAG: Duration = Duration::from_secs(10);

/// The Step Functions API of one account and region.
#[derive(Debug, Clone)]
pub(crate) struct StepFunctions {
    client: Client,
}

/// A call to Step Functions that failed, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}{hint}")]
pub(crate) struct CallError {
    operation: &'static str,
    message: String,
    hint: String,
}

impl CallError {
    fn of<E>(operation: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let service = error.as_service_error();
        let chain = || DisplayErrorContext(error).to_string();
        let message = match service.map(|service| (service.code(), service.message())) {
            Some((Some(code), Some(message))) => format!("{code}: {message}"),
            Some((Some(code), None)) => code.to_owned(),
            _ => chain().split(" (").next().unwrap_or_default().to_owned(),
        };
        let denied = message.starts_with("AccessDenied");
        let hint = if denied {
            format!(" (allow states:{operation} for this caller and try again)")
        } else {
            String::new()
        };
        Self { operation, message, hint }
    }
}

impl StepFunctions {
    pub(crate) fn new(config: &aws_config::SdkConfig, endpoint_url: Option<&str>) -> Self {
        let mut builder = aws_sdk_sfn::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(6));
        if let Some(url) = endpoint_url {
            builder = builder.endpoint_url(url);
        }
        Self { client: Client::from_conf(builder.build()) }
    }

    /// StartExecution; the execution's ARN. The name makes a repeated call the same one.
    pub(crate) async fn start(
        &self,
        state_machine: &str,
        name: &str,
        input: &str,
    ) -> Result<String, CallError> {
        let start = self.client.start_execution().state_machine_arn(state_machine).name(name);
        let started = start.input(input).send().await;
        let started = started.map_err(|error| CallError::of("StartExecution", &error))?;
        Ok(started.execution_arn)
    }

    /// StopExecution.
    pub(crate) async fn stop(&self, execution: &str) -> Result<(), CallError> {
        let stop = self.client.stop_execution().execution_arn(execution);
        let stopped =
            stop.error("Powertune.Interrupted").cause("interrupted by the user").send().await;
        stopped.map(|_| ()).map_err(|error| CallError::of("StopExecution", &error))
    }

    /// Whether an execution is still going on.
    pub(crate) async fn is_running(&self, execution: &str) -> Result<bool, CallError> {
        let described = self.client.describe_execution().execution_arn(execution).send().await;
        let described = described.map_err(|error| CallError::of("DescribeExecution", &error))?;
        Ok(is_running(&described.status))
    }

    /// Follows an execution to its end, or until it is `cancelled`, and tells of it in `events`.
    pub(crate) async fn follow(
        &self,
        execution: &str,
        events: &UnboundedSender<Event>,
        cancelled: &CancellationToken,
    ) -> Result<Ending, CallError> {
        let mut history = History::new(&self.client, execution);
        let mut story = Story::default();
        let mut poll = FIRST_POLL;
        loop {
            // Asked for first: what has ended by then is all in the history that is read next.
            let described = self.client.describe_execution().execution_arn(execution).send().await;
            let described =
                described.map_err(|error| CallError::of("DescribeExecution", &error))?;
            tell(&mut story, &history.next().await?, events);
            if !is_running(&described.status) {
                self.catch_up(&mut history, &mut story, events).await?;
                return Ok(Ending::of(&described, story));
            }
            tokio::select! {
                () = tokio::time::sleep(poll) => poll = poll.mul_f64(1.3).min(LONGEST_POLL),
                () = cancelled.cancelled() => return Ok(Ending::interrupted(story)),
            }
        }
    }

    /// Reads the history of an execution that has ended until it says so, too.
    async fn catch_up(
        &self,
        history: &mut History<'_>,
        story: &mut Story,
        events: &UnboundedSender<Event>,
    ) -> Result<(), CallError> {
        let since = Instant::now();
        while story.ended.is_none() && since.elapsed() < LAG {
            tokio::time::sleep(FIRST_POLL).await;
            tell(story, &history.next().await?, events);
        }
        Ok(())
    }
}

/// Tells of what the history says.
fn tell(story: &mut Story, history: &[HistoryEvent], events: &UnboundedSender<Event>) {
    for told in history.iter().flat_map(|event| story.tell(event)) {
        // Who has stopped listening does not want to know.
        let _ = events.send(told);
    }
}

fn is_running(status: &ExecutionStatus) -> bool {
    matches!(status, ExecutionStatus::Running | ExecutionStatus::PendingRedrive)
}
