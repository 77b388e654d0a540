//! `powertune tune` in a process of its own, and its resources.

use std::{
    fs,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::process::Command;

use crate::{IN_FLIGHT, POWERS, STEP_MB, endpoint::Endpoint};

/// The pause between two readings. The process's last moments are not seen.
const LOOK: Duration = Duration::from_millis(10);

/// The figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) counted: u64,
    pub(crate) failed: u64,
    pub(crate) peak_mb: f64,
    pub(crate) cpu: Duration,
    pub(crate) elapsed: Duration,
    /// The text on stderr.
    pub(crate) said: String,
}

/// Tunes a function with `num` invocations at every power.
pub(crate) async fn tune(endpoint: &Endpoint, function: &str, num: u32) -> Run {
    let started = Instant::now();
    let mut run = Run::default();
    let state = tempfile::tempdir().expect("a folder");
    let process = command(endpoint, function, num)
        // The journal is kept away from the user's own.
        .env("XDG_STATE_HOME", state.path())
        .spawn()
        .expect("powertune starts");
    let id = process.id().expect("it was not waited for");
    let mut looks = tokio::time::interval(LOOK);
    let mut output = std::pin::pin!(process.wait_with_output());
    let output = loop {
        tokio::select! {
            output = &mut output => break output.expect("its output"),
            _ = looks.tick() => run.look(id),
        }
    };
    run.elapsed = started.elapsed();
    run.read(&output);
    run
}

fn command(endpoint: &Endpoint, function: &str, num: u32) -> Command {
    let largest_mb = POWERS * STEP_MB;
    let mut command = Command::new(env!("CARGO_BIN_EXE_powertune"));
    command
        .args(["tune", function, "--output", "json"])
        .args(["--power-values", &format!("{STEP_MB}-{largest_mb}:{STEP_MB}")])
        .args(["--num", &num.to_string(), "--parallel", &IN_FLIGHT.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(endpoint.environment());
    command
}

impl Run {
    /// Reads the resources of the process so far. The kernel keeps the peak of the memory, so that
    /// none is missed between two readings.
    fn look(&mut self, id: u32) {
        if let Ok(status) = fs::read_to_string(format!("/proc/{id}/status")) {
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kb = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            self.peak_mb = kb.map_or(self.peak_mb, |kb| kb / 1024.0);
        }
        if let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) {
            // Behind the program's name the 3rd field follows; fields 14 and 15 are needed.
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
            let ticks: u64 = ticks.map(Result::unwrap_or_default).sum();
            let a_second = rustix::param::clock_ticks_per_second();
            self.cpu = Duration::from_secs_f64(ticks as f64 / a_second as f64);
        }
    }

    /// Reads the result that the process printed.
    fn read(&mut self, output: &Output) {
        self.said = String::from_utf8_lossy(&output.stderr).into_owned();
        let result: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let rows = result["stats"].as_array().map_or(&[][..], Vec::as_slice);
        let sum = |field: &str| rows.iter().filter_map(|row| row[field].as_u64()).sum::<u64>();
        self.failed = sum("failures");
        self.counted = sum("invocations") - self.failed;
    }
}
