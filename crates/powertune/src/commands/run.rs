//! `powertune run`: tunes a function by the state machine in the account, and shows it as `tune`
//! does.

use clap::Args;
use powertune_core::region::Region;
use powertune_engine::{
    error::TuneError,
    gateway::Connection,
    steps::{self, StepError, StepErrorKind},
};
use serde_json::json;

use super::{
    connection::{ConnectionOptions, connect_failure},
    display::DisplayOptions,
    interrupt,
    options::RequestOptions,
};
use crate::{
    execution::{Ending, Named, Outcome, StepFunctions, find},
    failure::Failure,
};

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Name, partial ARN or ARN of the function
    function: Option<String>,
    /// ARN or name of the state machine, or what its name begins with
    #[arg(long, value_name = "ARN", conflicts_with = "stack")]
    state_machine: Option<String>,
    /// CloudFormation stack that the state machine belongs to
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    #[command(flatten)]
    request: RequestOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    display: DisplayOptions,
}

impl Run {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Self { function, state_machine, stack, request, connection, display } = self;
        let fields = request.fields(function.as_deref())?;
        display.check()?;
        let input = serde_json::Value::Object(fields).to_string();
        let named = named(state_machine, stack);
        let connection = connection.connection()?;
        let aws = connect(&connection, &named).await?;
        let cancelled = interrupt::on_signal();
        let machine = find(&aws, &named)
            .await
            .map_err(|error| Failure::Execution(StepErrorKind::Refused, error.to_string()))?;
        let name = format!("powertune-{}", uuid::Uuid::new_v4().simple());
        let started = aws.start(&machine, &name, &input).await;
        let execution = started.map_err(|error| Failure::Other(error.to_string()))?;
        display.say(&format!("execution {execution}"));

        let (events, shown) = display.events();
        let ending = aws.follow(&execution, &events, &cancelled).await;
        drop(events);
        // The display ends when everything has been said.
        let _ = shown.await;
        let ending = ending.map_err(|error| lost_sight(&execution, &error.to_string()))?;
        let end = End { aws: &aws, connection: &connection, execution: &execution, input: &input };
        end.of(ending, &display).await
    }
}

fn named(state_machine: Option<String>, stack: Option<String>) -> Named {
    match (state_machine, stack) {
        (Some(arn), _) if arn.starts_with("arn:") => Named::Arn(arn),
        (Some(name), _) => Named::Name(name),
        (None, Some(stack)) => Named::Stack(stack),
        (None, None) => Named::Default,
    }
}

/// A client for the region that the state machine is in.
async fn connect(connection: &Connection, named: &Named) -> Result<StepFunctions, Failure> {
    let of_arn = match named {
        Named::Arn(arn) => arn.split(':').nth(3).and_then(|region| Region::new(region).ok()),
        _ => None,
    };
    let region = of_arn.or_else(|| connection.region.clone());
    let config = connection.load(region).await.map_err(|error| connect_failure(&error))?;
    Ok(StepFunctions::new(&config, connection.endpoint_url.as_deref()))
}

fn lost_sight(execution: &str, why: &str) -> Failure {
    Failure::Other(format!(
        "{why}\nthe execution goes on without being watched, and cleans up after itself; look at \
         it with: aws stepfunctions describe-execution --execution-arn {execution}"
    ))
}

/// An execution that is over, or is to be.
struct End<'a> {
    aws: &'a StepFunctions,
    connection: &'a Connection,
    execution: &'a str,
    input: &'a str,
}

impl End<'_> {
    /// Prints what came of the execution. What was measured is printed however it ended, after
    /// what has to be put back.
    async fn of(&self, ending: Ending, display: &DisplayOptions) -> Result<(), Failure> {
        let measured = ending.measured();
        let failure = match ending.outcome {
            Outcome::Tuned(result) => return display.print(&result),
            Outcome::Dry(dry_run) => return display.print_dry_run(&dry_run),
            Outcome::Failed(kind, text) => Failure::Execution(kind, text),
            Outcome::Stopped(text) => match self.put_back().await {
                Ok(()) => Failure::Execution(
                    StepErrorKind::Failed,
                    format!("{text}\neverything was put back as it was"),
                ),
                Err(left) => Failure::Execution(left.kind, format!("{text}\n{left}")),
            },
            Outcome::Interrupted => {
                display.say("stopping the execution and putting the function back");
                self.interrupt().await
            }
        };
        if let Some(Err(unprinted)) = measured.map(|result| display.print(&result)) {
            unprinted.print();
        }
        Err(failure)
    }

    async fn interrupt(&self) -> Failure {
        if let Err(error) = self.aws.stop(self.execution).await {
            return lost_sight(self.execution, &error.to_string());
        }
        match self.put_back().await {
            Ok(()) => TuneError::Interrupted.into(),
            Err(left) => Failure::Execution(left.kind, left.message),
        }
    }

    /// Puts the function back after an execution that could not do it itself. A rule does the same
    /// where a template has made one, and doing it twice is doing it once.
    async fn put_back(&self) -> Result<(), StepError> {
        let end = json!({ "detail": {
            "executionArn": self.execution,
            "status": "ABORTED",
            "input": self.input,
        } });
        let end = serde_json::from_value(end).expect("it has what an event has");
        // The endpoint that was named is that of Step Functions.
        let lambda = Connection { endpoint_url: None, ..self.connection.clone() };
        steps::clean_after(&lambda, &end).await.map(|_| ()).map_err(|error| {
            StepErrorKind::LeftBehind.error(&format!(
                "{error}\nthe rule on the state machine puts the function back too, where there is \
                 one; see what is left, and put it back, with: powertune clean FUNCTION"
            ))
        })
    }
}
