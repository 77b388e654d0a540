//! The value of `--payload`: JSON, a file in the spelling of curl, powertune or the AWS CLI, stdin,
//! or an object in S3.

use std::{
    env, fs,
    io::{self, Read},
    path::Path,
};

use powertune_core::payload;
use serde_json::{Map, Value};

/// The source of a payload.
#[derive(Debug, PartialEq, Eq)]
enum PayloadArgument<'a> {
    /// The URL of an object in S3.
    S3(&'a str),
    File(&'a str),
    Stdin,
    Text(&'a str),
}

impl<'a> PayloadArgument<'a> {
    fn of(given: &'a str) -> Self {
        let after = |prefix| given.strip_prefix(prefix);
        if given.starts_with("s3://") {
            return Self::S3(given);
        }
        if matches!(given, "-" | "@-") {
            return Self::Stdin;
        }
        // The AWS CLI takes a payload as a blob, by `fileb://`.
        match after("@").or_else(|| after("file://")).or_else(|| after("fileb://")) {
            Some(path) => Self::File(path),
            None => Self::Text(given),
        }
    }
}

/// Sets the request's `payload` or `payloadS3`. `stdin_is_taken` is true if the request itself
/// comes from stdin.
///
/// # Errors
/// The problem, and the right spelling.
pub(super) fn read(
    given: &str,
    stdin_is_taken: bool,
    fields: &mut Map<String, Value>,
) -> Result<(), String> {
    fields.remove("payload");
    fields.remove("payloadS3");
    let value = match PayloadArgument::of(given) {
        PayloadArgument::S3(url) => {
            fields.insert("payloadS3".to_owned(), url.into());
            return Ok(());
        }
        PayloadArgument::Stdin if stdin_is_taken => {
            return Err(
                "stdin can't be the payload beside --input -, which reads the request from \
                        it; give a file for one of them"
                    .to_owned(),
            );
        }
        PayloadArgument::Stdin => of_stdin()?,
        PayloadArgument::File(path) => of_file(path)?,
        PayloadArgument::Text(text) => {
            not_a_files_name(text)?;
            payload::of_text(text)?
        }
    };
    fields.insert("payload".to_owned(), value);
    Ok(())
}

fn of_stdin() -> Result<Value, String> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("stdin can't be read: {error}"))?;
    document(&text).map_err(|problem| format!("stdin {problem}"))
}

fn of_file(path: &str) -> Result<Value, String> {
    // A shell expands `~` only at the beginning of a word.
    let home =
        path.strip_prefix("~/").and_then(|rest| Some(Path::new(&env::var_os("HOME")?).join(rest)));
    let text = fs::read_to_string(home.as_deref().unwrap_or(Path::new(path)))
        .map_err(|error| format!("{path} can't be read: {error}"))?;
    document(&text).map_err(|problem| format!("{path} {problem}"))
}

/// The payload in a file. Some editors put a byte order mark before it.
fn document(text: &str) -> Result<Value, String> {
    payload::of_text(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Refuses a text that is the name of a file: it would be sent as a string.
fn not_a_files_name(text: &str) -> Result<(), String> {
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if is_json || !Path::new(text).is_file() {
        return Ok(());
    }
    Err(format!("{text} is not JSON, but a file of that name exists: write --payload @{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_is_told_from_the_others() {
        for (given, source) in [
            ("s3://bucket/key", PayloadArgument::S3("s3://bucket/key")),
            ("-", PayloadArgument::Stdin),
            ("@-", PayloadArgument::Stdin),
            ("@event.json", PayloadArgument::File("event.json")),
            ("file://event.json", PayloadArgument::File("event.json")),
            ("file:///tmp/event.json", PayloadArgument::File("/tmp/event.json")),
            ("fileb://event.json", PayloadArgument::File("event.json")),
            ("@", PayloadArgument::File("")),
            ("-1", PayloadArgument::Text("-1")),
            ("\"@event.json\"", PayloadArgument::Text("\"@event.json\"")),
            ("", PayloadArgument::Text("")),
            ("file:/event.json", PayloadArgument::Text("file:/event.json")),
        ] {
            assert_eq!(PayloadArgument::of(given), source, "{given}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_document() {
        assert_eq!(document("\u{feff}[1]"), Ok(serde_json::json!([1])));
        assert!(document("\u{feff}{").is_err());
    }
}
