//! powertune against what others wrote: AWS's clients on the local Lambda, and other people's Lambda
//! APIs under `tune`. The scripts lie in `peers/`; `cargo xtask peers` installs what they need.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// The tests: a name, and the script with its arguments, to which the binary is added.
const SCRIPTS: &[(&str, &[&str])] = &[
    ("boto3_walks_the_life_of_a_function", &["lifecycle.py", "--powertune"]),
    ("the_aws_cli_invokes_on_powertune_local", &["aws_cli.py"]),
    ("answers_have_the_shapes_of_moto_and_ministack", &["compare.py"]),
    ("a_payload_lies_in_the_s3_of_moto", &["s3_payload.py"]),
    ("tune_on_ministack", &["tune.py", "ministack"]),
    ("tune_on_moto_fails_and_puts_everything_back", &["tune.py", "moto"]),
];

fn main() -> ExitCode {
    let trials =
        SCRIPTS.iter().map(|(name, script)| Trial::ignorable_test(*name, || run(script))).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs a script to its end. It kills what it started itself.
fn run(script: &[&str]) -> Result<Completion, Failed> {
    let python = workspace().join("target/peers/venv/bin/python");
    if !python.exists() {
        return skipped("the peers are not installed: run `cargo xtask peers`");
    }
    let output = Command::new(python)
        .arg(workspace().join("peers").join(script[0]))
        .args(&script[1..])
        .arg(env!("CARGO_BIN_EXE_powertune"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
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

/// A test that can't run here, which is a failure where everything has to be there.
fn skipped(reason: &str) -> Result<Completion, Failed> {
    if std::env::var_os("POWERTUNE_REQUIRE_ALL").is_some() {
        return Err(Failed::from(format!("POWERTUNE_REQUIRE_ALL is set, but {reason}")));
    }
    Ok(Completion::ignored_with(reason))
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate lies two levels below the workspace's root")
        .to_path_buf()
}
