//! `powertune demo`: tunes the bundled sample function on this machine.

use std::{collections::BTreeMap, path::Path, time::Duration};

use clap::Args;
use powertune_core::request::{Fault, Faults, Request, parse};
use serde_json::json;

use super::{display::DisplayOptions, local_function::LocalFunction, suggested::Suggested};
use crate::{failure::Failure, prices::PriceOptions, sample};

/// Of the powers that cost about the same the fastest is what people want.
const TOLERANCE_PERCENT: u32 = 5;

/// A demonstration is to be over while somebody looks at it, also on a busy machine.
const MOST_TIME: Duration = Duration::from_secs(25);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune demo
  powertune demo --num 20
  powertune demo --output json --save result.json")]
pub(crate) struct Demo {
    /// Invocations of each memory size, or auto: as many as the answer needs [default: auto]
    #[arg(long, value_name = "N", value_parser = Suggested::of(["auto"]), hide_possible_values = true)]
    num: Option<String>,
    #[command(flatten)]
    prices: PriceOptions,
    #[command(flatten)]
    display: DisplayOptions,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let prices = self.prices.read()?;
        let request = self.request()?;
        self.display.check(&request)?;
        let folder = tempfile::tempdir().map_err(|error| {
            Failure::Other(format!("no temporary folder for the sample function: {error}"))
        })?;
        bootstrap(folder.path()).map_err(|error| {
            Failure::Other(format!("this binary could not be made a function: {error}"))
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
            // It is the only field that anybody has given.
            let named = |fault| Fault { field: "num (--num)".to_owned(), ..fault };
            Faults(faults.into_iter().map(named).collect())
        })
    }
}

/// Makes this binary the `bootstrap` of the function in `folder`.
fn bootstrap(folder: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(std::env::current_exe()?, folder.join("bootstrap"))
}
