//! `powertune run`: tunes a function by the state machine in the account, with the same output as
//! `tune`.

use clap::Args;
use powertune_core::{region::Region, workflow::check_event};
use powertune_deploy::parameter::STATE_MACHINE_NAME;
use powertune_engine::{
    gateway::Connection,
    state_machine::{StateMachineRef, StepFunctions, follow, machine_region, start},
    steps::StepErrorKind,
};
use serde_json::Value;

use super::{
    connection::{ConnectionOptions, connect_failure},
    display::DisplayOptions,
    interrupt,
    options::RequestOptions,
};
use crate::error::CommandError;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune run my-function --payload @event.json
  powertune run --input request.json --stack my-powertune")]
pub(crate) struct RunCommand {
    /// Name, partial ARN or ARN of the function
    function: Option<String>,
    /// ARN or name of the state machine, or the beginning of its name
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

impl RunCommand {
    pub(crate) async fn run(self) -> Result<(), CommandError> {
        let Self { function, state_machine, stack, request, connection, display } = self;
        let (fields, request) = request.checked(function.as_deref())?;
        display.check(&request)?;
        let input = Value::Object(fields).to_string();
        check_event(&input).map_err(|error| {
            let text = format!("{error}\nno request was sent to AWS");
            CommandError::Execution(StepErrorKind::BadInput.error(&text))
        })?;
        let machine = machine(state_machine, stack)?;
        let connection = connection.connection()?;
        let region = region(&connection, &machine)?;
        let connected = StepFunctions::connect(&connection, region).await;
        let aws = connected.map_err(|error| connect_failure(&error))?;
        let cancelled = interrupt::on_signal();
        for warning in &request.warnings {
            display.warn(&warning.to_string());
        }
        let execution = start(aws, &machine, input, &cancelled).await?;
        display.say(&format!("execution {}", execution.arn));
        let (events, shown) = display.begin();
        let ended = follow(&execution, &connection, &events, &cancelled).await;
        drop(events);
        display.finish(shown, ended).await
    }
}

/// The state machine that the options name.
fn machine(
    state_machine: Option<String>,
    stack: Option<String>,
) -> Result<StateMachineRef, CommandError> {
    let empty = |option| {
        let problem = "is empty, perhaps because a variable is not set; name the state machine, or \
                       leave the option out";
        Err(CommandError::input(option, problem))
    };
    match (state_machine, stack) {
        (Some(name), _) if name.trim().is_empty() => empty("--state-machine"),
        (None, Some(stack)) if stack.trim().is_empty() => empty("--stack"),
        (Some(arn), _) if arn.starts_with("arn:") => match machine_region(&arn) {
            Some(_) => Ok(StateMachineRef::Arn(arn)),
            None => Err(CommandError::input(
                "--state-machine",
                format!("{arn} is not the ARN of a state machine"),
            )),
        },
        (Some(name), _) => Ok(StateMachineRef::Name(name)),
        (None, Some(stack)) => Ok(StateMachineRef::Stack(stack)),
        (None, None) => Ok(StateMachineRef::Default(STATE_MACHINE_NAME)),
    }
}

/// The region of the state machine, if an option or its ARN names it.
fn region(
    connection: &Connection,
    machine: &StateMachineRef,
) -> Result<Option<Region>, CommandError> {
    let of_arn = match machine {
        StateMachineRef::Arn(arn) => machine_region(arn),
        _ => None,
    };
    match (&connection.region, of_arn) {
        (Some(given), Some(of_arn)) if *given != of_arn => {
            let problem = format!(
                "{given} contradicts the state machine's ARN, which is in {of_arn}; leave --region \
                 out"
            );
            Err(CommandError::input("--region", problem))
        }
        (given, of_arn) => Ok(of_arn.or_else(|| given.clone())),
    }
}
