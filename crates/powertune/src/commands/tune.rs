//! `powertune tune`: tunes a function on AWS, or a folder or zip on this machine.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use powertune_core::{
    request::{Fault, Faults, Request},
    warning::Warning,
};
use powertune_engine::{
    error::{Cause, TuneError},
    gateway::ConnectError,
    mark::Mark,
    raise_open_files,
    run::{Context, tune},
};

use super::{
    clean::{connect, put_back},
    confirm,
    connection::{ConnectionOptions, connect_failure},
    display::DisplayOptions,
    interrupt,
    journals::journals,
    local_function::LocalFunction,
    options::RequestOptions,
    suggested::SuggestedValues,
    whoami::whoami,
};
use crate::{
    error::CommandError,
    output::plain,
    prices::{self, PriceOptions},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune tune my-function --payload '{\"id\": 7}'
  powertune tune my-function --payload @event.json --strategy speed --auto-optimize
  powertune tune --local ./function --runtime python3.13 --handler app.handler")]
pub(crate) struct TuneCommand {
    /// Name, partial ARN or ARN of the function, with or without a version or alias
    #[arg(conflicts_with = "local")]
    function: Option<String>,
    #[command(flatten)]
    local: LocalOptions,
    #[command(flatten)]
    request: RequestOptions,
    #[command(flatten)]
    prices: PriceOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    display: DisplayOptions,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "A function on this machine")]
struct LocalOptions {
    /// Folder or .zip of a function to tune on the local Lambda
    #[arg(long = "local", id = "local", value_name = "PATH", value_hint = ValueHint::AnyPath, conflicts_with_all = ["endpoint_url", "profile"])]
    path: Option<PathBuf>,
    /// Its runtime: python3.x, nodejsN.x or provided.al2023
    #[arg(
        long,
        value_name = "R",
        value_parser = SuggestedValues::of(powertune_local::runtimes()),
        hide_possible_values = true
    )]
    runtime: Option<String>,
    /// Its handler
    #[arg(long, value_name = "H")]
    handler: Option<String>,
    /// An environment variable for it; can be given many times
    #[arg(long, value_name = "K=V")]
    env: Vec<String>,
    /// Its timeout [default: 60]
    #[arg(long, value_name = "S", allow_hyphen_values = true)]
    timeout: Option<String>,
    /// Its instruction set architecture, x86_64 or arm64 [default: this machine's]
    #[arg(long, value_parser = SuggestedValues::of(["x86_64", "arm64"]), hide_possible_values = true)]
    architecture: Option<String>,
}

/// The default timeout of a local function: enough for a slow start at 128 MB.
const DEFAULT_TIMEOUT_S: u32 = 60;
const LONGEST_TIMEOUT_S: u32 = 900;

impl TuneCommand {
    pub(crate) async fn run(mut self) -> Result<(), CommandError> {
        // Each invocation in flight is a connection.
        raise_open_files();
        // Boxed, since a run is a large future.
        match self.local.path.take() {
            Some(path) => Box::pin(self.on_this_machine(path)).await,
            None => Box::pin(self.on_aws()).await,
        }
    }

    /// Tunes a function on AWS, or on another endpoint. If an interrupted run has left its marks on
    /// the function, it is cleaned up first, if a person at the terminal agrees.
    async fn on_aws(self) -> Result<(), CommandError> {
        let Self { function, local, request, prices, connection, display } = self;
        local.refuse_without_path()?;
        let request = request.request(function.as_deref())?;
        display.check(&request)?;
        let price_file = prices.read()?;
        let gateway = connect(&connection, &request.function).await?;
        let region = gateway.region().ok_or_else(|| connect_failure(&ConnectError::NoRegion))?;
        let prices = prices::of_run(price_file, &region, |text| display.warn(text))?;
        let cancelled = interrupt::on_signal();
        let mut has_cleaned = false;
        loop {
            let (events, shown) = display.begin();
            let context = Context {
                by: whoami(),
                events,
                cancelled: cancelled.clone(),
                journals: journals(),
                keep: display.keep(),
                prices: prices.clone(),
                most_time: None,
            };
            let tuned = tune(&gateway, &request, &context).await;
            drop(context);
            let ended = display.finish(shown, tuned).await;
            let Some(mark) = dead_run(&ended).filter(|_| !has_cleaned) else { return ended };
            let question = format!(
                "An earlier run has not put this function back: {mark}. Put it back as it was, and \
                 go on?"
            );
            if !confirm::ask(&question, &cancelled).await? {
                return ended;
            }
            let told = put_back(&gateway, &request.function, &connection, false).await?;
            display.say(plain(&told).trim_end());
            has_cleaned = true;
        }
    }

