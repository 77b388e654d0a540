//! The options of a tuning request, and how a request file and options are merged.
//!
//! Options become fields of the request without a check. The request is checked as a whole.

use std::{fs, io::Read};

use clap::{Args, ValueHint};
use powertune_core::request::{Fault, Faults, Request, parse_with_options};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{payload, suggested::SuggestedValues};

/// Each option but `input` and `payload` is a field of the request under its name in camel case.
/// All are texts until the request is checked, so that all faults are found together.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[serde(rename_all = "camelCase")]
#[command(next_help_heading = "Request")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct RequestOptions {
    /// Request in the input format of aws-lambda-power-tuning; `-` is stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[serde(skip)]
    pub(crate) input: Option<String>,
    #[arg(
        long,
        value_name = "LIST",
        value_parser = SuggestedValues::of(["ALL"]),
        hide_possible_values = true,
        help = "Memory sizes to measure, in MB: 128,256,512, MIN-MAX[:STEP] or ALL"
    )]
    power_values: Option<String>,
    /// Invocations of each memory size, cold ones included, or auto: as many as the answer needs
    /// [default: auto]
    #[arg(long, value_name = "N", value_parser = SuggestedValues::of(["auto"]), hide_possible_values = true)]
    num: Option<String>,
    /// Payload of the invocations: JSON, @FILE (or file://FILE), s3://BUCKET/KEY, or - for stdin
    #[arg(long, value_name = "JSON")]
    #[serde(skip)]
    payload: Option<String>,
    /// Strategy of the choice: cost, speed or balanced [default: cost]
    #[arg(long, value_parser = SuggestedValues::of(["cost", "speed", "balanced"]), hide_possible_values = true)]
    strategy: Option<String>,
    /// Weight of the cost for balanced, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "W", allow_hyphen_values = true)]
    balanced_weight: Option<String>,
    /// Choose the cheapest memory size that keeps to this duration
    #[arg(long, value_name = "MS", allow_hyphen_values = true)]
    max_duration: Option<String>,
    /// Percentile of the duration that --max-duration limits [default: 95]
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    percentile: Option<String>,
    /// Accept this much more cost (for speed: more time), in %, if the memory size is faster (for
    /// speed: cheaper) [default: 3 with --num auto, else 0]
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    tolerance: Option<String>,
    /// Stop before the invocations can cost more than this, in the currency of the region
    #[arg(long, value_name = "USD", allow_hyphen_values = true)]
    max_cost: Option<String>,
    /// Invoke in parallel: this many at a time, over all memory sizes
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    parallel: Option<String>,
    /// Measure only cold starts
    #[arg(long)]
    only_cold_starts: bool,
    /// Share of the samples to cut off at each end for the averages [default: 0.2]
    #[arg(long, value_name = "F", allow_hyphen_values = true)]
    discard_top_bottom: Option<String>,
    /// Pause between two invocations of a memory size
    #[arg(long, value_name = "MS", allow_hyphen_values = true)]
    sleep_between_runs_ms: Option<String>,
    /// Function to call before each invocation; its result replaces the payload
    #[arg(long, value_name = "ARN")]
    #[serde(rename = "preProcessorARN")]
    pre_processor: Option<String>,
    /// Function to call after each invocation, with the result of the invocation
    #[arg(long, value_name = "ARN")]
    #[serde(rename = "postProcessorARN")]
    post_processor: Option<String>,
    /// Error types that count as results
    #[arg(long, value_name = "A,B")]
    allowed_exceptions: Option<String>,
    /// Leave a memory size out if more of its invocations fail than this, in % [default: 10]
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    max_error_rate: Option<String>,
    /// Print the plan and its cost, and invoke each memory size once
    #[arg(long)]
    dry_run: bool,
    /// Give the function the chosen memory size
    #[arg(long)]
    auto_optimize: bool,
    /// Publish a version with the chosen memory size and point this alias to it instead
    #[arg(long, value_name = "NAME")]
    auto_optimize_alias: Option<String>,
    /// Apply the choice only if it is at least this sure, in %
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    min_confidence: Option<String>,
    /// Allow the alias to get new code or a new configuration from $LATEST
    #[arg(long)]
    release_latest: bool,
    /// Seed of the random numbers in the analysis [default: 0]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
}

