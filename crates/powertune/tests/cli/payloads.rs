//! Payloads in every spelling, as the function receives them.

use std::{fs, path::Path, process::Output};

use serde_json::{Value, json};

use crate::{
    binary::{powertune, stderr},
    stdin::with_stdin,
};

const CODE: &str = "
import json, os
def handler(event, context):
    with open(os.environ['SEEN'], 'w') as file:
        json.dump(event, file)
";

/// A folder with a function that writes its payload to a file, and with payload files.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("app.py", CODE),
        ("event.json", r#"{"from": "file"}"#),
        ("of-windows.json", "\u{feff}{\"from\": \"windows\"}"),
        ("half.json", "{\"half\":"),
    ] {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

/// A dry run at one memory size in that folder, with more arguments and this stdin.
fn dry_run(folder: &Path, more: &[&str], stdin: &str) -> Output {
    let seen = format!("SEEN={}", folder.join("seen").display());
    let fixed = ["tune", "--local", ".", "--runtime", "python3.11", "--handler", "app.handler"];
    let rest = ["--env", &seen, "--dry-run", "--power-values", "1024", "--quiet"];
    let mut command = powertune(&[&fixed[..], &rest, more].concat());
    with_stdin(command.current_dir(folder).env("HOME", folder), stdin)
}

#[test]
fn every_spelling_reaches_the_function() {
    let folder = folder();
    let absolute = format!("file://{}", folder.path().join("event.json").display());
    let stdin = r#"{"from": "stdin"}"#;
    let cases: [(&str, Value); 12] = [
        ("@event.json", json!({"from": "file"})),
        ("file://event.json", json!({"from": "file"})),
        (&absolute, json!({"from": "file"})),
        ("fileb://event.json", json!({"from": "file"})),
        ("file://~/event.json", json!({"from": "file"})),
        ("@of-windows.json", json!({"from": "windows"})),
        ("-", json!({"from": "stdin"})),
        ("@-", json!({"from": "stdin"})),
        (r#"{"from": "text"}"#, json!({"from": "text"})),
        ("hello", json!("hello")),
        ("\"event.json\"", json!("event.json")),
        ("7", json!(7)),
    ];
    for (payload, expected) in cases {
        let output = dry_run(folder.path(), &["--payload", payload], stdin);
        assert!(output.status.success(), "{payload}: {}", stderr(&output));
        let seen = fs::read_to_string(folder.path().join("seen")).expect("it was invoked");
        assert_eq!(serde_json::from_str::<Value>(&seen).expect("JSON"), expected, "{payload}");
        fs::remove_file(folder.path().join("seen")).expect("it is there");
    }
}

#[test]
fn what_is_not_meant_as_it_is_typed_is_refused_with_the_right_spelling() {
    let folder = folder();
    let twice = ["--input", "-", "--payload"];
    let cases: [(&[&str], &str); 6] = [
        (
            &["--payload", "event.json"],
            "event.json is not JSON, but a file of that name exists: write --payload @event.json",
        ),
        (
            &["--payload", "./event.json"],
            "./event.json is not JSON, but a file of that name exists: write --payload \
             @./event.json",
        ),
        (&["--payload", "file://absent.json"], "absent.json can't be read"),
        (&["--payload", "@half.json"], "half.json is not valid JSON"),
        (&[&twice[..], &["-"]].concat(), "give a file for one of them"),
        (&[&twice[..], &["@-"]].concat(), "give a file for one of them"),
    ];
    for (arguments, message) in cases {
        let output = dry_run(folder.path(), arguments, "{}");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with("error: --payload: "), "{said}");
        assert!(said.contains(message), "{arguments:?}: {said}");
        assert!(!folder.path().join("seen").exists(), "{arguments:?}");
    }
    let output = dry_run(folder.path(), &["--payload", "-"], "{\"half\":");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--payload: stdin is not valid JSON"), "{}", stderr(&output));
}
