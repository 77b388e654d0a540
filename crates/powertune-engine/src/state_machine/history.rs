//! The history of an execution, read as it grows.

use aws_sdk_sfn::types::HistoryEvent;

use super::client::StepFunctions;
use crate::gateway::ApiError;

/// Events in a page: the most that AWS gives.
const PAGE: i32 = 1000;

/// Reads on from the last event that it has read.
#[derive(Debug)]
pub(super) struct History<'a> {
    aws: &'a StepFunctions,
    execution: &'a str,
    /// The token of the last page, which was not full.
    page: Option<String>,
    /// The id of the last event that was read.
    read: i64,
    /// Events that were read and not returned: `next` may be dropped before it ends.
    events: Vec<HistoryEvent>,
}

impl<'a> History<'a> {
    pub(super) fn new(aws: &'a StepFunctions, execution: &'a str) -> Self {
        Self { aws, execution, page: None, read: 0, events: Vec::new() }
    }

    /// The events since the last call.
    pub(super) async fn next(&mut self) -> Result<Vec<HistoryEvent>, ApiError> {
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
