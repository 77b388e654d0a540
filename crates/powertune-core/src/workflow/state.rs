//! The data that the states pass on, as JSON. The paths in the definition use these field names.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Digest, definition::THROTTLED};
use crate::{
    analysis::Subject,
    architecture::Architecture,
    backlog::{Backlog, Task},
    budget::Tariff,
    observation::{Evidence, Observation, Skipped},
    plan::{Measurement, Planner},
    power::{Power, PowerValues},
    price::{self, Price, UnknownPrice},
    region::Region,
    request::{Faults, Request, parse},
    result::Applied,
};

/// The input of Initialize.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InitializeInput {
    /// The execution, from the context object.
    pub execution: Execution,
    /// The input of the execution: a request.
    pub request: Map<String, Value>,
}

/// An execution of the state machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// The ARN.
    pub id: String,
    /// The start time in RFC 3339.
    pub start_time: String,
}

/// The state that Initialize passes to Publish, Decide, Apply and Clean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunState {
    /// The facts that do not change during the run.
    pub run: RunContext,
    /// The open round. The Map iterates over its `tasks`.
    #[serde(flatten)]
    pub backlog: Backlog,
    /// The evidence so far.
    #[serde(default)]
    pub seen: DigestedEvidence,
    /// The cost of the invocations, in the currency of the region. An unknown cost counts as its
    /// maximum.
    #[serde(default)]
    pub spent: f64,
    /// The used part of Step Functions' limits.
    #[serde(default)]
    pub used: Used,
    /// The first version of Publish. It has the function's configuration at the start, memory
    /// aside. Later steps compare the function with it, so that no data of the configuration has to
    /// be in a state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The outputs of the Map over `tasks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<MeasureOutput>,
    /// The next step after Decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// The error of a failed step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Caught>,
    /// The applied choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// The output of the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// The facts that do not change during a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunContext {
    /// The execution of the state machine.
    pub execution: Execution,
    /// The request as given, and checked.
    pub request: Map<String, Value>,
    /// The function at the start.
    pub function: TunedFunction,
    /// The powers to choose from.
    pub powers: PowerValues,
    /// The id of the run in its tags and versions.
    pub mark: String,
    /// The announced latest end of the run, in RFC 3339.
    pub until: String,
    /// The number of powers that are measured in parallel.
    pub width: u32,
    /// The maximum number of invocations in flight per power.
    pub in_flight: u32,
    /// The maximum duration of an invocation with its processors, in milliseconds.
    pub longest_ms: u64,
    /// The maximum billed duration of an invocation, in milliseconds.
    pub longest_billed_ms: u64,
    /// The maximum cost of the run, in the currency of the region.
    pub worst_cost: f64,
    /// The cost limit of the request, in the same currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<f64>,
    /// The maximum length of a digest, in bytes of JSON.
    pub digest_bytes: u64,
    /// The version of autoOptimizeAlias at the start. `None` without this field or without such an
    /// alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_at: Option<String>,
    /// Advice for the user, besides the warnings of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The function as Initialize read it, with the marks by which a change is noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TunedFunction {
    /// The unqualified ARN.
    pub arn: String,
    /// The region of the function.
    pub region: Region,
    /// The instruction set architecture.
    pub architecture: Architecture,
    /// The power of `$LATEST`.
    pub power: Power,
    /// The power of the named version or alias, or of `$LATEST`.
    pub current: Power,
    /// The storage under /tmp in MB.
    pub ephemeral_storage_mb: u32,
    /// The hash of the deployment package, if the endpoint gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    /// The RevisionId before the run's first change, if no update was in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
}

/// The input of Measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasureInput {
    /// The facts that do not change during the run.
    pub run: RunContext,
    /// The task to measure.
    pub task: Task,
}

/// The output of one iteration of the Map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeasureOutput {
    /// The measured task.
    pub task: Task,
    /// The observations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The reason why the run can't go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The error by which the batch was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Caught>,
}

/// An error, in the form that Catch passes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Caught {
    /// The name of the error.
    pub error: String,
    /// The text of the error.
    #[serde(default)]
    pub cause: String,
}

/// The evidence of a run, with a digest for each power.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DigestedEvidence {
    /// The number of measured rounds.
    pub rounds: u32,
    /// At most one per power.
    pub digests: Vec<Digest>,
    /// The powers that could not be tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
}

/// The used part of an execution's limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// The state transitions, without retries.
    pub transitions: u64,
    /// The events in the history, without retries.
    pub events: u64,
}

/// The step after Decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Next {
    /// Versions must be published.
    Publish,
    /// There is more to measure.
    Measure,
    /// The choice must be applied.
    Apply,
    /// Everything is done.
    Clean,
}

