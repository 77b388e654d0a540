//! The secrets that `powertune local` and `tune --local` do not show.

use std::{fs::File, os::unix::fs::PermissionsExt, path::Path, process::Stdio, time::Duration};

use crate::binary::{powertune, run, signal, stderr, stdout};

#[test]
fn what_is_printed_into_a_file_is_for_its_user_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("local.env");
    let file = File::create(&path).expect("a file");
    file.set_permissions(PermissionsExt::from_mode(0o644)).expect("its mode is set");
    let mut process = powertune(&["local", "--port", "0"])
        .stdout(file)
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let printed = loop {
        let printed = std::fs::read_to_string(&path).expect("the file is there");
        if printed.lines().count() >= 5 {
            break printed;
        }
        assert!(process.try_wait().expect("a child").is_none(), "it has ended: {printed}");
        std::thread::sleep(Duration::from_millis(10));
    };
    let mode = std::fs::metadata(&path).expect("the file is there").permissions().mode();
    signal(&process, rustix::process::Signal::TERM);
    process.wait().expect("a child");
    assert!(printed.contains("export AWS_SECRET_ACCESS_KEY="), "{printed}");
    assert_eq!(mode & 0o777, 0o600);
}

/// A secret in each place where it can't be parsed.
#[test]
fn a_key_pair_is_in_no_message() {
    const SECRET: &str = "5f2c-not-for-output";

    let pair = format!("id:{SECRET}");
    let attached = format!("--key-pair={SECRET}");
    let mistyped = format!("--key-pairs={SECRET}");
    let in_port = format!("--port={SECRET}");
    let mistakes: [&[&str]; 9] = [
        &["--key-pair", SECRET],
        &["--key-pair", ":5f2c-not-for-output"],
        &[&attached],
        &[&mistyped],
        &["--key-pair", "id", SECRET],
        &["--key-pair", "id:", "-5f2c-not-for-output"],
        &["--key-pair", &pair, "--port", SECRET],
        &["--key-pair", &pair, &in_port],
        &["--key-pair", &pair, "--largest-memory", SECRET],
    ];
    for mistake in mistakes {
        let run = run(&[&["local", "--port", "0"], mistake].concat());
        let said = stdout(&run) + &stderr(&run);
        assert_eq!(run.status.code(), Some(2), "{mistake:?}: {said}");
        assert!(!said.contains("5f2c") && said.contains("error: "), "{said}");
    }
    let run = run(&["local", "--port", "0", "--key-pair", SECRET]);
    assert!(stderr(&run).contains("--key-pair: it is not of the form ID:SECRET"), "{run:?}");
}

/// A handler that does its work, and then fails if its event says so. Its messages have no secret.
const DISCREET: &str = "
import os
def handler(event, context):
    assert event['token'] == os.environ['PASSWORD'] == 'not-for-output'
    if event['fail']:
        raise ValueError('as asked')
";

#[test]
fn payloads_and_variables_are_not_in_what_is_printed_or_saved() {
    const SECRET: &str = "not-for-output";

    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("app.py"), DISCREET).expect("the code");
    let saved = folder.path().join("result.json");
    let mut runs = 0;
    for output in ["table", "json", "csv", "markdown"] {
        for disable_payload_logs in [false, true] {
            for fails in [false, true] {
                let payload = format!(r#"{{"token": "{SECRET}", "fail": {fails}}}"#);
                let input = format!(
                    r#"{{"payload": {payload}, "disablePayloadLogs": {disable_payload_logs}}}"#
                );
                let said = tune(folder.path(), &input, output, &saved, !fails);
                assert!(!said.contains(SECRET), "{output}, {input}: {said}");
                assert_eq!(said.contains("as asked"), fails, "{said}");
                runs += 1;
            }
        }
    }
    println!("figure: runs that kept payload and variables to themselves: {runs} of {runs}");
}

/// All output and the saved result of a run of the discreet function.
fn tune(folder: &Path, input: &str, output: &str, saved: &Path, succeeds: bool) -> String {
    let file = folder.join("request.json");
    std::fs::write(&file, input).expect("a request");
    let [path, file, save] = [folder, &file, saved].map(|path| path.display().to_string());
    let arguments = ["tune", "--local", &path, "--runtime", "python3.11", "--handler"];
    let more = ["app.handler", "--env", "PASSWORD=not-for-output", "--input", &file, "--verbose"];
    let rest = ["--power-values", "512,1024", "--num", "5", "--output", output, "--save", &save];
    let run = powertune(&[&arguments[..], &more, &rest].concat())
        .env("AWS_SECRET_ACCESS_KEY", "not-for-output")
        .output()
        .expect("powertune runs");
    assert_eq!(run.status.success(), succeeds, "{}", stderr(&run));
    stdout(&run) + &stderr(&run) + &std::fs::read_to_string(saved).unwrap_or_default()
}

/// A dry run of a Python function with a PATH that has only `python3`.
fn dry_run_by(runtime: &str, path: &Path) -> std::process::Output {
    std::fs::write(path.join("app.py"), "def handler(event, context): return 1").expect("code");
    let arguments = ["tune", "--local", ".", "--handler", "app.handler", "--runtime", runtime];
    powertune(&[&arguments[..], &["--dry-run", "--power-values", "1024"]].concat())
        .current_dir(path)
        .env("PATH", path)
        .output()
        .expect("powertune runs")
}

#[test]
fn another_version_than_was_asked_for_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = dry_run_by("python3.12", folder.path());
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
    let why = "--runtime: Couldn't find an interpreter that works; looked in PATH for python3.12 \
               and python3; install it";
    assert!(stderr(&missing).contains(why), "{}", stderr(&missing));

    let probe = "import sys; print(sys.executable); print(sys.version.split()[0])";
    let found = std::process::Command::new("python3").args(["-c", probe]).output();
    let found = stdout(&found.expect("python3 runs"));
    let (executable, version) = found.trim().split_once('\n').expect("two lines");
    std::os::unix::fs::symlink(executable, folder.path().join("python3")).expect("a link");
    let has = format!("python{}", version.rsplit_once('.').expect("a version").0);
    for runtime in ["python3.9", "python3.14", has.as_str()] {
        let output = dry_run_by(runtime, folder.path());
        assert!(output.status.success(), "{}", stderr(&output));
        let warning = format!("the function ran on Python {version} instead of {runtime}");
        let printed = stdout(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(printed.contains(&warning), runtime != has, "{printed}");
    }
}
