//! The result of a dry run: the powers at which the function works, and the maximum cost of the
//! real run. A dry run chooses nothing.

use serde::{Deserialize, Serialize};

use crate::{
    observation::{Evidence, Observation, Outcome},
    plan::most_unnamed,
    power::{Power, PowerValues},
    price::Price,
    region::Currency,
    report::{Report, Start},
    request::Request,
};

/// The result of a dry run. Durations are in milliseconds, memory is in MB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    /// Always true. It tells this JSON from a tuning result.
    pub dry_run: bool,
    /// The unqualified ARN.
    pub function_arn: String,
    /// The power that the function has now.
    pub current_power: Power,
    /// The currency of every amount.
    pub currency: Currency,
    /// The cost of the real run if its invocations take as long as those of the dry run. Absent if
    /// none of them worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_cost: Option<f64>,
    /// The cost of the real run if every invocation lasts until the timeout.
    pub worst_cost: f64,
    /// The changes that the real run would make, in order.
    pub changes: Vec<String>,
    /// Advice for the user.
    pub warnings: Vec<String>,
    /// Every power that was tried or skipped, in ascending order.
    pub stats: Vec<Trial>,
}

/// The changes that the real run would make to a function, in order. `current` is its power now,
/// `powers` are the powers to try. A temporary change is told together with its end.
pub fn changes(request: &Request, current: Power, powers: &PowerValues) -> Vec<String> {
    let each: Vec<String> = powers.iter().map(|power| power.mb().to_string()).collect();
    let further = match most_unnamed(request) {
        0 => String::new(),
        most => format!(", and of up to {most} sizes in between"),
    };
    let mut changes = vec![
        "tags the function with powertune:..., until the run is over".to_owned(),
        format!(
            "gives $LATEST each memory size in turn and publishes a version of it ({} MB){further}; \
             $LATEST goes back to {current} as soon as they are published, the versions are \
             deleted at the end",
            each.join(", ")
        ),
    ];
    changes.extend(request.auto_optimize.as_ref().map(|optimize| match &optimize.alias {
        None => "gives $LATEST the memory size that was chosen, and leaves it there".to_owned(),
        Some(alias) => format!(
            "publishes a version of the memory size that was chosen, points the alias {alias} to \
             it, and leaves both"
        ),
    }));
    changes
}

/// The cost of the real run if its invocations take as long as the observed ones. `None` if none of
/// those counts.
pub fn expected_cost(request: &Request, price: &Price, seen: &Evidence) -> Option<f64> {
    let each = |observation: &Observation| {
        let (Outcome::Counted(report) | Outcome::Allowed(report)) = &observation.outcome else {
            return None;
        };
        let cost = |billed_ms: f64| price.invocation_cost(observation.power, billed_ms);
        let first = cost(report.billed_ms as f64);
        // The other invocations find a warm environment, unless only cold starts count.
        let other = if request.only_cold_starts { first } else { cost(report.duration_ms.ceil()) };
        Some(first + other * f64::from(request.expected_invocations().saturating_sub(1)))
    };
    let costs: Vec<f64> = seen.observations.iter().filter_map(each).collect();
    (!costs.is_empty()).then(|| costs.iter().sum())
}

/// The one invocation at a power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// The memory size, in MB in JSON.
    pub value: Power,
    /// The outcome.
    pub state: TrialState,
    /// The duration of the handler in milliseconds.
    pub duration: Option<f64>,
    /// The billed duration in milliseconds.
    pub billed_duration: Option<u64>,
    /// The duration of a cold start's Init or Restore in milliseconds.
    pub init_duration: Option<f64>,
    /// The memory that was used, in MB.
    pub max_memory_used: Option<u32>,
    /// The reason of a failure or a skip.
    pub reason: Option<String>,
}

/// The outcome of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TrialState {
    /// The function works at this power.
    Works,
    /// The function fails at this power.
    Failed,
    /// The power could not be tried.
    Skipped,
}

/// The trials in the evidence, smallest power first.
pub fn trials(seen: &Evidence) -> Vec<Trial> {
    let mut tried: Vec<Power> = seen.observations.iter().map(|seen| seen.power).collect();
    tried.sort_unstable();
    tried.dedup();
    let tried = tried.into_iter().filter_map(|power| {
        seen.at(power).next().map(|outcome| match outcome {
            Outcome::Counted(report) | Outcome::Allowed(report) => Trial::works(power, report),
            Outcome::Failed { failure, .. } => {
                Trial::without_report(power, TrialState::Failed, failure.to_string())
            }
        })
    });
    let skipped = seen.skipped.iter().map(|skipped| {
        Trial::without_report(skipped.power, TrialState::Skipped, skipped.reason.clone())
    });
    let mut trials: Vec<Trial> = tried.chain(skipped).collect();
    trials.sort_by_key(|trial| trial.value);
    trials
}

impl Trial {
    fn works(value: Power, report: &Report) -> Self {
        Self {
            value,
            state: TrialState::Works,
            duration: Some(report.duration_ms),
            billed_duration: Some(report.billed_ms),
            init_duration: match report.start {
                Start::Warm => None,
                Start::Cold { init_ms } => Some(init_ms),
                Start::Restored { restore_ms, .. } => Some(restore_ms),
            },
            max_memory_used: report.max_memory_mb,
            reason: None,
        }
    }

    fn without_report(value: Power, state: TrialState, reason: String) -> Self {
        Self {
            value,
            state,
            duration: None,
            billed_duration: None,
            init_duration: None,
            max_memory_used: None,
            reason: Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::parse;

    fn said(fields: &serde_json::Value) -> String {
        let mut request = json!({"lambdaARN": "fn", "powerValues": [128, 512]});
        let members = request.as_object_mut().expect("an object");
        members.extend(fields.as_object().expect("an object").clone());
        let request = parse(members).expect("a request");
        let powers = request.powers.clone().expect("powers are named");
        changes(&request, Power::MAX, &powers).join("\n")
    }

    #[test]
    fn every_change_is_told() {
        let plain = said(&json!({}));
        assert!(plain.contains("powertune:") && plain.contains("128, 512 MB"), "{plain}");
        assert!(plain.contains("back to 10240 MB") && !plain.contains("in between"), "{plain}");
        assert!(said(&json!({"autoOptimize": true})).contains("leaves it there"));
        let alias = said(&json!({"autoOptimize": true, "autoOptimizeAlias": "live"}));
        assert!(alias.contains("the alias live"), "{alias}");
    }
}
