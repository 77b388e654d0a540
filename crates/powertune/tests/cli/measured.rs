//! Measurements are paid for: from the first sample on, every ending prints and saves them.

use std::{
    fs,
    os::unix::fs::FileTypeExt,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    binary::{signal, stderr, stdout},
    stage::{FUNCTION, Rule, Spoilt, Stage, invocations},
};

/// The number of invocations of a run with these arguments.
const ALL: usize = 10;
const TUNE: &[&str] =
    &["tune", FUNCTION, "--power-values", "256,512", "--num", "5", "--output", "json", "--quiet"];
/// The function is cheaper with less memory.
const STEADY: &str = "time.sleep(0.02)";

/// The arguments of a run that saves its result in `file`.
fn tune<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [TUNE, &["--save", file], more].concat()
}

fn rule(rule: impl Fn(&[String]) -> Option<Spoilt> + Send + Sync + 'static) -> Rule {
    Arc::new(rule)
}

/// Refuses this many of the requests with this method and this part of a path, after all
/// measurements.
fn refused_after_all(method: &'static str, part: &'static str, times: usize) -> Rule {
    let refused = AtomicUsize::new(0);
    rule(move |seen| {
        let is_meant =
            seen.last().is_some_and(|last| last.starts_with(method) && last.contains(part));
        let is_refused =
            is_meant && invocations(seen) == ALL && refused.fetch_add(1, Ordering::Relaxed) < times;
        is_refused.then_some(Spoilt::Refused(403, "AccessDeniedException"))
    })
}

fn result(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {:?} {}", stdout(output), stderr(output));
    })
}

fn saved(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("it was saved");
    serde_json::from_str(&text).expect("it is whole")
}

