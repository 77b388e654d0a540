//! The options of a tuning request, and how they come together with a request file.
//!
//! Nothing is checked here but what only this crate knows: options become fields of the request,
//! and the request is checked as a whole.

use std::{fs, io::Read};

use clap::{Args, ValueHint};
use powertune_core::request::{Fault, Faults, Request, parse_with_options};
use serde_json::{Map, Value};

use super::{payload, suggested::Suggested};

/// Every option is a text until the request is checked, so that all faults are found together.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Request")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct RequestOptions {
    /// Request in the input format of aws-lambda-power-tuning; `-` is stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) input: Option<String>,
    #[arg(
        long,
        value_name = "LIST",
        value_parser = Suggested::of(["ALL"]),
        hide_possible_values = true,
        help = "Memory sizes to measure, in MB: 128,256,512, MIN-MAX[:STEP] or ALL"
    )]
    power_values: Option<String>,
    /// Invocations of each memory size, cold ones included, or auto: as many as the answer needs
    /// [default: auto]
    #[arg(long, value_name = "N", value_parser = Suggested::of(["auto"]), hide_possible_values = true)]
    num: Option<String>,
    /// What the function is invoked with: JSON, @FILE (or file://FILE), s3://BUCKET/KEY, or - for
    /// stdin
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// What to choose by: cost, speed or balanced [default: cost]
    #[arg(long, value_parser = Suggested::of(["cost", "speed", "balanced"]), hide_possible_values = true)]
    strategy: Option<String>,
    /// Weight of the cost for balanced, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "W", allow_hyphen_values = true)]
    balanced_weight: Option<String>,
    /// Choose the cheapest memory size that keeps to this duration
    #[arg(long, value_name = "MS", allow_hyphen_values = true)]
    max_duration: Option<String>,
    /// The percentile at which --max-duration is to be kept [default: 95]
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    percentile: Option<String>,
    /// How much worse than the best, in %, a memory size may be that is better otherwise [default: 3 with
    /// --num auto, else 0]
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    tolerance: Option<String>,
    /// Stop before the invocations can cost more than this, in the currency of the region
    #[arg(long, value_name = "USD", allow_hyphen_values = true)]
    max_cost: Option<String>,
    /// Invoke in parallel, so many at a time over all memory sizes
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    parallel: Option<String>,
    /// Measure cold starts alone
    #[arg(long)]
    only_cold_starts: bool,
    /// Share of the samples to cut off each end for the averages [default: 0.2]
    #[arg(long, value_name = "F", allow_hyphen_values = true)]
    discard_top_bottom: Option<String>,
    /// Pause between two invocations of a memory size
    #[arg(long, value_name = "MS", allow_hyphen_values = true)]
    sleep_between_runs_ms: Option<String>,
    /// Function to call before each invocation; what it returns replaces the payload
    #[arg(long, value_name = "ARN")]
    pre_processor: Option<String>,
    /// Function to call after each invocation with what that returned
    #[arg(long, value_name = "ARN")]
    post_processor: Option<String>,
    /// Error types that count as results
    #[arg(long, value_name = "A,B")]
    allowed_exceptions: Option<String>,
    /// Leave a memory size out where more of its invocations fail, in % [default: 10]
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    max_error_rate: Option<String>,
    /// Print the plan and what it costs, and invoke each memory size once
    #[arg(long)]
    dry_run: bool,
    /// Give the function the chosen memory size
    #[arg(long)]
    auto_optimize: bool,
    /// Publish a version with the chosen memory size and point this alias to it instead
    #[arg(long, value_name = "NAME")]
    auto_optimize_alias: Option<String>,
    /// Apply nothing that is less sure than this, in %
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    min_confidence: Option<String>,
    /// Allow the alias to get code or a configuration of $LATEST that it does not have
    #[arg(long)]
    release_latest: bool,
    /// Seed of everything random in the analysis [default: 0]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
}

impl RequestOptions {
    /// The request that the options and the request file make together; options come first.
    ///
    /// `function` is what the command itself says of the function to tune.
    pub(crate) fn request(&self, function: Option<&str>) -> Result<Request, Faults> {
        self.checked(function).map(|(_, request)| request)
    }

    /// The same, and the fields that it was made of.
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
        match parse_with_options(&fields, &self.given()) {
            Ok(request) if faults.is_empty() => Ok((fields, request)),
            Ok(_) => Err(Faults(faults)),
            Err(Faults(others)) => {
                // A file that can't be read misses everything; that is one fault, not many.
                if faults.iter().any(|fault| fault.field == "input") {
                    return Err(Faults(faults));
                }
                faults.extend(others.into_iter().map(|fault| self.named(fault)));
                Err(Faults(faults))
            }
        }
    }

    /// The fields of the request file.
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

    /// Options that are texts, under the names of the request's fields.
    fn texts(&self) -> [(&'static str, Option<&String>); 18] {
        [
            ("powerValues", &self.power_values),
            ("num", &self.num),
            ("strategy", &self.strategy),
            ("balancedWeight", &self.balanced_weight),
            ("maxDuration", &self.max_duration),
            ("percentile", &self.percentile),
            ("tolerance", &self.tolerance),
            ("maxCost", &self.max_cost),
            ("parallel", &self.parallel),
            ("discardTopBottom", &self.discard_top_bottom),
            ("sleepBetweenRunsMs", &self.sleep_between_runs_ms),
            ("preProcessorARN", &self.pre_processor),
            ("postProcessorARN", &self.post_processor),
            ("allowedExceptions", &self.allowed_exceptions),
            ("autoOptimizeAlias", &self.auto_optimize_alias),
            ("minConfidence", &self.min_confidence),
            ("maxErrorRate", &self.max_error_rate),
            ("seed", &self.seed),
        ]
        .map(|(field, value)| (field, value.as_ref()))
    }

    fn flags(&self) -> [(&'static str, bool); 4] {
        [
            ("onlyColdStarts", self.only_cold_starts),
            ("dryRun", self.dry_run),
            ("autoOptimize", self.auto_optimize),
            ("releaseLatest", self.release_latest),
        ]
    }

    /// The fields that an option sets.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let texts = self.texts().into_iter().filter_map(|(field, value)| value.map(|_| field));
        let flags = self.flags().into_iter().filter_map(|(field, given)| given.then_some(field));
        texts.chain(flags).chain(self.payload.is_some().then_some("payload")).collect()
    }

    /// Sets these fields. Options override the file.
    fn set(&self, fields: &mut Map<String, Value>) {
        for (field, value) in self.texts() {
            if let Some(value) = value {
                fields.insert(field.to_owned(), value.as_str().into());
            }
        }
        for (field, given) in self.flags() {
            if given {
                fields.insert(field.to_owned(), true.into());
            }
        }
        // What the file says of parallelInvocation is no contradiction.
        if self.parallel.is_some() {
            fields.remove("enableParallel");
            fields.insert("parallelInvocation".to_owned(), true.into());
        }
    }

    /// What an alias may release: where an option names it, `$LATEST` only if that is said. A file
    /// of aws-lambda-power-tuning's means it without saying so.
    fn release(&self, fields: &mut Map<String, Value>) {
        let is_said = |field: &str| fields.get(field).is_some_and(|value| !value.is_null());
        if self.auto_optimize_alias.is_some() && !is_said("releaseLatest") {
            fields.insert("releaseLatest".to_owned(), false.into());
        }
    }

    /// A fault in the words of the command line, where it is an option's.
    fn named(&self, fault: Fault) -> Fault {
        if !self.given().contains(&fault.field.as_str()) {
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

/// How the command line spells what messages of other options mention. A name that holds another
/// comes before it.
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
