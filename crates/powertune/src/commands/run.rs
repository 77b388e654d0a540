//! `powertune run`: tunes a function by the state machine in the account, and shows it as `tune`
//! does.

use std::time::Duration;

use clap::Args;
use powertune_core::{arn::FunctionRef, region::Region, result::Applied, workflow::check_event};
use powertune_engine::{
    error::TuneError,
    gateway::Connection,
    steps::{self, StepError, StepErrorKind},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    connection::{ConnectionOptions, connect_failure},
    display::DisplayOptions,
    interrupt,
    options::RequestOptions,
};
use crate::{
    execution::{self, Applying, Ending, Following, Measured, Named, Outcome, StepFunctions, find},
    failure::Failure,
};

/// How long an execution that is being started may still take for it when the user has stopped it.
const STARTING: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune run my-function --payload @event.json
  powertune run --input request.json --stack my-powertune")]
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
        let (fields, request) = request.checked(function.as_deref())?;
        display.check(&request)?;
        let input = serde_json::Value::Object(fields).to_string();
        check_event(&input).map_err(|error| {
            Failure::Execution(
                StepErrorKind::BadInput,
                format!("{error}\nno request was sent to AWS"),
            )
        })?;
        let named = named(state_machine, stack)?;
        let connection = connection.connection()?;
        let aws = connect(&connection, &named).await?;
        let cancelled = interrupt::on_signal();
        for warning in &request.warnings {
            display.say(&format!("warning: {warning}"));
        }
        let execution = start(&aws, &named, &input, &cancelled).await?;
        display.say(&format!("execution {execution}"));

        let (events, shown) = display.events();
        let mut following = Following::new(&aws, &execution, events);
        let ending = match following.until_ended(&cancelled).await {
            Ok(None) => {
                display.say("stopping the execution and putting the function back");
                following.stop().await
            }
            Ok(Some(ending)) => Ok(ending),
            Err(error) => Err(error),
        };
        let measured = following.measured();
        drop(following);
        // The display ends when everything has been said.
        let _ = shown.await;
        match ending {
            Ok(ending) => {
                let end = End { connection: &connection, execution: &execution, input: &input };
                end.of(ending, &display).await
            }
            Err(error) => {
                print(measured.as_ref(), &display);
                Err(lost_sight(&execution, &error.to_string()))
            }
        }
    }
}

fn named(state_machine: Option<String>, stack: Option<String>) -> Result<Named, Failure> {
    let empty = |option| {
        let problem = "is empty, as a variable is that is not set; name the state machine, or leave \
                       the option out";
        Err(Failure::input(option, problem))
    };
    match (state_machine, stack) {
        (Some(name), _) if name.trim().is_empty() => empty("--state-machine"),
        (None, Some(stack)) if stack.trim().is_empty() => empty("--stack"),
        (Some(arn), _) if arn.starts_with("arn:") => match region(&arn) {
            Some(_) => Ok(Named::Arn(arn)),
            None => Err(Failure::input("--state-machine", format!("{arn} is not the ARN of one"))),
        },
        (Some(name), _) => Ok(Named::Name(name)),
        (None, Some(stack)) => Ok(Named::Stack(stack)),
        (None, None) => Ok(Named::Default),
    }
}

/// The region of a state machine.
fn region(arn: &str) -> Option<Region> {
    execution::region(arn, "stateMachine")
}

/// A client for the region that the state machine is in.
async fn connect(connection: &Connection, named: &Named) -> Result<StepFunctions, Failure> {
    let of_arn = match named {
        Named::Arn(arn) => region(arn),
        _ => None,
    };
    let region = match (&connection.region, of_arn) {
        (Some(given), Some(of_arn)) if *given != of_arn => {
            let problem = format!(
                "{given} contradicts the state machine's ARN, which is in {of_arn}; leave --region \
                 out"
            );
            return Err(Failure::input("--region", problem));
        }
        (given, of_arn) => of_arn.or_else(|| given.clone()),
    };
    let config = connection.load(region).await.map_err(|error| connect_failure(&error))?;
    Ok(StepFunctions::new(&config, connection.endpoint_url.as_deref()))
}

/// Finds the state machine and starts an execution; its ARN.
async fn start(
    aws: &StepFunctions,
    named: &Named,
    input: &str,
    cancelled: &CancellationToken,
) -> Result<String, Failure> {
    let unstarted = || Failure::Stopped("interrupted; no execution was started".to_owned());
    let machine = tokio::select! {
        biased;
        () = cancelled.cancelled() => return Err(unstarted()),
        found = find(aws, named) => found,
    };
    let machine = machine.map_err(|error| unstarted_by(error.lasts(), &error))?;
    if cancelled.is_cancelled() {
        return Err(unstarted());
    }
    let name = format!("powertune-{}", uuid::Uuid::new_v4().simple());
    let unknown = |why: &str| {
        let execution = execution::arn_of(&machine, &name);
        StepErrorKind::LeftBehind.error(&format!(
            "{why}\nit is not known whether the execution has started; if it has, it cleans up \
             after itself; look at it with: aws stepfunctions describe-execution --execution-arn \
             {execution}"
        ))
    };
    let starting = aws.start(&machine, &name, input);
    // Nobody knows whether a call that is given up has started it; so it gets a little time.
    let stopped = async {
        cancelled.cancelled().await;
        tokio::time::sleep(STARTING).await;
    };
    let started = tokio::select! {
        started = starting => started,
        () = stopped => return Err(unknown("interrupted while the execution was started").into()),
    };
    started.map_err(|error| match error {
        error if error.may_have_run() => unknown(&error.to_string()).into(),
        error => unstarted_by(error.lasts(), &error),
    })
}