/// The `Cause` of a failed Lambda function: JSON with the type, message and trace of the error. The
/// message may be empty or missing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LambdaCause {
    error_type: Option<String>,
    error_message: Option<String>,
}

/// Step Functions' errors for a Lambda function that did not run, because the call was throttled or
/// the function does not exist. After any other error it may have run.
const NOTHING_RAN: [&str; 2] = [THROTTLED, "Lambda.ResourceNotFoundException"];

impl Caught {
    /// The message without Lambda's JSON around it. Empty for an error without one, such as a
    /// timeout.
    pub fn said(&self) -> String {
        match serde_json::from_str(&self.cause) {
            Ok(LambdaCause { error_message: Some(message), .. }) => message,
            Ok(LambdaCause { error_type: Some(_), .. }) => String::new(),
            _ => self.cause.clone(),
        }
    }

    /// The name of the error, with its message if there is one.
    pub fn told(&self) -> String {
        let said = self.said();
        if said.is_empty() { self.error.clone() } else { format!("{}: {said}", self.error) }
    }

    /// True if the Lambda function of the task did not run.
    pub fn ran_nothing(&self) -> bool {
        NOTHING_RAN.contains(&self.error.as_str())
    }
}

impl RunState {
    /// The state at the start of a run with this round. The function is still unchanged.
    ///
    /// # Errors
    /// When the price of the function is not known.
    pub fn begin(run: RunContext, measurements: &[Measurement]) -> Result<Self, UnknownPrice> {
        let mut state = Self {
            run,
            backlog: Backlog::default(),
            seen: DigestedEvidence::default(),
            spent: 0.0,
            used: Used::initialized(),
            reference: None,
            measured: Vec::new(),
            next: None,
            failure: None,
            applied: None,
            result: None,
        };
        state.backlog.open(measurements, |_| 0);
        state.line_up()?;
        Ok(state)
    }

    /// Picks the tasks to measure next, within the parallel width and the cost limit.
    ///
    /// # Errors
    /// When the price of the function is not known.
    pub fn line_up(&mut self) -> Result<(), UnknownPrice> {
        let width = self.run.width.max(1) as usize;
        let room = self.run.max_cost.map(|most| most - self.spent);
        self.backlog.line_up(width, room, &self.run.tariff()?);
        Ok(())
    }

    /// True if the run has not changed the function yet.
    pub fn is_untouched(&self) -> bool {
        self.used == Used::initialized()
    }
}

impl RunContext {
    /// Reads the request, which Initialize has checked.
    pub fn request(&self) -> Result<Request, Faults> {
        parse(&self.request)
    }

    /// The function as the analysis needs it.
    pub fn subject(&self) -> Result<Subject, UnknownPrice> {
        let TunedFunction { arn, region, architecture, current, .. } = &self.function;
        Ok(Subject {
            function_arn: arn.clone(),
            region: region.clone(),
            architecture: *architecture,
            current: *current,
            powers: self.powers.clone(),
            price: self.function.price()?,
            origin: price::Origin::default(),
        })
    }

    /// The planner of this run.
    pub fn planner(&self, request: &Request) -> Result<Planner, UnknownPrice> {
        let TunedFunction { current, .. } = self.function;
        Ok(Planner::new(request, self.function.price()?, current, self.powers.clone()))
    }

    /// The cost of invocations of the function.
    pub fn tariff(&self) -> Result<Tariff, UnknownPrice> {
        let price = self.function.price()?;
        Ok(Tariff { price, longest_ms: self.longest_billed_ms as f64 })
    }
}

impl TunedFunction {
    /// The price of the function. Storage with an unknown price is not counted.
    pub fn price(&self) -> Result<Price, UnknownPrice> {
        let price = price::on_demand(&self.region, self.architecture)?;
        Ok(price.with_ephemeral_storage(self.ephemeral_storage_mb).unwrap_or(price))
    }
}

impl DigestedEvidence {
    pub(super) fn take(&mut self, digest: Digest, bytes: u64) {
        match self.digests.iter_mut().find(|known| known.power == digest.power) {
            Some(known) => {
                known.merge(digest);
                let merged = std::mem::replace(known, Digest::empty(known.power));
                *known = merged.within(bytes);
            }
            None => self.digests.push(digest.within(bytes)),
        }
    }

    pub(super) fn invocations(&self, power: Power) -> u32 {
        let seen = self.digests.iter().find(|digest| digest.power == power);
        seen.map_or(0, |digest| u32::try_from(digest.invocations()).unwrap_or(u32::MAX))
    }

    /// The evidence for planner and analysis.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            rounds: self.rounds,
            observations: self.observations(),
            skipped: self.skipped.clone(),
        }
    }

    fn observations(&self) -> Vec<Observation> {
        self.digests.iter().flat_map(Digest::observations).collect()
    }
}
