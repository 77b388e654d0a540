//! The error of a run without any power at which the function works.

use crate::{
    request::{PayloadSource, Request},
    result::PowerStats,
};

/// The function works at no power, so there is no choice.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the function could not be measured at any memory size: {}{}", reasons(.stats), listed(.hints))]
pub struct NothingMeasured {
    /// The row of each power that was tried or skipped.
    pub stats: Vec<PowerStats>,
    /// Advice for the user, one sentence each.
    pub hints: Vec<String>,
}

impl NothingMeasured {
    pub(super) fn of(request: &Request, stats: Vec<PowerStats>) -> Self {
        let mut hints = Vec::new();
        if let Some(percent) = rate_to_give(&stats) {
            hints.push(format!(
                "To measure it all the same, allow more errors: --max-error-rate {percent} \
                 (maxErrorRate)"
            ));
        }
        let failed = stats.iter().any(|row| row.failures > 0);
        let no_payload = matches!(&request.payload, PayloadSource::Inline(it) if it.is_absent());
        if failed && no_payload {
            hints.push(
                "It was invoked without a payload: give it the event that it expects with \
                 --payload"
                    .to_owned(),
            );
        }
        Self { stats, hints }
    }
}

/// The error rate in percent that lets every power with good invocations pass.
fn rate_to_give(stats: &[PowerStats]) -> Option<u32> {
    let rate = |row: &PowerStats| {
        let good = row.invocations.saturating_sub(row.failures);
        (good > 0 && row.failures > 0)
            .then(|| (u64::from(row.failures) * 100).div_ceil(u64::from(row.invocations)))
    };
    let highest = u32::try_from(stats.iter().filter_map(rate).max()?).ok()?;
    Some((highest / 5 * 5 + 5).min(100))
}

/// The reasons of all powers. Powers with the same reason share one entry.
fn reasons(stats: &[PowerStats]) -> String {
    let mut causes: Vec<(String, Vec<&PowerStats>)> = Vec::new();
    for row in stats {
        let cause = row.reason.clone().unwrap_or_else(|| "not tried".to_owned());
        match causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, rows)) => rows.push(row),
            None => causes.push((cause, vec![row])),
        }
    }
    let told = |(cause, rows): &(String, Vec<&PowerStats>)| {
        let powers: Vec<String> = rows.iter().map(|row| row.value.mb().to_string()).collect();
        let others = rows.iter().find_map(|row| row.duration);
        let others = others
            .filter(|_| rows.len() == 1)
            .map(|duration| format!(" (the others took {:.0} ms on average)", duration.mean.mean));
        format!("{} MB: {cause}{}", powers.join(", "), others.unwrap_or_default())
    };
    causes.iter().map(told).collect::<Vec<_>>().join("; ")
}

fn listed(hints: &[String]) -> String {
    hints.iter().flat_map(|hint| [". ", hint]).collect()
}
