//! powertune with programs of others: AWS's clients on the local Lambda, and other Lambda emulators
//! under `tune`. The scripts are in `peers/`; `cargo xtask peers` installs their requirements.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use libtest_mimic::{Completion, Failed, Trial};

use crate::bootstrap::{bootstrap, skipped, workspace};

/// The placeholder for the binary under test, in the arguments of a script.
const POWERTUNE: &str = "POWERTUNE";
/// The placeholder for the `bootstrap` of the state machine's functions.
const BOOTSTRAP: &str = "BOOTSTRAP";

/// The names of the tests, each with its script and arguments.
const SCRIPTS: &[(&str, &[&str])] = &[
    ("boto3_walks_the_life_of_a_function", &["lifecycle.py", "--powertune", POWERTUNE]),
    ("the_aws_cli_invokes_on_powertune_local", &["aws_cli.py", POWERTUNE]),
    ("credentials_region_and_endpoint_are_those_of_the_aws_cli", &["credentials.py", POWERTUNE]),
    ("answers_have_the_shapes_of_moto_and_ministack", &["compare.py", POWERTUNE]),
    ("a_payload_lies_in_the_s3_of_moto", &["s3_payload.py", POWERTUNE]),
    ("tune_on_ministack", &["tune.py", "ministack", POWERTUNE]),
    ("tune_on_moto_fails_and_puts_everything_back", &["tune.py", "moto", POWERTUNE]),
    ("the_state_machine_on_moto", &["workflow.py", POWERTUNE, BOOTSTRAP, "--on", "moto"]),
    (
        "the_state_machine_on_localstack",
        &["workflow.py", POWERTUNE, BOOTSTRAP, "--on", "localstack"],
    ),
    ("the_state_machine_on_local_sfn", &["workflow.py", POWERTUNE, BOOTSTRAP, "--on", "local-sfn"]),
    ("the_sam_template_on_ministack", &["stack.py", BOOTSTRAP]),
    ("the_terraform_module_on_moto_and_localstack", &["module.py", BOOTSTRAP]),
    ("what_is_deployed_is_read_by_what_deploys_it", &["templates.py"]),
];

/// A test for each script.
pub(crate) fn trials() -> Vec<Trial> {
    SCRIPTS.iter().map(|(name, script)| Trial::ignorable_test(*name, || run(script))).collect()
}

/// Runs a script to its end. The script ends its own processes.
fn run(script: &[&str]) -> Result<Completion, Failed> {
    let python = workspace().join("target/peers/venv/bin/python");
    if !python.exists() {
        return skipped("the peers are not installed: run `cargo xtask peers`");
    }
    if let Some(missing) = missing(script) {
        return skipped(&format!("{missing} is not installed: run `cargo xtask peers`"));
    }
    let arguments = script[1..].iter().map(|&argument| match argument {
        POWERTUNE => Ok(PathBuf::from(env!("CARGO_BIN_EXE_powertune"))),
        BOOTSTRAP => bootstrap(),
        other => Ok(PathBuf::from(other)),
    });
    let output = Command::new(python)
        .arg(workspace().join("peers").join(script[0]))
        .args(arguments.collect::<Result<Vec<_>, Failed>>()?)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        said.lines()
            .filter(|line| line.starts_with("figure: "))
            .for_each(|line| println!("{line}"));
        return Ok(Completion::Completed);
    }
    Err(Failed::from(format!(
        "{} ended with {}\n{}{}",
        script.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    )))
}

/// The missing requirement of a script, besides Python.
fn missing(script: &[&str]) -> Option<&'static str> {
    let needed: &[&str] = match script {
        ["templates.py", ..] => &["templates", "cdk"],
        [.., "localstack"] | ["module.py", ..] => &["localstack"],
        [.., "local-sfn"] => &["npm"],
        _ => &[],
    };
    let peers = workspace().join("target/peers");
    // This file is written last, so that half an installation does not have it.
    let there = |folder: &str| peers.join(folder).join("installed-from.txt").exists();
    needed.iter().copied().find(|folder| !there(folder))
}
