//! What the states hand to each other, as JSON. Field names are those that the definition's paths
//! speak of.

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

/// What Initialize is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InitializeInput {
    /// The execution, from the context object.
    pub execution: Execution,
    /// The execution's input: a request.
    pub request: Map<String, Value>,
}

/// An execution of the state machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Its ARN.
    pub id: String,
    /// When it started, in RFC 3339.
    pub start_time: String,
}

/// What goes from Initialize to Publish, Decide, Apply and Clean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunState {
    /// What holds for the whole run.
    pub run: RunContext,
    /// The open round: `tasks` is what the Map goes over.
    #[serde(flatten)]
    pub backlog: Backlog,
    /// What was seen.
    #[serde(default)]
    pub seen: DigestedEvidence,
    /// What the invocations have cost; the most that they can have cost where that is not known.
    #[serde(default)]
    pub spent: f64,
    /// What the execution has used of what Step Functions limits.
    #[serde(default)]
    pub used: Used,
    /// A version with the configuration that the function had when the run began, memory aside:
    /// the first that Publish made. A later step compares the function with it, so that nothing
    /// that is made of the configuration has to be in a state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What the Map over `tasks` came to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<MeasureOutput>,
    /// What comes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// What failed, once something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Caught>,
    /// What was applied, once something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// The output of the execution, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// What holds for the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunContext {
    /// The execution.
    pub execution: Execution,
    /// The request as it was given, checked.
    pub request: Map<String, Value>,
    /// The function.
    pub function: TunedFunction,
    /// Every power that the planner is to choose from.
    pub powers: PowerValues,
    /// The id that its marks on the function bear.
    pub mark: String,
    /// Until when it is over, in RFC 3339.
    pub until: String,
    /// How many powers are measured at the same time.
    pub width: u32,
    /// How many invocations each of them may have in flight.
    pub in_flight: u32,
    /// The longest that an invocation with its processors may take, in milliseconds.
    pub longest_ms: u64,
    /// The longest that an invocation can be billed for, in milliseconds.
    pub longest_billed_ms: u64,
    /// What the run can cost at most.
    pub worst_cost: f64,
    /// What it may cost at most, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<f64>,
    /// The most bytes of JSON that a digest may have.
    pub digest_bytes: u64,
    /// The version that the alias of autoOptimizeAlias pointed to when the run began; `None` where
    /// there was no such alias, or none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_at: Option<String>,
    /// What is worth knowing, beside what the request itself gives to warn of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What is known of the function, and by what a change of it is noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TunedFunction {
    /// Its unqualified ARN.
    pub arn: String,
    /// Its region.
    pub region: Region,
    /// Its instruction set architecture.
    pub architecture: Architecture,
    /// The power of `$LATEST`.
    pub power: Power,
    /// The power of what was named, a version or alias perhaps.
    pub current: Power,
    /// Storage at /tmp in MB.
    pub ephemeral_storage_mb: u32,
    /// Of its deployment package, where the endpoint says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    /// Its RevisionId before the run announced itself, where it was at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
}

/// The input of Measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasureInput {
    /// The run.
    pub run: RunContext,
    /// The task to measure.
    pub task: Task,
}

/// What an iteration of the Map comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeasureOutput {
    /// What was to be measured.
    pub task: Task,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Why the run can't go on, if it can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// How the portion was lost, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Caught>,
}

/// An error as a Catch hands it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Caught {
    /// Its name.
    pub error: String,
    /// What was said about it.
    #[serde(default)]
    pub cause: String,
}

/// What was seen so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DigestedEvidence {
    /// How many rounds have been measured.
    pub rounds: u32,
    /// At each power.
    pub digests: Vec<Digest>,
    /// Powers that could not be tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
}

/// What an execution has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// State transitions, retries aside.
    pub transitions: u64,
    /// Events of its history, retries aside.
    pub events: u64,
}

/// What comes after Decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Next {
    /// Versions have to be published.
    Publish,
    /// There is more to measure.
    Measure,
    /// The chosen power is to be applied.
    Apply,
    /// There is nothing more to do.
    Clean,
}

/// The `Cause` of a Lambda function that failed: JSON text with the error's type, what it said,
/// and a trace. What it said may be empty or missing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LambdaCause {
    error_type: Option<String>,
    error_message: Option<String>,
}

/// Errors by which Step Functions says that the task's Lambda function did not run: Lambda has
/// throttled the call, or there is no such function. Every other error leaves it open.
const NOTHING_RAN: [&str; 2] = [THROTTLED, "Lambda.ResourceNotFoundException"];

impl Caught {
    /// What was said, without the JSON that Lambda puts around it; empty where nothing was, as by
    /// a task that timed out.
    pub fn said(&self) -> String {
        match serde_json::from_str(&self.cause) {
            Ok(LambdaCause { error_message: Some(message), .. }) => message,
            Ok(LambdaCause { error_type: Some(_), .. }) => String::new(),
            _ => self.cause.clone(),
        }
    }

    /// The error's name, and what was said where something was.
    pub fn told(&self) -> String {
        let said = self.said();
        if said.is_empty() { self.error.clone() } else { format!("{}: {said}", self.error) }
    }

    /// Whether it is sure that the task's Lambda function did not run.
    pub fn ran_nothing(&self) -> bool {
        NOTHING_RAN.contains(&self.error.as_str())
    }
}

impl RunState {
    /// The state of a run that begins with this round: nothing was done to the function yet.
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

    /// Has as much measured next as can be measured and paid at the same time.
    ///
    /// # Errors
    /// When the price of the function is not known.
    pub fn line_up(&mut self) -> Result<(), UnknownPrice> {
        let width = self.run.width.max(1) as usize;
        let room = self.run.max_cost.map(|most| most - self.spent);
        self.backlog.line_up(width, room, &self.run.tariff()?);
        Ok(())
    }

    /// Whether nothing was done to the function yet.
    pub fn is_untouched(&self) -> bool {
        self.used == Used::initialized()
    }
}

impl RunContext {
    /// The request. It was checked when the run began.
    pub fn request(&self) -> Result<Request, Faults> {
        parse(&self.request)
    }

    /// What the analysis has to know.
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

    /// The planner.
    pub fn planner(&self, request: &Request) -> Result<Planner, UnknownPrice> {
        let TunedFunction { current, .. } = self.function;
        Ok(Planner::new(request, self.function.price()?, current, self.powers.clone()))
    }

    /// What an invocation costs.
    pub fn tariff(&self) -> Result<Tariff, UnknownPrice> {
        let price = self.function.price()?;
        Ok(Tariff { price, longest_ms: self.longest_billed_ms as f64 })
    }
}

impl TunedFunction {
    /// What running the function costs; storage of unknown price aside.
    pub fn price(&self) -> Result<Price, UnknownPrice> {
        let price = price::on_demand(&self.region, self.architecture)?;
        Ok(price.with_ephemeral_storage(self.ephemeral_storage_mb).unwrap_or(price))
    }
}

impl DigestedEvidence {
    /// Takes in what was seen at a power.
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

    /// The number of invocations that a power has had.
    pub(super) fn invocations(&self, power: Power) -> u32 {
        let seen = self.digests.iter().find(|digest| digest.power == power);
        seen.map_or(0, |digest| u32::try_from(digest.invocations()).unwrap_or(u32::MAX))
    }

    /// What planner and analysis decide by.
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
