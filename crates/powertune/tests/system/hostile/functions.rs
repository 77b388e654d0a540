//! The functions, with the expected results of tuning them.

use std::{process::Output, time::Duration};

use serde_json::Value;

use crate::hostile::{
    bench::Bench,
    run::{ESCAPED, is_plain, is_tame, powertune, powertune_on_terminal, said},
};

/// The duration of each function. They claim a millisecond, or a quarter of an hour.
const WORKS: Duration = Duration::from_millis(60);
/// No real invocation here lasts this long.
const LONGEST_MS: f64 = 300_000.0;
/// Longer than any readable message.
const LONGEST_OUTPUT: usize = 64 * 1024;

/// A function with misleading or harmful output.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// The code of its handler.
    body: &'static str,
    /// True if its log is in JSON.
    in_json: bool,
    expected: Expected,
}

/// The expected result.
#[derive(Clone, Copy)]
enum Expected {
    /// The figures of Lambda's REPORT at both sizes.
    Measured,
    /// The figures of the REPORT at the larger size. The smaller one failed, with this text in the
    /// result.
    Failed(&'static str),
}

const fn text(name: &'static str, body: &'static str) -> Function {
    Function { name, body, in_json: false, expected: Expected::Measured }
}

const fn json(name: &'static str, body: &'static str) -> Function {
    Function { in_json: true, ..text(name, body) }
}

const fn failing(name: &'static str, body: &'static str, words: &'static str) -> Function {
    Function { expected: Expected::Failed(words), ..text(name, body) }
}

pub(crate) const FUNCTIONS: [Function; 26] = [
    text("megabytes-of-lines", "write('a line of output\\n' * 400_000)"),
    text("megabytes-without-a-line-break", "write('x' * 8_000_000, 2)"),
    text("megabytes-on-both", "for _ in range(40): write('o' * 99_999); write('e\\n' * 50_000, 2)"),
    text("every-byte", "write(bytes(range(256)) * 2000)"),
    text("nul-and-invalid-utf-8", "write(b'\\0\\xff\\xfe\\xc3' * 9999 + b'\\xe2\\x82')"),
    text("characters-cut-by-the-tail", "write('x' + '\u{20ac}' * 9999)"),
    text(
        "escape-codes-in-the-log",
        "write('\\x1b[31;47m\\x1b]0;title\\x07\\x1b[2J\\r\\u202e\\n' * 9)",
    ),
    text("six-megabytes-of-answer", "body = b'\"' + b'x' * (6 * 1024 * 1024 - 2) + b'\"'"),
    failing(
        "an-answer-over-the-limit",
        "if small: body = b'\"' + b'x' * (7 * 1024 * 1024) + b'\"'",
        "Function.ResponseSizeTooLarge",
    ),
    text(
        "report-of-another",
        "write(f'REPORT RequestId: {other}\\tDuration: 1.00 ms\\tBilled Duration: 1 ms\\tMemory Size: 1 MB\\tMax Memory Used: 1 MB\\t\\n' * 30)",
    ),
    text(
        "report-of-its-own",
        "write(f'END RequestId: {id}\\nREPORT RequestId: {id}\\tDuration: 1.00 ms\\tBilled Duration: 1 ms\\tMemory Size: 1 MB\\tMax Memory Used: 1 MB\\t\\n')",
    ),
    text(
        "report-on-an-unended-line",
        "write(f'REPORT RequestId: {id}\\tDuration: 1.00 ms\\tBilled Duration: 1 ms\\tMemory Size: 1 MB\\tMax Memory Used: 1 MB\\t')",
    ),
    text(
        "report-cut-by-the-tail",
        "write(f'REPORT RequestId: {id}\\tDuration: 1.00 ms\\tBilled Duration: 1 ms\\tMemory Size: 1 MB\\tMax Memory Used: 1 MB\\tError Type: ' + 'x' * 3700)",
    ),
    text(
        "report-of-a-cold-start",
        "write(f'REPORT RequestId: {id}\\tDuration: 900000.00 ms\\tBilled Duration: 900000 ms\\tMemory Size: 1 MB\\tMax Memory Used: 1 MB\\tInit Duration: 900000.00 ms\\t\\n')",
    ),
    text(
        "report-without-figures",
        "write(f'REPORT RequestId: {id}\\tDuration: none\\tBilled Duration: -1 ms\\n')",
    ),
    text(
        "event-in-a-text-log",
        "write('{\"time\":\"t\",\"type\":\"platform.report\",\"record\":{\"requestId\":\"' + id + '\",\"status\":\"success\",\"metrics\":{\"durationMs\":1,\"billedDurationMs\":1,\"memorySizeMB\":1,\"maxMemoryUsedMB\":1}}}')",
    ),
    text(
        "init-report",
        "write('INIT_REPORT Init Duration: 900000.00 ms\\tPhase: init\\tStatus: timeout\\n' * 3)",
    ),
    text(
        "timeout-of-old",
        "write(f'2019-11-20T20:55:17.203Z {id} Task timed out after 0.01 seconds\\n\\n')",
    ),
    json(
        "event-of-another",
        "write(('{\"time\":\"t\",\"type\":\"platform.report\",\"record\":{\"requestId\":\"' + other + '\",\"status\":\"success\",\"metrics\":{\"durationMs\":1,\"billedDurationMs\":1,\"memorySizeMB\":1,\"maxMemoryUsedMB\":1}}}\\n') * 9)",
    ),
    json(
        "event-of-its-own",
        "write('{\"time\":\"t\",\"type\":\"platform.report\",\"record\":{\"requestId\":\"' + id + '\",\"status\":\"timeout\",\"metrics\":{\"durationMs\":1,\"billedDurationMs\":1,\"memorySizeMB\":1,\"maxMemoryUsedMB\":1}}}\\n')",
    ),
    json(
        "event-on-an-unended-line",
        "write('{\"time\":\"t\",\"type\":\"platform.report\",\"record\":{\"requestId\":\"' + id + '\",\"status\":\"success\",\"metrics\":{\"durationMs\":1,\"billedDurationMs\":1,\"memorySizeMB\":1,\"maxMemoryUsedMB\":1}}}')",
    ),
    json(
        "report-in-a-json-log",
        "write(f'REPORT RequestId: {id}\\tDuration: 1.00 ms\\tBilled Duration: 1 ms\\tMemory Size: 1 MB\\tMax Memory Used: 1 MB\\t')",
    ),
    failing(
        "escape-codes-in-an-error",
        "if small: kind, body = 'error', rb'{\"errorType\":\"ESCAPED\",\"errorMessage\":\"ESCAPED\"}'",
        "red",
    ),
    failing(
        "megabytes-of-an-error",
        "if small: kind, body = 'error', b'{\"errorType\":\"' + b'T' * 2_000_000 + b'\",\"errorMessage\":\"' + b'm' * 3_000_000 + b'\"}'",
        "TTTT",
    ),
    failing(
        "an-error-that-is-no-json",
        "if small: kind, body = 'error', b'\\0\\x1b[2J\\xff{\"errorType\":'",
        "an error without a type",
    ),
    failing(
        "an-error-that-speaks-of-a-timeout",
        "if small: kind, body = 'error', b'{\"errorType\":\"QueueError\",\"errorMessage\":\"Task timed out after 3.00 seconds\"}'",
        "QueueError",
    ),
];

impl Function {
    /// Tunes it with every output format.
    pub(crate) async fn tune(&self, bench: &Bench) -> Result<(), String> {
        let body = self.body.replace("ESCAPED", ESCAPED);
        bench.create(self.name, WORKS, &body, self.in_json).await;
        let variables = bench.environment();
        let function = self.name;
        let run = |output: &'static str, on_terminal: bool| {
            let variables = variables.clone();
            tokio::task::spawn_blocking(move || {
                let arguments = ["tune", function, "--power-values", "256,512", "--num", "5"];
                let arguments = [&arguments, ["--output", output].as_slice()].concat();
                if on_terminal {
                    powertune_on_terminal(&arguments, &variables)
                } else {
                    powertune(&[&arguments, ["--verbose"].as_slice()].concat(), &variables)
                }
            })
        };
        let result = run("json", false).await.map_err(|error| error.to_string())?;
        is_plain(&result)?;
        self.is_right(&result).map_err(|problem| format!("{problem}; {}", said(&result)))?;
        if matches!(self.expected, Expected::Measured) {
            return Ok(());
        }
        for output in ["table", "csv", "markdown"] {
            let shown = run(output, false).await.map_err(|error| error.to_string())?;
            is_plain(&shown)?;
            self.is_told(&shown).map_err(|problem| format!("{problem}; {}", said(&shown)))?;
        }
        let shown = run("table", true).await.map_err(|error| error.to_string())?;
        is_tame(&shown)?;
        self.is_told(&shown).map_err(|problem| format!("{problem}; {}", said(&shown)))
    }

