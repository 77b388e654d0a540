//! Whether the result that a run has printed is a right one.

use std::process::Output;

use serde_json::Value;

use crate::bill::Bill;

/// What is wrong with a result: its account, or its choice, which has to be the best of what was
/// measured.
pub(crate) fn check(output: &Output, bill: &Bill) -> Result<(), String> {
    let result: Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    bill.check(&result)?;
    let deciding =
        if result["decidedBy"] == "averagePrice" { "/averagePrice" } else { "/cost/mean" };
    let rows = result["stats"].as_array().into_iter().flatten();
    let measured = rows.filter(|row| row["state"] == "measured");
    let costs = measured.filter_map(|row| Some((row.pointer(deciding)?.as_f64()?, &row["value"])));
    let best = costs.min_by(|(one, _), (other, _)| one.total_cmp(other));
    match best {
        Some((_, power)) if *power == result["power"] => Ok(()),
        best => Err(format!("{} was chosen, and {best:?} is best", result["power"])),
    }
}
