//! The alias that releases the chosen memory size.
//!
//! A deploy, a rollback or a canary release may move the alias during a run. So the run reads it at
//! the beginning and again before it moves it, and moves it only if nothing has changed.

use powertune_core::{
    request::{AutoOptimize, ReleaseLatest},
    warning::Warning,
};

use crate::{
    conflict::Backoff,
    error::{Cause, Refusal, TuneError},
    gateway::{AliasConfig, ApiError, FunctionConfig, Gateway},
};

/// The version that the alias points to; `None` if there is no such alias.
///
/// # Errors
/// `Canary` if the alias has weights, `ReleasesLatest` if moving it would release other code or
/// configuration without consent.
pub(crate) async fn found(
    gateway: &Gateway,
    latest: &FunctionConfig,
    optimize: &AutoOptimize,
    warnings: &mut Vec<Warning>,
) -> Result<Option<String>, TuneError> {
    let Some(alias) = optimize.alias.clone() else { return Ok(None) };
    let found = gateway.alias(&latest.arn, &alias).await.map_err(TuneError::before_changes)?;
    let Some(AliasConfig { version, is_weighted, .. }) = found else { return Ok(None) };
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

/// The difference between a version and `$LATEST`, apart from the memory size.
fn difference(published: &FunctionConfig, latest: &FunctionConfig) -> Option<&'static str> {
    if published.code_sha256 != latest.code_sha256 {
        return Some("the code");
    }
    (published.fingerprint != latest.fingerprint).then_some("the configuration")
}

/// An error if the alias has changed since the run `found` it.
pub(crate) async fn check(
    gateway: &Gateway,
    arn: &str,
    alias: &str,
    found: Option<&str>,
) -> Result<(), Cause> {
    let now = gateway.alias(arn, alias).await?;
    unchanged(alias, found, now.as_ref())
}

fn unchanged(alias: &str, found: Option<&str>, now: Option<&AliasConfig>) -> Result<(), Cause> {
    let what = match (found, now) {
        (None, None) => return Ok(()),
        (Some(found), None) => format!("it was deleted, and pointed to version {found} before"),
        (Some(_), Some(AliasConfig { is_weighted: true, .. })) => {
            "it sends its calls to two versions now".to_owned()
        }
        (Some(found), Some(now)) if now.version == found => return Ok(()),
        (Some(found), Some(now)) => {
            format!("it points to version {} now, and to version {found} before", now.version)
        }
        (None, Some(now)) => {
            format!("it was created meanwhile, and points to version {}", now.version)
        }
    };
    Err(Cause::AliasChanged { alias: alias.to_owned(), what })
}

/// Points the alias to `version`, unless the alias has changed since the run `found` it. The
/// RevisionId guards the call against a change between reading and moving.
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
            // An earlier try succeeded, but its answer was lost.
            return Ok(());
        }
        unchanged(alias, found, now.as_ref())?;
        if is_there {
            // PublishVersion returned the version that the alias already points to.
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
        // Look once more after the last try: its answer may be lost.
        is_over = !backoff.wait().await;
        failed = Some(error);
    }
}