    /// Tunes a folder or a zip on a local Lambda of its own.
    async fn on_this_machine(self, path: PathBuf) -> Result<(), CommandError> {
        let Self { local, request, prices, connection, display, .. } = self;
        let name = function_name(&path);
        let checked =
            request.request(Some(&name)).and_then(|checked| applied_nowhere(checked, &request));
        let function = local.function(name, path);
        let (request, mut function) = match (checked, function) {
            (Ok(request), Ok(function)) => (request, function),
            (request, function) => {
                let faults = [request.err(), function.err()];
                return Err(Faults(
                    faults.into_iter().flatten().flat_map(|Faults(faults)| faults).collect(),
                )
                .into());
            }
        };
        function.region = connection.connection()?.region;
        display.check(&request)?;
        function.prices = prices.read()?;
        function.tune(request, &display).await
    }
}

/// The mark of another run that was left on the function, if that run is not known to be alive.
fn dead_run(ended: &Result<(), CommandError>) -> Option<&Mark> {
    match ended {
        Err(CommandError::Tune(TuneError::NotBegun(Cause::Marked {
            mark,
            is_alive: false,
            ..
        }))) => Some(mark),
        _ => None,
    }
}

/// The request without `autoOptimize`: a local function is gone after the run.
fn applied_nowhere(mut request: Request, options: &RequestOptions) -> Result<Request, Faults> {
    if request.auto_optimize.is_none() {
        return Ok(request);
    }
    if options.given().iter().any(|field| field == "autoOptimize") {
        let problem = "has no effect: --local tunes a function that is gone after the run";
        return Err(Faults(vec![fault("autoOptimize (--auto-optimize)", problem.to_owned())]));
    }
    let because = "--local tunes a function that is gone after the run";
    request.warnings.push(Warning::Ignored { field: "autoOptimize", because });
    request.auto_optimize = None;
    Ok(request)
}

impl LocalOptions {
    /// Refuses the other options without `--local`.
    fn refuse_without_path(&self) -> Result<(), CommandError> {
        let given = [
            ("--runtime", self.runtime.is_some()),
            ("--handler", self.handler.is_some()),
            ("--env", !self.env.is_empty()),
            ("--timeout", self.timeout.is_some()),
            ("--architecture", self.architecture.is_some()),
        ];
        let problem = "has no effect without --local: a function on AWS has its own";
        let unused = given.into_iter().filter(|(_, given)| *given);
        let faults: Vec<Fault> =
            unused.map(|(option, _)| fault(option, problem.to_owned())).collect();
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults).into()) }
    }

    /// The function. Checks the options that the local Lambda does not check.
    fn function(self, name: String, path: PathBuf) -> Result<LocalFunction, Faults> {
        let mut faults = Vec::new();
        let mut missing = |value: Option<String>, option: &str, what: &str| {
            value.filter(|value| !value.trim().is_empty()).unwrap_or_else(|| {
                faults.push(fault(option, format!("is missing: give the function's {what}")));
                String::new()
            })
        };
        let runtime = missing(self.runtime, "--runtime", "runtime, such as python3.13");
        let runtime_problem = runtime_problem(&runtime);
        let handler = missing(self.handler, "--handler", "handler, such as app.handler");
        faults.extend(runtime_problem.map(|problem| fault("--runtime", problem)));
        if let Err(error) = std::fs::metadata(&path) {
            faults.push(fault("--local", format!("{} can't be read: {error}", path.display())));
        }
        let timeout_s = self.timeout.map_or(Ok(DEFAULT_TIMEOUT_S), |text| timeout(&text));
        let timeout_s = timeout_s.unwrap_or_else(|problem| {
            faults.push(fault("--timeout", problem));
            DEFAULT_TIMEOUT_S
        });
        let mut environment = BTreeMap::new();
        for variable in self.env {
            match variable.split_once('=').filter(|(name, _)| is_variable_name(name)) {
                Some((name, value)) => {
                    environment.insert(name.to_owned(), value.to_owned());
                }
                // The value may be a secret, so it is not repeated.
                None => faults.push(fault("--env", "is not of the form NAME=VALUE".to_owned())),
            }
        }
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        Ok(LocalFunction {
            name,
            code: path,
            runtime,
            handler,
            timeout_s,
            environment,
            architecture: self.architecture,
            region: None,
            prices: None,
            most_time: None,
        })
    }
}

fn fault(field: &str, problem: String) -> Fault {
    Fault { field: field.to_owned(), problem }
}

/// The problem of a runtime that this machine does not run.
fn runtime_problem(runtime: &str) -> Option<String> {
    let here = powertune_local::runtimes();
    (!runtime.is_empty() && !here.contains(&runtime)).then(|| {
        format!("{runtime} is no runtime that runs on this machine; these do: {}", here.join(", "))
    })
}

fn timeout(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|timeout_s| (1..=LONGEST_TIMEOUT_S).contains(timeout_s))
        .ok_or_else(|| format!("{text} is not a whole number of seconds from 1 to 900"))
}

/// The names that Lambda allows: a letter, then at least one letter, digit or underscore.
fn is_variable_name(name: &str) -> bool {
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The name of the folder or file, made a valid function name.
fn function_name(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .take(64)
        .collect();
    if name.is_empty() { "function".to_owned() } else { name }
}