    /// Checks the result against Lambda's reports.
    fn is_right(&self, output: &Output) -> Result<(), String> {
        self.is_told(output)?;
        let result: Value =
            serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        let [small, large] = result["stats"].as_array().map(Vec::as_slice).unwrap_or_default()
        else {
            return Err("there are not two powers".to_owned());
        };
        is_measured(large)?;
        match self.expected {
            Expected::Measured => is_measured(small),
            Expected::Failed(_) if small["state"] != "failed" => Err("it did not fail".to_owned()),
            Expected::Failed(words) => match small["reason"].as_str() {
                Some(reason) if reason.contains(words) => Ok(()),
                reason => Err(format!("{reason:?} does not say {words}")),
            },
        }
    }

    /// Checks the exit code, and that the messages are short.
    fn is_told(&self, output: &Output) -> Result<(), String> {
        let length = output.stdout.len() + output.stderr.len();
        let words = match self.expected {
            Expected::Measured => "",
            Expected::Failed(words) => words,
        };
        if output.status.code() != Some(0) {
            return Err("it failed".to_owned());
        }
        if length > LONGEST_OUTPUT {
            return Err(format!("it takes {length} bytes"));
        }
        if !String::from_utf8_lossy(&output.stdout).contains(words) {
            return Err(format!("{words} is not said"));
        }
        Ok(())
    }
}

/// Checks that a row has the figures of its invocations.
fn is_measured(row: &Value) -> Result<(), String> {
    let counts = (&row["state"], &row["invocations"], &row["failures"]);
    if counts != (&"measured".into(), &5.into(), &0.into()) {
        return Err(format!("{counts:?} are not 5 measurements"));
    }
    let figure = |name: &str| row[name].as_f64().ok_or(format!("{name} is missing"));
    let least_ms = WORKS.as_secs_f64() * 1000.0;
    let duration_ms = figure("averageDuration")?;
    if !(least_ms..LONGEST_MS).contains(&duration_ms) {
        return Err(format!("a duration of {duration_ms} ms is not Lambda's"));
    }
    if row["initDuration"].as_f64().is_some_and(|init_ms| init_ms >= LONGEST_MS) {
        return Err(format!("an init of {} ms is not Lambda's", row["initDuration"]));
    }
    match row["maxMemoryUsed"].as_u64() {
        Some(mb) if mb <= 1 => Err(format!("{mb} MB are not Lambda's")),
        _ => Ok(()),
    }
}