/// The failure of a command that has started no execution. As with `tune`, what comes back on every
/// try is a refusal.
fn unstarted_by(lasts: bool, error: &impl std::fmt::Display) -> Failure {
    if lasts {
        return Failure::Execution(StepErrorKind::Refused, error.to_string());
    }
    Failure::Execution(StepErrorKind::NotBegun, format!("{error}\nno execution was started"))
}

fn lost_sight(execution: &str, why: &str) -> Failure {
    StepErrorKind::LeftBehind
        .error(&format!(
            "{why}\nthe execution goes on without being watched, and cleans up after itself; look \
             at it with: aws stepfunctions describe-execution --execution-arn {execution}"
        ))
        .into()
}

/// Prints what was measured by an execution that did not come to its end. How that failed, too, is
/// said, but the execution's end counts.
fn print(measured: Option<&Measured>, display: &DisplayOptions) {
    if let Err(unprinted) = display.print_measured(measured) {
        unprinted.print();
    }
}

/// An execution that is over.
struct End<'a> {
    connection: &'a Connection,
    execution: &'a str,
    input: &'a str,
}

impl End<'_> {
    /// Prints what came of the execution. What was measured is printed however it ended, after
    /// what has to be put back.
    async fn of(&self, ending: Ending, display: &DisplayOptions) -> Result<(), Failure> {
        let Ending { outcome, measured, applying, may_have_begun } = ending;
        let failure = match outcome {
            Outcome::Tuned(result) => return display.print(&result),
            Outcome::Dry(dry_run) => return display.print_dry_run(&dry_run),
            Outcome::Failed(kind, text) => Failure::Execution(kind, text),
            Outcome::Stopped(text) => match self.put_back(&applying, may_have_begun).await {
                Ok(told) => Failure::Execution(StepErrorKind::Failed, format!("{text}\n{told}")),
                Err(left) => Failure::Execution(left.kind, format!("{text}\n{left}")),
            },
            Outcome::Interrupted => match self.put_back(&applying, may_have_begun).await {
                Ok(_) if may_have_begun && applying == Applying::NotBegun => {
                    TuneError::Interrupted.into()
                }
                Ok(told) => Failure::Stopped(format!("interrupted; {told}")),
                Err(left) => left.into(),
            },
        };
        print(measured.as_ref(), display);
        Err(failure)
    }

    /// Puts the function back after an execution that could not do it itself, and says what is so
    /// now. A rule does the same where a template has made one, and doing it twice is doing it
    /// once.
    async fn put_back(
        &self,
        applying: &Applying,
        may_have_begun: bool,
    ) -> Result<String, StepError> {
        let end = json!({ "detail": {
            "executionArn": self.execution,
            "status": "ABORTED",
            "input": self.input,
        } });
        let end = serde_json::from_value(end).expect("it has what an event has");
        let region = self.region();
        let here = region.as_ref().map_or(String::new(), |region| format!(" in {region}"));
        // The endpoint that was named is that of Step Functions.
        let lambda = Connection { endpoint_url: None, region, ..self.connection.clone() };
        let function = self.function();
        let left = |why: &dyn std::fmt::Display| {
            StepErrorKind::LeftBehind.error(&format!(
                "{why}\nthe rule on the end of executions puts the function back too, where it is \
                 deployed; see what is left, and put it back, with: powertune clean {function}"
            ))
        };
        let put_back = steps::clean_after(&lambda, &end).await.map_err(|error| left(&error))?;
        match applying {
            _ if !put_back.is_missing() => Ok(told(applying)),
            Applying::NotBegun if !may_have_begun => Ok("nothing was changed".to_owned()),
            _ => Err(left(&format!(
                "there is no function {function}{here} any more, so that nothing was put back; if \
                 it was not deleted, look whether account and region are the right ones"
            ))),
        }
    }

    fn function(&self) -> String {
        let input: serde_json::Value = serde_json::from_str(self.input).unwrap_or_default();
        input["lambdaARN"].as_str().unwrap_or("FUNCTION").to_owned()
    }

    /// Where the steps have called Lambda: in the function's region, or else in the execution's.
    fn region(&self) -> Option<Region> {
        let named = self.function().parse::<FunctionRef>().ok();
        let of_function = named.and_then(|function| function.region);
        of_function.or_else(|| execution::region(self.execution, "execution"))
    }
}

/// What is so when everything was put back that an execution has not applied.
fn told(applying: &Applying) -> String {
    match applying {
        Applying::NotBegun => "everything was put back as it was".to_owned(),
        Applying::Begun => "the execution was applying its choice, and whether it has done so is \
                            not known: look at the function's memory size, or at the alias; \
                            everything else was put back"
            .to_owned(),
        Applying::Done(Applied { power, alias: Some(alias), version: Some(version) }) => format!(
            "the choice had been applied, and stays: the alias {alias} points to version {version} \
             ({power}); everything else was put back"
        ),
        Applying::Done(Applied { power, .. }) => format!(
            "the choice had been applied, and stays: the function has {power}; everything else was \
             put back"
        ),
    }
}
