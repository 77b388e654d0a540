//! The accuracy of durations in proportion to memory: runs a CPU-bound function at several memory
//! sizes, by cgroup and by signals, and prints each duration as a ratio to the exact proportion.
//!
//! `cargo run --release -p powertune-local --example proportion`
//!
//! One vCPU is 1,769 MB. So a job of t milliseconds of CPU should take t at 1,769 MB and t · 1,769
//! / m at m MB. A ratio of 1.000 is exactly that. The goal is 5 % by cgroup and 15 % by signals,
//! for jobs of 300 ms and more. A shorter job ends after a few periods, and as on Lambda the quota
//! of the first period is there at once.
//!
//! By signals the machine has to be idle otherwise, because without rights functions have no
//! priority.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, Write},
};

use aws_sdk_lambda::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
    primitives::Blob,
    types::LogType,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use powertune_local::{CpuControl, LocalLambda, NewFunction, Settings};

const MEMORY_MB: [u32; 5] = [128, 256, 512, 1024, 1769];
/// Milliseconds of CPU, and the number of runs. The median counts.
const JOBS: [(f64, usize); 3] = [(60.0, 9), (300.0, 5), (1000.0, 3)];
/// The shortest job for which the goal holds, in milliseconds of CPU.
const MEANT_FROM_MS: f64 = 300.0;

/// Computes for the steps of its event, and returns the CPU time in milliseconds.
const HANDLER: &str = "\
import time

def handler(event, context):
    begin = time.process_time()
    number = 1
    for _ in range(event['steps']):
        number = number * 1103515245 + 12345 & 0x7fffffff
    return (time.process_time() - begin) * 1000
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for cpu in [CpuControl::Cgroup, CpuControl::Signals] {
        let settings = Settings { cpu, ..Settings::default() };
        match LocalLambda::start(settings).await {
            Ok(lambda) => measure(lambda).await?,
            Err(error) => writeln!(io::stdout(), "{cpu:?} not measured: {error}")?,
        }
    }
    Ok(())
}

async fn measure(lambda: LocalLambda) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    writeln!(out, "{}", lambda.cpu_control())?;
    let client = client_of(&lambda);
    create_functions(&lambda).await?;
    let steps_per_ms = calibrate(&client).await?;
    for (cpu_ms, runs) in JOBS {
        write!(out, "{cpu_ms:6.0} ms of CPU:")?;
        let mut worst: f64 = 0.0;
        for memory_mb in MEMORY_MB {
            let ratio = ratio(&client, memory_mb, cpu_ms * steps_per_ms, runs).await?;
            worst = worst.max((ratio - 1.0).abs());
            write!(out, "  {memory_mb} MB {ratio:.3}")?;
            out.flush()?;
        }
        let meant = if cpu_ms < MEANT_FROM_MS { " (not meant to hold)" } else { "" };
        writeln!(out, "  worst {:.1} %{meant}", worst * 100.0)?;
    }
    lambda.shutdown().await;
    Ok(())
}

fn client_of(lambda: &LocalLambda) -> Client {
    let pair = lambda.credentials();
    let credentials =
        Credentials::new(&pair.access_key_id, &pair.secret_access_key, None, None, "example");
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(lambda.endpoint_url())
        .region(Region::new(lambda.region().to_owned()))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .build();
    Client::from_conf(config)
}

async fn create_functions(lambda: &LocalLambda) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("app.py"), HANDLER)?;
    for memory_mb in MEMORY_MB {
        let function = NewFunction {
            name: format!("f{memory_mb}"),
            code: folder.path().to_owned(),
            runtime: "python3.13".to_owned(),
            handler: "app.handler".to_owned(),
            memory_mb,
            timeout_s: 120,
            environment: BTreeMap::new(),
            architecture: None,
        };
        lambda.create_function(function).await?;
    }
    Ok(())
}

/// Steps in a millisecond of CPU. The first run is cold, the second warms up.
async fn calibrate(client: &Client) -> Result<f64, Box<dyn Error>> {
    let steps = 3_000_000.0;
    let mut cpu_ms = 0.0;
    for _ in 0..3 {
        (_, cpu_ms) = run(client, 1769, steps).await?;
    }
    Ok(steps / cpu_ms)
}

/// The median of duration divided by the exact proportion.
async fn ratio(
    client: &Client,
    memory_mb: u32,
    steps: f64,
    runs: usize,
) -> Result<f64, Box<dyn Error>> {
    run(client, memory_mb, 1.0).await?;
    let mut ratios = Vec::new();
    for _ in 0..runs {
        let (duration_ms, cpu_ms) = run(client, memory_mb, steps).await?;
        ratios.push(duration_ms * f64::from(memory_mb) / 1769.0 / cpu_ms);
    }
    ratios.sort_by(f64::total_cmp);
    Ok(ratios[ratios.len() / 2])
}

/// Duration and CPU time of one invocation, in milliseconds.
async fn run(client: &Client, memory_mb: u32, steps: f64) -> Result<(f64, f64), Box<dyn Error>> {
    let output = client
        .invoke()
        .function_name(format!("f{memory_mb}"))
        .log_type(LogType::Tail)
        .payload(Blob::new(format!("{{\"steps\":{steps:.0}}}")))
        .send()
        .await?;
    let payload = output.payload().map(|blob| String::from_utf8_lossy(blob.as_ref()).into_owned());
    let payload = payload.unwrap_or_default();
    if output.function_error().is_some() {
        return Err(payload.into());
    }
    let log = String::from_utf8(STANDARD.decode(output.log_result().unwrap_or_default())?)?;
    let duration = log.rsplit("\tDuration: ").next().and_then(|rest| rest.split(' ').next());
    Ok((duration.unwrap_or_default().parse()?, payload.parse()?))
}
