//! `powertune demo`: tunes the bundled sample function on this machine.

use std::{collections::BTreeMap, path::Path};

use clap::Args;
use powertune_core::request::parse;
use serde_json::json;

use super::{display::DisplayOptions, local_function::LocalFunction};
use crate::{failure::Failure, prices::PriceOptions, sample};

/// Of the powers that cost about the same the fastest is what people want.
const TOLERANCE_PERCENT: u32 = 5;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  powertune demo
  powertune demo --output json --save result.json")]
pub(crate) struct Demo {
    #[command(flatten)]
    prices: PriceOptions,
    #[command(flatten)]
    display: DisplayOptions,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let prices = self.prices.read()?;
        let request = json!({ "lambdaARN": "powertune-demo", "tolerance": TOLERANCE_PERCENT });
        let request = parse(request.as_object().expect("an object is an object"))?;
        self.display.check(&request)?;
        let folder = tempfile::tempdir().map_err(|error| {
            Failure::Other(format!("no temporary folder for the sample function: {error}"))
        })?;
        bootstrap(folder.path()).map_err(|error| {
            Failure::Other(format!("this binary could not be made a function: {error}"))
        })?;
        self.display.say("tuning a function that counts primes, for real, on this machine");
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
        };
        function.tune(request, &self.display).await
    }
}

/// Makes this binary the `bootstrap` of the function in `folder`.
fn bootstrap(folder: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(std::env::current_exe()?, folder.join("bootstrap"))
}
