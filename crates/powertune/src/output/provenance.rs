//! What a result rests on, in words.

use powertune_core::{
    plan::Stopped,
    result::{DecidedBy, TuningResult},
};

use super::{
    figures::is_current,
    quantity::{Direction, direction, percent, spent, wait},
    style::Charset,
    text::harmless,
};

/// Labels and sentences.
pub(super) fn lines(result: &TuningResult, charset: Charset) -> Vec<(&'static str, String)> {
    let measured = [measured(result, charset), stopped(result.stopped).to_owned()];
    let measured = measured.join(" ").trim_end().to_owned();
    vec![("Measured", measured), ("Figures", figures(result))]
}

fn measured(result: &TuningResult, charset: Charset) -> String {
    format!(
        "{}: {} invocations in {} for {} ({} in {}, prices of {}).",
        harmless(name(&result.function_arn)),
        result.invocations,
        wait(result.elapsed_ms),
        spent(result.exploration_cost, result.currency, charset),
        result.architecture,
        result.region,
        harmless(&result.prices_published),
    )
}

/// Why there was no more to measure, where that is not as a matter of course.
fn stopped(stopped: Stopped) -> &'static str {
    match stopped {
        Stopped::NumReached | Stopped::DryRun => "",
        Stopped::Confident => "It stopped when the choice was 95 % sure.",
        Stopped::MostReached => {
            "It stopped at the most invocations that a power gets, before the choice was 95 % sure."
        }
        Stopped::CostReached => "It stopped at the cost that it was not to exceed.",
        Stopped::Interrupted => "It was interrupted before everything was measured.",
        Stopped::Failed => "It failed before everything was measured.",
        Stopped::HistoryFull => "It stopped for want of room in the execution's history.",
    }
}

fn figures(result: &TuningResult) -> String {
    let means = "Means of warm invocations (of cold starts where only those count), with 95 % \
                 confidence intervals (CI), the request charge included.";
    let by = match result.decided_by {
        DecidedBy::CostMean => return format!("{means} The choice is by them."),
        DecidedBy::AveragePrice => {
            "The choice is by averagePrice and averageDuration, aws-lambda-power-tuning's trimmed \
             means without that charge"
        }
    };
    let ratio = result
        .savings
        .filter(|_| !is_current(result, result.power))
        .map(|savings| (1.0 - savings, direction(1.0 - savings)));
    let savings = match ratio {
        None => String::new(),
        Some((_, Direction::Same)) => ", by which it costs the same".to_owned(),
        Some((ratio, Direction::Less)) => format!(", by which it saves {}", percent(1.0 - ratio)),
        Some((ratio, Direction::More)) => {
            format!(", by which it costs {} more", percent(ratio - 1.0))
        }
    };
    format!("{means} {by}{savings}.")
}

/// The name in a function's ARN.
pub(crate) fn name(function_arn: &str) -> &str {
    function_arn.split(':').nth(6).unwrap_or(function_arn)
}
