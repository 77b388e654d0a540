//! The basis of a result, in words.

use powertune_core::{
    result::{DecidedBy, TuningResult},
    stopped::Stopped,
};

use super::{
    figures::{Criterion, decides},
    quantity::{spent, wait},
    style::Charset,
    text::harmless,
};

/// The labels and their sentences.
pub(super) fn lines(result: &TuningResult, charset: Charset) -> Vec<(&'static str, String)> {
    let measured = [measured(result, charset), stopped(result.stopped).to_owned()];
    let measured = measured.join(" ").trim_end().to_owned();
    let not_tried = not_tried(result).map(|text| ("Not tried", text));
    [("Measured", measured)]
        .into_iter()
        .chain(not_tried)
        .chain([("Figures", figures(result))])
        .collect()
}

fn measured(result: &TuningResult, charset: Charset) -> String {
    format!(
        "{}: {} invocations in {} for {}{} ({} in {}, {}).",
        harmless(name(&result.function_arn)),
        result.invocations,
        wait(result.elapsed_ms),
        spent(result.exploration_cost, result.currency, charset),
        if is_simulated(&result.function_arn) { SIMULATED } else { "" },
        result.architecture,
        result.region,
        harmless(&result.origin().to_string()),
    )
}

/// The reason for the end of measuring; empty for the usual one.
fn stopped(stopped: Stopped) -> &'static str {
    match stopped {
        Stopped::NumReached | Stopped::DryRun => "",
        Stopped::Confident => "It stopped when the choice was 95 % sure.",
        Stopped::MostReached => {
            "It stopped at the most invocations that a memory size gets, before the choice was 95 % \
             sure."
        }
        Stopped::TimeReached => "It stopped at the end of its time for measuring.",
        Stopped::CostReached => "It stopped at its cost limit.",
        Stopped::Interrupted => "It was interrupted before everything was measured.",
        Stopped::Failed => "It failed before everything was measured.",
        Stopped::HistoryFull => "It stopped because the history of the execution was full.",
    }
}

/// The meaning of the figures, and which of them decided.
fn figures(result: &TuningResult) -> String {
    let figures = match result.decided_by {
        DecidedBy::CostMean => {
            "Means of warm invocations (of cold starts where only those count), the request charge \
             included"
        }
        DecidedBy::AveragePrice => {
            "averageDuration and averagePrice, aws-lambda-power-tuning's trimmed means, without the \
             request charge; `cost` and `duration` in the JSON are what you really pay and wait for"
        }
    };
    let column = match decides(result) {
        Criterion::Cost => "cost",
        Criterion::Time => "time",
        Criterion::Balance => "balance, the weighted sum of both",
    };
    format!("{figures}; with 95 % confidence intervals (CI). The choice is by the {column}.")
}

/// The sizes that were never invoked, with the reason.
fn not_tried(result: &TuningResult) -> Option<String> {
    let sizes: Vec<String> = result.not_tried.iter().map(|power| power.mb().to_string()).collect();
    let why = match result.stopped {
        Stopped::Confident | Stopped::MostReached => "they cannot win",
        _ => "measuring ended before",
    };
    (!sizes.is_empty()).then(|| format!("{} MB; {why}.", sizes.join(", ")))
}

/// The remark behind a cost on the local Lambda.
pub(crate) const SIMULATED: &str = ", simulated";

/// True if the function is on the local Lambda, whose account number no account of AWS has.
pub(crate) fn is_simulated(function_arn: &str) -> bool {
    function_arn.split(':').nth(4) == Some("000000000000")
}

/// The name in a function's ARN.
pub(crate) fn name(function_arn: &str) -> &str {
    function_arn.split(':').nth(6).unwrap_or(function_arn)
}
