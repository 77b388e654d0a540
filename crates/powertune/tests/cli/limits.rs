//! Limits of the machine and faults of the network are no properties of a function: they make no
//! answer surer.

use std::{
    io,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use http_body_util::Full;
use powertune_testing::{Server, Upstream};
use serde_json::{Value, json};

use crate::{
    binary::{Local, powertune, stderr, stdout},
    functions::create,
    stage::{FUNCTION, Spoilt, Stage, invocations},
};

/// Tunes `orders` in a shell that has run `limits` before.
fn tune_within(local: &Local, limits: &str, more: &[&str]) -> Output {
    let tuned = powertune(&[&["tune", "orders", "--output", "json"], more].concat());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{limits} && exec \"$0\" \"$@\"")]);
    shell.arg(tuned.get_program()).args(tuned.get_args()).stdin(Stdio::null());
    for (name, value) in tuned.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.envs(local.environment.iter().map(|(name, value)| (name, value)));
    shell.output().expect("a shell")
}

/// More invocations at the same time than 64 open files allow.
const MANY: [&str; 6] = ["--power-values", "512", "--num", "120", "--parallel", "60"];

fn parsed(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_str(&stdout(output)).expect("JSON")
}

fn parallel(result: &Value) -> Vec<&str> {
    let warnings = result["warnings"].as_array().expect("a list").iter();
    warnings.filter_map(Value::as_str).filter(|said| said.starts_with("parallel:")).collect()
}

#[test]
fn few_open_files_are_few_invocations_at_the_same_time_and_not_lost_ones() {
    let local = Local::start();
    create(&local);
    let result = parsed(&tune_within(&local, "ulimit -n 64", &MANY));
    let row = &result["stats"][0];
    assert_eq!((&row["invocations"], &row["failures"]), (&json!(120), &json!(0)), "{row}");
    assert!(result["confidence"].is_number(), "{result}");
    let said = parallel(&result);
    assert!(said.len() == 1 && said[0].contains("16 instead of 60"), "{said:?}");
    assert!(said[0].contains("ulimit -n"), "{said:?}");
}

#[test]
fn a_soft_limit_of_open_files_is_raised_to_what_is_allowed() {
    let local = Local::start();
    create(&local);
    let result = parsed(&tune_within(&local, "ulimit -Sn 64", &MANY));
    let row = &result["stats"][0];
    assert_eq!((&row["invocations"], &row["failures"]), (&json!(120), &json!(0)), "{row}");
    assert_eq!(parallel(&result), [""; 0]);
}

/// A forward proxy (`HTTP_PROXY`) that breaks connections on which this version is invoked.
fn breaking(local: &Local, version: u32) -> Server {
    let upstream = Upstream::of(&local.environment);
    let broken = format!("/invocations?Qualifier={version}");
    Server::alone(move |head, body| {
        let (upstream, is_broken) = (upstream.clone(), head.uri.to_string().ends_with(&broken));
        async move {
            if is_broken {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Ok(upstream.call(head, body).await?.map(Full::new))
        }
    })
}

#[test]
fn a_size_that_the_network_has_lost_leaves_the_choice_open_and_unapplied() {
    let local = Local::start();
    create(&local);
    // The function's own size is published first, then the others in order.
    let proxy = breaking(&local, 3);
    let few = ["tune", "orders", "--power-values", "256,1024", "--num", "5"];
    let apply = [&few, ["--auto-optimize", "--output", "json"].as_slice()].concat();
    let tuned = local.powertune(&apply).env("HTTP_PROXY", proxy.url()).output();
    let result = parsed(&tuned.expect("powertune runs"));
    assert_eq!((&result["power"], &result["unmeasured"]), (&json!(256), &json!([1024])));
    assert_eq!(result["confidence"], Value::Null, "{result}");
    let reason = result["stats"][1]["reason"].as_str().expect("a reason");
    assert!(reason.contains("lost"), "{reason}");
    let warnings = result["warnings"].to_string();
    assert!(warnings.contains("1024 MB could not be measured"), "{warnings}");
    assert!(warnings.contains("nothing was applied"), "{warnings}");

    // The table says it in words, and the function is unchanged.
    let proxy = breaking(&local, 6);
    let tuned = local.powertune(&few).env("HTTP_PROXY", proxy.url()).output();
    let text = stdout(&tuned.expect("powertune runs"));
    assert!(text.contains("256 MB: it is the only memory size that could be measured"), "{text}");
    let few = ["tune", "orders", "--power-values", "512", "--dry-run", "--output", "json"];
    let dry_run = parsed(&local.powertune(&few).output().expect("powertune runs"));
    assert_eq!(dry_run["currentPower"], 512);
}

/// The first call tells the difference of the clocks; the next one is signed with the right time.
#[test]
fn a_clock_that_is_off_fails_no_invocation() {
    let stage = Stage::new("return 1");
    let rule = |seen: &[String]| {
        let is_first = invocations(seen) == 1 && invocations(&seen[..seen.len() - 1]) == 0;
        let message = "Signature not yet current: 20260101T010000Z is still later than \
                       20260101T000500Z (20260101T000000Z + 5 min.)";
        is_first.then_some(Spoilt::Said(403, "InvalidSignatureException", message))
    };
    let arguments = ["tune", FUNCTION, "--power-values", "512", "--num", "5", "--output", "json"];
    let output = stage.spoilt(&arguments, Arc::new(rule)).output().expect("powertune runs");
    let row = &parsed(&output)["stats"][0];
    assert_eq!((&row["invocations"], &row["failures"]), (&json!(5), &json!(0)), "{row}");

    let always = |_: &[String]| Some(Spoilt::Said(403, "RequestTimeTooSkewed", "too far off"));
    let output = stage.spoilt(&arguments, Arc::new(always)).output().expect("powertune runs");
    let said = stderr(&output);
    assert!(said.contains("the clock of this machine is wrong"), "{said}");
    assert!(!said.contains("AWS_PROFILE"), "{said}");
}
