//! The alias by which the choice is released.
//!
//! Others move it, too: a deploy, a rollback, a canary. So it is read before anything is changed
//! and again before it is moved, and it is moved from where the run has found it alone.

use powertune_core::{
    request::{AutoOptimize, ReleaseLatest},
    warning::Warning,
};

use crate::{
    conflict::Backoff,
    error::{Cause, Refusal, TuneError},
    gateway::{Alias, ApiError, Function, Gateway},
};

/// The version that the alias points to which is to be moved; `None` where there is no such alias.
///
/// # Errors
/// A refusal where moving it would end a canary, or release what nobody has asked to release.
pub(crate) async fn found(
    gateway: &Gateway,
    latest: &Function,
    optimize: &AutoOptimize,
    warnings: &mut Vec<Warning>,
) -> Result<Option<String>, TuneError> {
    let Some(alias) = optimize.alias.clone() else { return Ok(None) };
    let found = gateway.alias(&latest.arn, &alias).await.map_err(TuneError::before_changes)?;
    let Some(Alias { version, is_weighted, .. }) = found else { return Ok(None) };
    if is_weighted {
        return Err(TuneError::Refused(Refusal::Canary { alias }));
    }
    let published =
        gateway.function(&latest.arn, Some(&version)).await.map_err(TuneError::before_changes)?;
    let Some(what) = difference(&published, latest) else { return Ok(Some(version)) };
    match optimize.release_latest {
        ReleaseLatest::No => {
            return Err(TuneError::Refused(Refusal::ReleasesLatest { alias, version, what }));
        }
        ReleaseLatest::Unsaid => {
            warnings.push(Warning::ReleasesLatest { alias, version: version.clone(), what });
        }
        ReleaseLatest::Yes => {}
    }
    Ok(Some(version))
}

/// What of a version is not that of `$LATEST`, memory size aside.
fn difference(published: &Function, latest: &Function) -> Option<&'static str> {
    if published.code_sha256 != latest.code_sha256 {
        return Some("the code");
    }
    (published.fingerprint != latest.fingerprint).then_some("the configuration")
}

/// Makes sure that the alias still is as it was `found`.
pub(crate) async fn check(
    gateway: &Gateway,
    arn: &str,
    alias: &str,
    found: Option<&str>,
) -> Result<(), Cause> {
    let now = gateway.alias(arn, alias).await?;
    unchanged(alias, found, now.as_ref())
}

fn unchanged(alias: &str, found: Option<&str>, now: Option<&Alias>) -> Result<(), Cause> {
    let what = match (found, now) {
        (None, None) => return Ok(()),
        (Some(found), None) => format!("it is gone, and pointed to version {found} before"),
        (Some(_), Some(Alias { is_weighted: true, .. })) => {
            "it sends its calls to two versions now".to_owned()
        }
        (Some(found), Some(now)) if now.version == found => return Ok(()),
        (Some(found), Some(now)) => {
            format!("it points to version {} now, and to version {found} before", now.version)
        }
        (None, Some(now)) => {
            format!("it was made meanwhile, and points to version {}", now.version)
        }
    };
    Err(Cause::AliasChanged { alias: alias.to_owned(), what })
}

/// Points the alias to `version`, which is the run's own, unless somebody else has changed the
/// alias since it was `found`. A change by others between reading and moving fails by the
/// RevisionId, or because there is an alias by now.
pub(crate) async fn point(
    gateway: &Gateway,
    arn: &str,
    alias: &str,
    found: Option<&str>,
    version: &str,
) -> Result<(), Cause> {
    let mut failed: Option<ApiError> = None;
    let (mut backoff, mut is_over) = (Backoff::until(gateway.meets_until()), false);
    loop {
        let now = match gateway.alias(arn, alias).await {
            Ok(now) => now,
            Err(error) => return Err(failed.unwrap_or(error).into()),
        };
        let is_there = now.as_ref().is_some_and(|now| now.version == version);
        if is_there && failed.is_some() {
            // The answer to a try was lost.
            return Ok(());
        }
        unchanged(alias, found, now.as_ref())?;
        if is_there {
            // Lambda has handed back the very version that the alias points to.
            return Ok(());
        }
        if let Some(error) = failed.take_if(|_| is_over) {
            return Err(error.into());
        }
        let moved = match &now {
            Some(now) => gateway.move_alias(arn, alias, now, version).await,
            None => gateway.create_alias(arn, alias, version).await,
        };
        let Err(error) = moved else { return Ok(()) };
        if !error.may_pass() {
            return Err(error.into());
        }
        // One more look comes after the last try: its answer may have been lost.
        is_over = !backoff.wait().await;
        failed = Some(error);
    }
}
