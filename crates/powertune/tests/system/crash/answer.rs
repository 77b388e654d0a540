//! Checks the result that a run has printed.

use std::process::Output;

use serde_json::Value;

use crate::crash::bill::Bill;

/// Checks a result: its account, and its choice, which has to be the best of the measurements.
pub(crate) fn check(output: &Output, bill: &Bill) -> Result<(), String> {
    let result: Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    bill.check(&result)?;
    if result["confidence"].is_null() != leaves_open(&result) {
        return Err(format!("it is {} sure of an open choice", result["confidence"]));
    }
    let deciding =
        if result["decidedBy"] == "averagePrice" { "/averagePrice" } else { "/cost/mean" };
    let rows = result["stats"].as_array().into_iter().flatten();
    let measured = rows.filter(|row| row["state"] == "measured");
    let costs = measured.filter_map(|row| Some((row.pointer(deciding)?.as_f64()?, &row["value"])));
    let costs: Vec<(f64, &Value)> = costs.collect();
    let best = costs.iter().map(|(cost, _)| *cost).min_by(f64::total_cmp);
    // Of two sizes with the same cost, the faster one is chosen.
    let is_best = |(cost, power): &(f64, &Value)| Some(*cost) == best && **power == result["power"];
    if costs.iter().any(is_best) {
        return Ok(());
    }
    Err(format!("{} was chosen, and {best:?} is the lowest of {costs:?}", result["power"]))
}

/// True if a size could not be measured, so that nothing may have been applied.
pub(crate) fn leaves_open(result: &Value) -> bool {
    result["unmeasured"].as_array().is_some_and(|powers| !powers.is_empty())
}

/// [`leaves_open`] for the result that a run has printed.
pub(crate) fn has_left_open(output: &Output) -> bool {
    serde_json::from_slice(&output.stdout).is_ok_and(|result| leaves_open(&result))
}
