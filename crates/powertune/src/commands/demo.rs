//! `powertune demo`: tunes the bundled sample function on this machine.

use std::{collections::BTreeMap, path::Path, time::Duration};

use clap::Args;
use powertune_core::request::{Fault, Faults, Request, parse};
use powertune_engine::raise_open_files;
use serde_json::json;

use super::{display::DisplayOptions, local_function::LocalFunction, suggested::SuggestedValues};
use crate::{error::CommandError, prices::PriceOptions, sample};

/// Of the memory sizes that cost about the same, people want the fastest.
const TOLERANCE_PERCENT: u32 = 5;

/// Somebody watches the demo, so it has to end soon, also on a busy machine.
const MOST_TIME: Duration = Duration::from_secs(25);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune demo
  powertune demo --num 20
  powertune demo --output json --save result.json")]
pub(crate) struct DemoCommand {
    /// Invocations of each memory size, or auto: as many as the answer needs [default: auto]
    #[arg(long, value_name = "N", value_parser = SuggestedValues::of(["auto"]), hide_possible_values = true)]
    num: Option<String>,
    #[command(flatten)]
    prices: PriceOptions,
    #[command(flatten)]
    display: DisplayOptions,
}

impl DemoCommand {
    pub(crate) async fn run(self) -> Result<(), CommandError> {
        // Each invocation in flight is a connection.
        raise_open_files();
        let prices = self.prices.read()?;
        let request = self.request()?;
        self.display.check(&request)?;
        let folder = tempfile::tempdir().map_err(|error| {
            CommandError::Other(format!(
                "cannot create a temporary folder for the sample function: {error}"
            ))
        })?;
        bootstrap(folder.path()).map_err(|error| {
            CommandError::Other(format!("cannot use this binary as a function: {error}"))
        })?;
        self.display.say(&format!(
            "tuning a function that counts primes, for real, on this machine; measuring ends after \
             {} s at the latest",
            MOST_TIME.as_secs()
        ));
        let function = LocalFunction {
            name: "powertune-demo".to_owned(),
            code: folder.path().to_owned(),
            runtime: "provided.al2023".to_owned(),
            handler: sample::HANDLER.to_owned(),
            timeout_s: 60,
            environment: BTreeMap::new(),
            architecture: None,
            region: None,
            prices,
            most_time: Some(MOST_TIME),
        };
        function.tune(request, &self.display).await
    }

    fn request(&self) -> Result<Request, Faults> {
        let num = self.num.as_deref().unwrap_or("auto");
        let request = json!({
            "lambdaARN": "powertune-demo", "tolerance": TOLERANCE_PERCENT, "num": num,
        });
        parse(request.as_object().expect("an object is an object")).map_err(|Faults(faults)| {
            // `num` is the only field that a user can give.
            let named = |fault| Fault { field: "num (--num)".to_owned(), ..fault };
            Faults(faults.into_iter().map(named).collect())
        })
    }
}

/// Makes this binary the `bootstrap` of the function in `folder`.
fn bootstrap(folder: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(std::env::current_exe()?, folder.join("bootstrap"))
}
