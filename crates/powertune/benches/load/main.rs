//! A large run against an endpoint with limits: 24 memory sizes, 1,000 invocations each, up to
//! 1,000 in flight. It checks that every invocation is counted once, that memory stays bounded, and
//! that the run uses the throughput that the endpoint allows.
//!
//! ```text
//! cargo bench -p powertune --bench load
//! ```
//!
//! The client is the real binary, in a process of its own. The endpoint is the local Lambda, except
//! for Invoke, which the benchmark answers after a wait: a thousand processes on a few cores would
//! tell nothing about the client.

mod client;
mod endpoint;
mod invocations;
mod limit;

use std::{process::ExitCode, time::Duration};

use futures::{StreamExt, stream};
use powertune_local::{CpuControl, LocalLambda, NewFunction, Settings};

use crate::{
    client::{Run, tune},
    endpoint::Endpoint,
    invocations::Seen,
    limit::Limit,
};

/// 128 MB, 256 MB, and so on to 3,072 MB.
const POWERS: u32 = 24;
const STEP_MB: u32 = 128;
/// The account's limit as the client sees it; the client leaves a fifth of it to others.
const ACCOUNT: u32 = 1_250;
const IN_FLIGHT: u32 = 1_000;
const NUM: u32 = 1_000;
/// The number of invocations for the comparison of memory.
const SMALL_NUM: u32 = 100;
/// Long enough that a thousand are in flight before the first has ended.
const LONG: Duration = Duration::from_millis(600);
const SHORT: Duration = Duration::from_millis(200);

/// The concurrency that others leave.
const LEFT_OVER: u32 = 200;
/// The request rate of 100 environments, at 10 a second each.
const PER_SECOND: u32 = 1_000;

const LEAST_GOODPUT: f64 = 0.8;
const MOST_REFUSED: f64 = 0.1;
/// The most memory of one more sample, which is kept and passed on to displays and the analysis.
const MOST_BYTES_A_SAMPLE: f64 = 2_048.0;

/// One run.
struct Scenario {
    num: u32,
    limit: Limit,
    shortest: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    let settings =
        Settings { cpu: CpuControl::Unlimited, concurrency: ACCOUNT, ..Settings::default() };
    let lambda = LocalLambda::start(settings).await.expect("the local Lambda starts");
    let code = tempfile::tempdir().expect("a folder");
    let function = create(&lambda, code.path()).await;
    let scenarios = [
        Scenario { num: SMALL_NUM, limit: Limit::None, shortest: LONG },
        Scenario { num: NUM, limit: Limit::None, shortest: LONG },
        Scenario { num: NUM, limit: Limit::InFlight(LEFT_OVER), shortest: SHORT },
        Scenario { num: NUM, limit: Limit::PerSecond(PER_SECOND), shortest: SHORT },
    ];
    let runs = stream::iter(scenarios).then(|scenario| scenario.run(&lambda, &function));
    let results: Vec<(Run, Seen)> = runs.collect().await;
    lambda.shutdown().await;
    let [small, large, throttled @ ..] = results.as_slice() else { unreachable!("there are four") };
    let mut problems = unlimited(small, large);
    for (limit, result) in
        [Limit::InFlight(LEFT_OVER), Limit::PerSecond(PER_SECOND)].into_iter().zip(throttled)
    {
        problems.extend(limited(limit, result));
    }
    for problem in &problems {
        eprintln!("load: {problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A function that is never run.
async fn create(lambda: &LocalLambda, code: &std::path::Path) -> String {
    std::fs::write(code.join("app.py"), "def handler(event, context): pass\n").expect("the code");
    let function = NewFunction {
        name: "load".to_owned(),
        code: code.to_owned(),
        runtime: "python3.11".to_owned(),
        handler: "app.handler".to_owned(),
        memory_mb: 8 * STEP_MB,
        timeout_s: 20,
        environment: [].into(),
        architecture: None,
    };
    lambda.create_function(function).await.expect("the function is created")
}

impl Scenario {
    async fn run(self, lambda: &LocalLambda, function: &str) -> (Run, Seen) {
        let endpoint = Endpoint::start(lambda, self.limit, self.shortest);
        let run = tune(&endpoint, function, self.num).await;
        (run, endpoint.seen())
    }
}

/// Prints the resources of runs without a limit; returns their problems.
fn unlimited((small, of_small): &(Run, Seen), (large, of_large): &(Run, Seen)) -> Vec<String> {
    let more = f64::from(POWERS * (NUM - SMALL_NUM));
    let a_sample = (large.peak_mb - small.peak_mb) * 1024.0 * 1024.0 / more;
    println!(
        "figure: load, {POWERS} powers x {NUM} invocations, {} in flight: {} counted, {} failed, \
         peak {:.0} MB, {:.0} s, {:.1} s of CPU",
        of_large.most_running,
        large.counted,
        large.failed,
        large.peak_mb,
        large.elapsed.as_secs_f64(),
        large.cpu.as_secs_f64(),
    );
    println!(
        "figure: load, memory: peak {:.0} MB at {POWERS} x {SMALL_NUM}, {:.0} MB at {POWERS} x \
         {NUM}, {a_sample:.0} bytes for each sample more",
        small.peak_mb, large.peak_mb,
    );
    let mut problems = miscounted(small, of_small, SMALL_NUM);
    problems.extend(miscounted(large, of_large, NUM));
    if of_large.most_running != IN_FLIGHT {
        problems.push(format!("{} were in flight, not {IN_FLIGHT}", of_large.most_running));
    }
    if a_sample > MOST_BYTES_A_SAMPLE {
        problems.push(format!("a sample more takes {a_sample:.0} bytes"));
    }
    problems
}

/// Prints the throughput of a throttled run; returns its problems.
fn limited(limit: Limit, (run, seen): &(Run, Seen)) -> Vec<String> {
    let goodput = seen.goodput(limit);
    let refused = f64::from(seen.refused) / f64::from(seen.let_through.max(1));
    println!(
        "figure: load, throttled at {limit}: goodput {:.0} % of the limit, {refused:.3} refusals \
         for each invocation, {} counted, {} failed, peak {:.0} MB, {:.0} s, {:.1} s of CPU",
        100.0 * goodput,
        run.counted,
        run.failed,
        run.peak_mb,
        run.elapsed.as_secs_f64(),
        run.cpu.as_secs_f64(),
    );
    let mut problems = miscounted(run, seen, NUM);
    if goodput < LEAST_GOODPUT {
        problems.push(format!("{limit}: goodput is {:.0} %", 100.0 * goodput));
    }
    if refused > MOST_REFUSED {
        problems.push(format!("{limit}: {refused:.3} refusals for each invocation"));
    }
    if seen.refused == 0 {
        problems.push(format!("{limit}: nothing was refused, so that this shows nothing"));
    }
    problems
}

/// Compares the counts of the client, of the endpoint and of the request.
fn miscounted(run: &Run, seen: &Seen, num: u32) -> Vec<String> {
    let mut problems = Vec::new();
    if (run.counted, run.failed) != (u64::from(POWERS * num), 0) {
        problems.push(format!("{} counted and {} failed: {}", run.counted, run.failed, run.said));
    }
    let versions = seen.of_version.values().filter(|&&invocations| invocations == num).count();
    if versions != POWERS as usize || seen.let_through != POWERS * num {
        problems.push(format!("the endpoint saw {:?}", seen.of_version));
    }
    problems
}
