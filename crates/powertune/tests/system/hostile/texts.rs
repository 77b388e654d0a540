//! Texts of others that `powertune` repeats: arguments, files, answers of AWS, and tags of a
//! function. Each is shown, and a terminal obeys none.

use std::{fs, path::Path, process::Output};

use powertune_core::request::FIELDS;
use powertune_testing::Server;
use serde_json::{Map, Value, from_str};

use crate::hostile::{
    run::{ESCAPED, is_plain, is_tame, powertune, powertune_on_terminal, said},
    server::{errors, failing_execution, in_use, marked, serve},
};

const STATE_MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:x";

/// The outcome of each text.
type Outcomes = Vec<(String, Result<(), String>)>;

pub(crate) fn all() -> std::io::Result<Outcomes> {
    let hostile: String = from_str(&format!("\"{ESCAPED}\"")).expect("JSON");
    let folder = tempfile::tempdir()?;
    let mut outcomes = in_arguments(&hostile, folder.path());
    outcomes.extend(in_files(&hostile, folder.path())?);
    outcomes.extend(of_aws(&hostile));
    Ok(outcomes)
}

/// Runs `powertune` with and without a terminal, and checks the exit code and that the text is
/// shown.
fn repeats(arguments: &[&str], url: Option<&str>, code: i32) -> Result<(), String> {
    let mut variables = vec![
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_MAX_ATTEMPTS", "1".to_owned()),
    ];
    // If nothing is to be called, nothing listens.
    variables.push(("AWS_ENDPOINT_URL", url.unwrap_or("http://127.0.0.1:1").to_owned()));
    let output = powertune(arguments, &variables);
    is_plain(&output)?;
    ended(&output, code)?;
    let output = powertune_on_terminal(arguments, &variables);
    is_tame(&output)?;
    ended(&output, code)
}

fn ended(output: &Output, code: i32) -> Result<(), String> {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // Messages may cut the end of the text, and clap removes codes with their parameters.
    let shown = ["31;47mred", "txt.exe"].iter().any(|part| text.contains(part));
    if output.status.code() != Some(code) || !shown {
        return Err(format!("not {code} with the text: {}", said(output)));
    }
    Ok(())
}

fn in_arguments(hostile: &str, folder: &Path) -> Outcomes {
    let option = format!("--{hostile}");
    let file = format!("@{hostile}");
    let missing = folder.join("missing").join(hostile).display().to_string();
    let generated = folder.join(hostile).display().to_string();
    let cases: [(&str, &[&str], i32); 13] = [
        ("a command", &[hostile], 2),
        ("an option", &["tune", &option], 2),
        ("the value of an option", &["tune", "fn", "--output", hostile], 2),
        ("the name of a function", &["tune", hostile], 2),
        ("the name of a function to clean", &["clean", hostile], 2),
        ("a region", &["tune", "fn", "--region", hostile], 2),
        ("a request file that is not there", &["tune", "--input", hostile], 2),
        ("a payload that is not there", &["tune", "fn", "--payload", &file], 2),
        ("a file to save to", &["tune", "fn", "--save", &missing], 2),
        ("powers", &["tune", "fn", "--power-values", hostile], 2),
        (
            "a folder to tune",
            &["tune", "--local", hostile, "--runtime", "python3.11", "--handler", "a.b"],
            2,
        ),
        (
            "a timeout",
            &["tune", "--local", "/", "--runtime", "r", "--handler", "h", "--timeout", hostile],
            2,
        ),
        ("a folder to generate", &["generate", "asl", "--folder", &generated], 0),
    ];
    let outcome = |(name, arguments, code): (&str, &[&str], i32)| {
        (name.to_owned(), repeats(arguments, None, code))
    };
    cases.into_iter().map(outcome).collect()
}

/// Each field of a request, an unknown field, and a file that is no request.
fn in_files(hostile: &str, folder: &Path) -> std::io::Result<Outcomes> {
    let mut outcomes = Vec::new();
    let file = folder.join(format!("{hostile}.json"));
    let path = file.display().to_string();
    let mut request = |name: &str, content: String| -> std::io::Result<()> {
        fs::write(&file, content)?;
        let outcome = repeats(&["tune", "--input", &path], None, 2);
        outcomes.push((format!("a request file: {name}"), outcome));
        Ok(())
    };
    request("no JSON", hostile.to_owned())?;
    request("a list", "[]".to_owned())?;
    // Any text is a valid payload, and a valid error type.
    let taken = ["payload", "allowedExceptions", "disablePayloadLogs"];
    for field in FIELDS.into_iter().filter(|field| !taken.contains(field)).chain([hostile]) {
        let mut fields = Map::from_iter([("lambdaARN".to_owned(), Value::from("fn"))]);
        fields.insert(field.to_owned(), hostile.into());
        // The message does not begin with the field alone.
        if field == "percentile" {
            fields.insert("maxDuration".to_owned(), 100.into());
        }
        request(field, Value::Object(fields).to_string())?;
    }
    Ok(outcomes)
}

fn of_aws(hostile: &str) -> Outcomes {
    let run = ["run", "fn", "--state-machine", STATE_MACHINE];
    let refused = serve(errors, hostile);
    let failing = serve(failing_execution, hostile);
    let (left, in_use) = (serve(marked, hostile), serve(in_use, hostile));
    let cases: [(&str, &[&str], &Server, i32); 7] = [
        ("an error of Lambda's in tune", &["tune", "fn"], &refused, 2),
        ("an error of Lambda's in clean", &["clean", "fn"], &refused, 2),
        ("an error of Step Functions'", &run, &refused, 2),
        ("the cause of a failed execution", &run, &failing, 1),
        ("the tags of a run that goes on", &["clean", "fn"], &in_use, 1),
        ("the tags of another run, in tune", &["tune", "fn"], &left, 1),
        ("the tags of a run that is over", &["clean", "fn"], &left, 0),
    ];
    let outcome = |(name, arguments, server, code): (&str, &[&str], &Server, i32)| {
        (name.to_owned(), repeats(arguments, Some(&server.url()), code))
    };
    cases.into_iter().map(outcome).collect()
}
