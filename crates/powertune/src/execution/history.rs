//! The history of an execution, read as it grows.

use aws_sdk_sfn::types::HistoryEvent;

use super::{CallError, StepFunctions};

/// Events in a page, the most that there can be.
const PAGE: i32 = 1000;

/// Reads on where it has stopped.
#[derive(Debug)]
pub(super) struct History<'a> {
    aws: &'a StepFunctions,
    execution: &'a str,
    /// What leads to the page that was not full when it was read.
    page: Option<String>,
    /// The id of the last event that was read.
    read: i64,
    /// What was read, and not handed on yet: whoever waits for more may stop waiting.
    events: Vec<HistoryEvent>,
}

impl<'a> History<'a> {
    pub(super) fn new(aws: &'a StepFunctions, execution: &'a str) -> Self {
        Self { aws, execution, page: None, read: 0, events: Vec::new() }
    }

    /// The events that have come since.
    pub(super) async fn next(&mut self) -> Result<Vec<HistoryEvent>, CallError> {
        loop {
            let request = self.aws.client.get_execution_history().execution_arn(self.execution);
            let request = request.max_results(PAGE).include_execution_data(true);
            let page = request.set_next_token(self.page.clone()).send().await;
            let page = page.map_err(|error| self.aws.failed("GetExecutionHistory", &error))?;
            self.events.extend(page.events.into_iter().filter(|event| event.id > self.read));
            if let Some(last) = self.events.last() {
                self.read = last.id;
            }
            match page.next_token {
                Some(next) => self.page = Some(next),
                None => return Ok(std::mem::take(&mut self.events)),
            }
        }
    }
}