/// Runs it, and checks that the measurements are printed and saved.
fn ends_with(stage: &Stage, more: &[&str], rule: Rule, code: i32, told: &str) -> Value {
    let path = stage.path("result.json");
    let file = path.display().to_string();
    let output = stage.spoilt(&tune(&file, more), rule).output().expect("powertune runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(told), "{said}");
    let result = result(&output);
    assert_eq!(saved(&path), result);
    fs::remove_file(path).expect("it is there");
    result
}

#[test]
fn what_fails_after_the_measuring_does_not_lose_it() {
    let stage = Stage::new(STEADY);
    let to_alias = ["--auto-optimize", "--auto-optimize-alias", "prod"];
    let cases: [(&[&str], Rule, i32, &str); 5] = [
        (&to_alias, refused_after_all("POST", "/aliases", 99), 1, "lambda:CreateAlias"),
        (&["--auto-optimize"], refused_after_all("PUT", "/configuration", 99), 1, "was put back"),
        (&[], refused_after_all("GET", "/functions/", 1), 1, "GetFunction"),
        (&[], refused_after_all("DELETE", "?Qualifier=", 99), 4, "; by hand: aws lambda"),
        (&[], refused_after_all("DELETE", "/tags/", 99), 4, "untag-resource"),
    ];
    for (more, rule, code, told) in cases {
        let result = ends_with(&stage, more, rule, code, told);
        assert_eq!(result["invocations"], ALL, "{told}");
        assert!(result.get("complete").is_none() && result.get("applied").is_none(), "{result}");
        if code == 4 {
            let clean = stage.powertune(&["clean", FUNCTION]).output().expect("powertune runs");
            assert!(clean.status.success(), "{}", stderr(&clean));
        }
        stage.must_be_clean();
    }
}

#[test]
fn what_fails_in_the_middle_leaves_what_was_measured_until_then() {
    let stage = Stage::new(STEADY);
    let spoil = rule(|seen| {
        let calls = seen.iter().filter(|request| request.contains("/functions/post/invocations"));
        let is_one = seen.last().is_some_and(|request| request.contains("/functions/post/"));
        (is_one && calls.count() > 4).then_some(Spoilt::Refused(403, "AccessDeniedException"))
    });
    let result = ends_with(&stage, &["--post-processor", "post"], spoil, 1, "postProcessorARN");
    assert_eq!((&result["complete"], &result["stopped"]), (&false.into(), &"failed".into()));
    let count = result["invocations"].as_u64().expect("a count");
    assert!((5..10).contains(&count), "{result}");
    stage.must_be_clean();
}

#[test]
fn an_interrupted_run_prints_and_saves_what_it_has() {
    let stage = Stage::new("time.sleep(0.3)");
    let file = stage.path("result.json");
    let path = file.display().to_string();
    let more = ["--num", "100", "--power-values", "256,512", "--output", "table", "--save", &path];
    let arguments = [&["tune", FUNCTION, "--quiet"], more.as_slice()].concat();
    let mut command = stage.powertune(&arguments);
    let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let process = process.expect("powertune starts");
    thread::sleep(Duration::from_secs(4));
    signal(&process, Signal::INT);
    let output = process.wait_with_output().expect("powertune ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("Incomplete, so far: "), "{text}");
    assert!(text.contains("the run ended before everything was measured"), "{text}");
    let saved = saved(&file);
    assert_eq!((&saved["complete"], &saved["stopped"]), (&false.into(), &"interrupted".into()));
    stage.must_be_clean();
}

#[test]
fn a_result_is_saved_before_it_is_applied_and_again_when_it_is() {
    let stage = Stage::new(STEADY);
    let path = stage.path("result.json");
    let is_there = Arc::new(AtomicBool::new(false));
    let (file, seen_there) = (path.clone(), Arc::clone(&is_there));
    let watch = rule(move |seen| {
        let applies = seen.last().is_some_and(|request| request.contains("/configuration"));
        if applies && invocations(seen) == ALL {
            let early = saved(&file);
            seen_there.store(early.get("applied").is_none(), Ordering::Relaxed);
        }
        None
    });
    let file = path.display().to_string();
    let command = stage.spoilt(&tune(&file, &["--auto-optimize"]), watch).output();
    let output = command.expect("powertune runs");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(is_there.load(Ordering::Relaxed), "it was not there before it was applied");
    let result = saved(&path);
    assert_eq!(result["applied"], serde_json::json!({ "power": result["power"] }));
    let files = fs::read_dir(stage.folder.path()).expect("the folder").filter(|file| {
        let name = file.as_ref().expect("a file").file_name();
        name.to_string_lossy().starts_with(".powertune-")
    });
    assert_eq!(files.count(), 0, "nothing temporary is left");
}

#[test]
fn what_ends_before_the_first_sample_creates_no_file_and_keeps_the_old() {
    let stage = Stage::new(STEADY);
    let [old, new] = ["old.json", "new.json"].map(|name| stage.path(name));
    fs::write(&old, "old").expect("a file");
    for path in [&old, &new] {
        let spoil = rule(|seen| {
            let tags = seen.last().is_some_and(|request| request.starts_with("POST /2017-03-31/"));
            tags.then_some(Spoilt::Refused(403, "AccessDeniedException"))
        });
        let file = path.display().to_string();
        let output = stage.spoilt(&tune(&file, &[]), spoil).output().expect("powertune runs");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
    assert_eq!(fs::read_to_string(old).expect("the old file"), "old");
    assert!(!new.exists());
}

#[test]
fn a_full_disk_leaves_the_old_file_and_prints_the_result() {
    let stage = Stage::new(STEADY);
    let path = stage.path("result.json");
    fs::write(&path, "old").expect("a file");
    let file = path.display().to_string();
    // With this limit, writing fails as on a full disk; no special rights are needed.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 0 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_powertune")]);
    command.args(tune(&file, &["--auto-optimize"])).envs(stage.environment());
    let output = command.env_remove("AWS_PROFILE").output().expect("powertune runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("was not saved to") && said.contains("nothing was applied"), "{said}");
    assert_eq!(result(&output)["invocations"], ALL);
    assert_eq!(fs::read_to_string(path).expect("the old file"), "old");
    stage.must_be_clean();
}

#[test]
fn a_pipe_and_the_standard_streams_are_written_to_once() {
    let stage = Stage::new(STEADY);
    let pipe = stage.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let reader = pipe.clone();
    let read = thread::spawn(move || fs::read_to_string(reader).expect("it is written to"));
    let file = pipe.display().to_string();
    let output = stage.powertune(&tune(&file, &[])).output().expect("powertune runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let text = read.join().expect("the reader ends");
    assert_eq!(serde_json::from_str::<Value>(&text).expect("one result"), result(&output));
    assert!(fs::metadata(&pipe).expect("it is there").file_type().is_fifo());

    let output = stage.powertune(&tune("/dev/stdout", &[])).output().expect("powertune runs");
    let both = stdout(&output);
    let (one, other) = both.split_at(both.len() / 2);
    assert!(one == other && serde_json::from_str::<Value>(one).is_ok(), "{both}");
    let output = stage.powertune(&tune("/dev/stderr", &[])).output().expect("powertune runs");
    assert_eq!(stderr(&output), stdout(&output));
}
