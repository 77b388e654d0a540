//! Execution environments with processes of real runtimes, called through Invoke.
//!
//! A test that this machine can't run (no Node.js, no rights on cgroups, no emulator of AWS) is
//! ignored, with the reason in its name.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

#[path = "../bed/mod.rs"]
mod bed;
mod emulator;
mod failures;
mod isolation;
mod lifecycle;
mod logs;
mod runtimes;
mod sharing;
mod stage;

use std::{path::PathBuf, process::ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use powertune_local::{CpuControl, LocalLambda, Settings};

/// Set for a process that a test starts and kills: it serves instead of testing.
const SERVE: &str = "POWERTUNE_TEST_SERVE";

fn main() -> ExitCode {
    if std::env::var_os(SERVE).is_some() {
        lifecycle::serve();
        return ExitCode::SUCCESS;
    }
    let mut trials = Vec::new();
    for control in [Control::Cgroup, Control::Signals] {
        let mut add = |name: &str, missing: Option<&str>, test: fn(CpuControl)| {
            let name = format!("{control}: {name}");
            trials.push(trial(&name, missing.or(control.missing().as_deref()), move || {
                test(control.setting());
            }));
        };
        failures::trials(&mut add);
        isolation::trials(&mut add);
        lifecycle::trials(&mut add);
        logs::trials(&mut add);
        runtimes::trials(&mut add);
        sharing::trials(&mut add);
    }
    trials.extend(emulator::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The name of a test, the reason to ignore it, and the test.
type Add<'a> = dyn FnMut(&str, Option<&str>, fn(CpuControl)) + 'a;

fn trial(name: &str, missing: Option<&str>, test: impl FnOnce() + Send + 'static) -> Trial {
    let name = missing.map_or(name.to_owned(), |missing| format!("{name} ({missing})"));
    let run = move || {
        test();
        Ok::<(), Failed>(())
    };
    Trial::test(name, run).with_ignored_flag(missing.is_some())
}

/// The way to limit CPU. Every test runs with both.
#[derive(Debug, Clone, Copy)]
enum Control {
    Cgroup,
    Signals,
}

impl Control {
    fn setting(self) -> CpuControl {
        match self {
            Self::Cgroup => CpuControl::Cgroup,
            Self::Signals => CpuControl::Signals,
        }
    }

    /// The reason why it can't be used here.
    fn missing(self) -> Option<String> {
        let settings = Settings { cpu: self.setting(), ..Settings::default() };
        let started = stage::block_on(async {
            let started = LocalLambda::start(settings).await;
            match started {
                Ok(lambda) => {
                    lambda.shutdown().await;
                    Ok(())
                }
                Err(error) => Err(error),
            }
        });
        started.err().map(|error| error.to_string())
    }
}

impl std::fmt::Display for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cgroup => "cgroup",
            Self::Signals => "signals",
        })
    }
}

/// The path of a program in PATH.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