impl RequestOptions {
    /// The request of the request file and the options; options take precedence. `function` is the
    /// argument of the command.
    pub(crate) fn request(&self, function: Option<&str>) -> Result<Request, Faults> {
        self.checked(function).map(|(_, request)| request)
    }

    /// The request, and its fields.
    pub(crate) fn checked(
        &self,
        function: Option<&str>,
    ) -> Result<(Map<String, Value>, Request), Faults> {
        let mut faults = Vec::new();
        let mut fields = self.file(&mut faults);
        if let Some(function) = function {
            fields.insert("lambdaARN".to_owned(), function.into());
        }
        self.payload(&mut fields, &mut faults);
        self.set(&mut fields);
        self.release(&mut fields);
        let given = self.given();
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        match parse_with_options(&fields, &given) {
            Ok(request) if faults.is_empty() => Ok((fields, request)),
            Ok(_) => Err(Faults(faults)),
            Err(Faults(others)) => {
                // Without the file all its fields are missing; that is one fault, not many.
                if faults.iter().any(|fault| fault.field == "input") {
                    return Err(Faults(faults));
                }
                faults.extend(others.into_iter().map(|fault| self.named(fault)));
                Err(Faults(faults))
            }
        }
    }

    fn file(&self, faults: &mut Vec<Fault>) -> Map<String, Value> {
        let Some(path) = &self.input else { return Map::new() };
        let read = read(path).map_err(|error| format!("{path} can't be read: {error}"));
        let parsed = read.and_then(|text| {
            serde_json::from_str(&text).map_err(|error| format!("{path} is not JSON: {error}"))
        });
        match parsed {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => {
                faults.push(fault("input", format!("{path} does not hold a JSON object")));
                Map::new()
            }
            Err(problem) => {
                faults.push(fault("input", problem));
                Map::new()
            }
        }
    }

    fn payload(&self, fields: &mut Map<String, Value>, faults: &mut Vec<Fault>) {
        let Some(given) = &self.payload else { return };
        let stdin_is_taken = self.input.as_deref() == Some("-");
        if let Err(problem) = payload::read(given, stdin_is_taken, fields) {
            faults.push(fault("--payload", problem));
        }
    }

    /// The fields of the request that options set.
    fn fields(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(self) else { return Map::new() };
        fields.retain(|_, value| !value.is_null() && *value != Value::Bool(false));
        fields
    }

    /// The names of the fields that options set.
    pub(super) fn given(&self) -> Vec<String> {
        let payload = self.payload.is_some().then(|| "payload".to_owned());
        self.fields().into_iter().map(|(field, _)| field).chain(payload).collect()
    }

    fn set(&self, fields: &mut Map<String, Value>) {
        fields.extend(self.fields());
        // A parallelInvocation in the file is no contradiction.
        if self.parallel.is_some() {
            fields.remove("enableParallel");
            fields.insert("parallelInvocation".to_owned(), true.into());
        }
    }

    /// If an option names the alias, `$LATEST` is released only with `--release-latest`. The input
    /// of aws-lambda-power-tuning releases it without a word.
    fn release(&self, fields: &mut Map<String, Value>) {
        let is_said = |field: &str| fields.get(field).is_some_and(|value| !value.is_null());
        if self.auto_optimize_alias.is_some() && !is_said("releaseLatest") {
            fields.insert("releaseLatest".to_owned(), false.into());
        }
    }

