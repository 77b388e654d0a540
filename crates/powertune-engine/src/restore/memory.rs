//! Puts the memory size of `$LATEST` back.

use powertune_core::power::Power;
use tokio::time::Instant;

use crate::{
    conflict::{Backoff, repeated},
    error::LeftBehind,
    gateway::{ApiError, ErrorKind, FunctionConfig, Gateway, Readiness},
    mark::{Mark, memory_key},
    put_back::{Facts, Judgement, MemoryClaim},
};

/// The result for the memory size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum MemoryOutcome {
    /// It had its original value.
    #[default]
    AsItWas,
    PutBack {
        from: Power,
        to: Power,
    },
    /// Somebody else has set this size, and it stays.
    Theirs(Power),
    Gone,
}

/// A memory size that could not be put back.
pub(super) struct NotBack {
    pub(super) left: LeftBehind,
    /// Nothing tells who set it.
    pub(super) is_unclear: bool,
}

/// The present function, with the decision on its memory size.
struct Found {
    latest: FunctionConfig,
    original: Power,
    verdict: Judgement,
}

/// Puts the memory size back if it comes from a run. It retries until the deadline.
pub(super) async fn restore_memory(
    gateway: &Gateway,
    arn: &str,
    claims: &[MemoryClaim],
    deadline: Instant,
) -> Result<MemoryOutcome, NotBack> {
    let Some(claim) = claims.first() else { return Ok(MemoryOutcome::AsItWas) };
    let mut backoff = Backoff::until(deadline);
    let mut put_back = None;
    loop {
        let why = match look(gateway, arn, claims).await {
            Ok(Found { latest, original, verdict }) => match verdict {
                Judgement::AsItWas if put_back.is_some() && latest.readiness == Readiness::Busy => {
                    "Lambda is still working on the update".to_owned()
                }
                Judgement::AsItWas => {
                    settled(gateway, deadline).await;
                    let back = |from| MemoryOutcome::PutBack { from, to: original };
                    return Ok(put_back.map_or(MemoryOutcome::AsItWas, back));
                }
                Judgement::Theirs => return Ok(MemoryOutcome::Theirs(latest.power)),
                Judgement::Unclear => return Err(unclear(arn, &latest, original, claims)),
                Judgement::Outdated => {
                    "Lambda returned an outdated state of the function".to_owned()
                }
                Judgement::PutBack => match gateway.set_power(&latest, original).await {
                    Ok(_) => {
                        put_back = Some(latest.power);
                        continue;
                    }
                    Err(error) if error.kind == ErrorKind::NotFound => {
                        return Ok(MemoryOutcome::Gone);
                    }
                    Err(error) if error.may_pass() => error.to_string(),
                    Err(error) => return Err(not_back(arn, original, error.to_string())),
                },
            },
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(MemoryOutcome::Gone),
            Err(error) if error.may_pass() => error.to_string(),
            Err(error) => return Err(not_back(arn, claim.original, error.to_string())),
        };
        if !backoff.wait().await {
            return Err(not_back(arn, claim.original, why));
        }
    }
}

/// Journals that the size is back, so that later changes do not count as the run's.
async fn settled(gateway: &Gateway, deadline: Instant) {
    // If this fails, the journal lists a change that the next `clean` finds undone.
    let _ = repeated(deadline, || gateway.record_memory_back()).await;
}

async fn look(gateway: &Gateway, arn: &str, claims: &[MemoryClaim]) -> Result<Found, ApiError> {
    let (latest, tags) = gateway.function_and_tags(arn).await?;
    let marks = Mark::all(&tags);
    let mut versions = None;
    let mut worst: Option<(Judgement, Power)> = None;
    for claim in claims {
        let is_announced = marks.iter().any(|mark| mark.run == claim.run);
        let are_others = marks.iter().any(|mark| mark.run != claim.run);
        let verdict = match claim.judge_at_once(&latest) {
            Some(verdict) => verdict,
            // Somebody cleaned up after this run, and another run has begun: the size is the other
            // run's.
            None if are_others && !is_announced => Judgement::Theirs,
            None => {
                if versions.is_none() {
                    versions = Some(gateway.versions(arn).await?);
                }
                let versions = versions.as_deref().unwrap_or_default();
                let reference = match claim.reference(versions) {
                    Some(reference) => gateway.version(arn, &reference.version).await?,
                    None => None,
                };
                let facts = Facts {
                    latest: &latest,
                    versions,
                    reference: reference.as_ref(),
                    are_others_announced: are_others,
                };
                match claim.judge(&facts) {
                    // Somebody removed the run's tags, and so decided to keep this size.
                    Judgement::Unclear if !is_announced => Judgement::Theirs,
                    verdict => verdict,
                }
            }
        };
        if worst.is_none_or(|(known, _)| rank(verdict) > rank(known)) {
            worst = Some((verdict, claim.original));
        }
    }
    let (verdict, original) = worst.unwrap_or((Judgement::AsItWas, latest.power));
    Ok(Found { latest, original, verdict })
}

/// The precedence of decisions on several claims: proof that a run set the size, then doubt, then
/// the rest.
fn rank(verdict: Judgement) -> u8 {
    match verdict {
        Judgement::AsItWas => 0,
        Judgement::Theirs => 1,
        Judgement::Unclear => 2,
        Judgement::Outdated => 3,
        Judgement::PutBack => 4,
    }
}

fn set_by_hand(arn: &str, power: Power) -> String {
    format!(
        "aws lambda update-function-configuration --function-name {arn} --memory-size {}",
        power.mb()
    )
}

fn not_back(arn: &str, original: Power, why: String) -> NotBack {
    let left = LeftBehind {
        what: format!("the memory size of $LATEST is not {original}"),
        why,
        by_hand: set_by_hand(arn, original),
    };
    NotBack { left, is_unclear: false }
}

fn unclear(arn: &str, latest: &FunctionConfig, original: Power, claims: &[MemoryClaim]) -> NotBack {
    let keys: Vec<String> = claims.iter().map(|claim| memory_key(&claim.run)).collect();
    let left = LeftBehind {
        what: format!("the memory size of $LATEST is {} and was {original}", latest.power),
        why: format!(
            "a run has set {}, and somebody may have deployed the same size since; if so, keep \
             it with: aws lambda untag-resource --resource {arn} --tag-keys {}",
            latest.power,
            keys.join(" ")
        ),
        by_hand: set_by_hand(arn, original),
    };
    NotBack { left, is_unclear: true }
}
