//! Puts the memory size of `$LATEST` back.

use powertune_core::power::Power;
use tokio::time::Instant;

use crate::{
    conflict::{Backoff, repeated},
    error::LeftBehind,
    gateway::{ApiError, ErrorKind, Function, Gateway, Readiness},
    mark::{Mark, memory_key},
    put_back::{Claim, Facts, Verdict},
};

/// The outcome for the memory size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Memory {
    /// It was never changed, or is back already.
    #[default]
    AsItWas,
    /// It was put back.
    PutBack {
        /// The size that was found.
        from: Power,
        /// The size that it has again.
        to: Power,
    },
    /// Somebody else has set it, and it stays.
    Theirs(Power),
    /// The function was deleted.
    Gone,
}

/// A memory size that could not be put back.
pub(super) struct NotBack {
    pub(super) left: LeftBehind,
    /// Nobody can tell whose it is.
    pub(super) is_unclear: bool,
}

/// The function as it was found, and the judgement on its memory size.
struct Found {
    latest: Function,
    original: Power,
    verdict: Verdict,
}

/// Puts the memory size back, where it is a run's; keeps trying until the deadline.
pub(super) async fn restore_memory(
    gateway: &Gateway,
    arn: &str,
    claims: &[Claim],
    deadline: Instant,
) -> Result<Memory, NotBack> {
    let Some(claim) = claims.first() else { return Ok(Memory::AsItWas) };
    let mut backoff = Backoff::until(deadline);
    let mut put_back = None;
    loop {
        let why = match look(gateway, arn, claims).await {
            Ok(Found { latest, original, verdict }) => match verdict {
                Verdict::AsItWas if put_back.is_some() && latest.readiness == Readiness::Busy => {
                    "Lambda is at work on the update".to_owned()
                }
                Verdict::AsItWas => {
                    settled(gateway, deadline).await;
                    let back = |from| Memory::PutBack { from, to: original };
                    return Ok(put_back.map_or(Memory::AsItWas, back));
                }
                Verdict::Theirs => return Ok(Memory::Theirs(latest.power)),
                Verdict::Unclear => return Err(unclear(arn, &latest, original, claims)),
                Verdict::Outdated => "Lambda answers with an older state of it".to_owned(),
                Verdict::PutBack => match gateway.set_power(&latest, original).await {
                    Ok(_) => {
                        put_back = Some(latest.power);
                        continue;
                    }
                    Err(error) if error.kind == ErrorKind::NotFound => return Ok(Memory::Gone),
                    Err(error) if error.may_pass() => error.to_string(),
                    Err(error) => return Err(not_back(arn, original, error.to_string())),
                },
            },
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(Memory::Gone),
            Err(error) if error.may_pass() => error.to_string(),
            Err(error) => return Err(not_back(arn, claim.original, error.to_string())),
        };
        if !backoff.wait().await {
            return Err(not_back(arn, claim.original, why));
        }
    }
}

/// Writes down that the size is back: whatever is set from now on is not the run's.
async fn settled(gateway: &Gateway, deadline: Instant) {
    // Where it can't be written, the journal says what is found undone the next time.
    let _ = repeated(deadline, || gateway.record_memory_back()).await;
}

/// Reads the function and judges the claims by it.
async fn look(gateway: &Gateway, arn: &str, claims: &[Claim]) -> Result<Found, ApiError> {
    let (latest, tags) = gateway.function_and_tags(arn).await?;
    let marks = Mark::all(&tags);
    let mut versions = None;
    let mut worst: Option<(Verdict, Power)> = None;
    for claim in claims {
        let is_announced = marks.iter().any(|mark| mark.run == claim.run);
        let are_others = marks.iter().any(|mark| mark.run != claim.run);
        let verdict = match claim.judge_at_once(&latest) {
            Some(verdict) => verdict,
            // Somebody has cleaned up after this run, and another one has begun since: the memory
            // size is the other's.
            None if are_others && !is_announced => Verdict::Theirs,
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
                    // Somebody has taken the run's tags away: this size is what they have decided on.
                    Verdict::Unclear if !is_announced => Verdict::Theirs,
                    verdict => verdict,
                }
            }
        };
        if worst.is_none_or(|(known, _)| rank(verdict) > rank(known)) {
            worst = Some((verdict, claim.original));
        }
    }
    let (verdict, original) = worst.unwrap_or((Verdict::AsItWas, latest.power));
    Ok(Found { latest, original, verdict })
}

/// Of several claims the one that decides: one that proves the size to be a run's comes before
/// doubts, and doubts before one that knows nothing of it.
fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::AsItWas => 0,
        Verdict::Theirs => 1,
        Verdict::Unclear => 2,
        Verdict::Outdated => 3,
        Verdict::PutBack => 4,
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

fn unclear(arn: &str, latest: &Function, original: Power, claims: &[Claim]) -> NotBack {
    let keys: Vec<String> = claims.iter().map(|claim| memory_key(&claim.run)).collect();
    let left = LeftBehind {
        what: format!("the memory size of $LATEST is {} and was {original}", latest.power),
        why: format!(
            "a run has set {}, and somebody may have deployed it since; if it is theirs, keep it \
             with: aws lambda untag-resource --resource {arn} --tag-keys {}",
            latest.power,
            keys.join(" ")
        ),
        by_hand: set_by_hand(arn, original),
    };
    NotBack { left, is_unclear: true }
}