    /// The fault in the words of the command line, if an option is at fault.
    fn named(&self, fault: Fault) -> Fault {
        if !self.given().contains(&fault.field) {
            return fault;
        }
        let option = option_name(&fault.field);
        let mut problem = fault.problem;
        for (field, option) in OPTIONS {
            problem = problem.replace(field, option);
        }
        Fault { field: format!("{} ({option})", fault.field), problem }
    }
}

/// Fields in messages, and their options. A name that contains another comes before it.
const OPTIONS: [(&str, &str); 7] = [
    ("the strategy balanced", "--strategy balanced"),
    ("the strategy cost", "--strategy cost"),
    ("maxDuration", "--max-duration"),
    ("autoOptimizeAlias", "--auto-optimize-alias"),
    ("autoOptimize", "--auto-optimize"),
    ("onlyColdStarts", "--only-cold-starts"),
    ("invocations run in parallel", "invocations run in parallel (--parallel)"),
];

fn fault(field: &str, problem: String) -> Fault {
    Fault { field: field.to_owned(), problem }
}

fn read(path: &str) -> std::io::Result<String> {
    if path != "-" {
        return fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// `--power-values` of `powerValues`, `--pre-processor` of `preProcessorARN`.
fn option_name(field: &str) -> String {
    let field = field.strip_suffix("ARN").unwrap_or(field);
    let mut option = String::from("--");
    for letter in field.chars() {
        if letter.is_ascii_uppercase() {
            option.push('-');
        }
        option.push(letter.to_ascii_lowercase());
    }
    option
}

#[cfg(test)]
mod tests {
    use powertune_core::request::ReleaseLatest;

    use super::*;

    fn options(set: impl FnOnce(&mut RequestOptions)) -> RequestOptions {
        let mut options = RequestOptions::default();
        set(&mut options);
        options
    }

    #[test]
    fn faults_name_field_and_option() {
        let options = options(|options| {
            options.num = Some("3".to_owned());
            options.power_values = Some("64".to_owned());
        });
        let Err(Faults(faults)) = options.request(Some("fn")) else { panic!("both are wrong") };
        let mut fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["num (--num)", "powerValues (--power-values)"]);
    }

    #[test]
    fn an_alias_that_an_option_names_gets_no_other_code_unless_that_is_said() {
        let said = |file: &str, alias: Option<&str>, release_latest: bool| {
            let mut input = tempfile::NamedTempFile::new().expect("a file");
            std::io::Write::write_all(&mut input, file.as_bytes()).expect("the request");
            let options = options(|options| {
                options.input = Some(input.path().display().to_string());
                options.auto_optimize = true;
                options.auto_optimize_alias = alias.map(str::to_owned);
                options.release_latest = release_latest;
            });
            let request = options.request(Some("fn"));
            request.map(|request| request.auto_optimize.map(|optimize| optimize.release_latest))
        };
        let named = r#"{"autoOptimizeAlias": "live"}"#;
        let both = r#"{"autoOptimizeAlias": "live", "releaseLatest": true}"#;
        assert_eq!(said("{}", Some("live"), false), Ok(Some(ReleaseLatest::No)));
        assert_eq!(said(named, Some("live"), false), Ok(Some(ReleaseLatest::No)));
        assert_eq!(said(both, Some("live"), false), Ok(Some(ReleaseLatest::Yes)));
        assert_eq!(said(named, None, false), Ok(Some(ReleaseLatest::Unsaid)));
        assert_eq!(said(named, None, true), Ok(Some(ReleaseLatest::Yes)));
        let Err(Faults(faults)) = said("{}", None, true) else { panic!("there is no alias") };
        assert_eq!(faults[0].field, "releaseLatest (--release-latest)");
    }

    #[test]
    fn option_names_follow_the_fields() {
        assert_eq!(option_name("preProcessorARN"), "--pre-processor");
        assert_eq!(option_name("sleepBetweenRunsMs"), "--sleep-between-runs-ms");
    }
}
