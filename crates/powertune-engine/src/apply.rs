//! Applies the chosen power: to `$LATEST`, or to a new version that an alias then points to.

use powertune_core::{power::Power, request::AutoOptimize};

use crate::{
    alias,
    baseline::{Baseline, Clock},
    error::Cause,
    gateway::{Gateway, Version},
    mark::{self, Mark},
    publish::{Publisher, Unpublished},
};

/// Applies `power`; returns the alias and the version that it points to, if an alias was asked for.
/// `alias_at` is the version that it pointed to when the run began, if there was such an alias.
pub(crate) async fn apply(
    gateway: &Gateway,
    baseline: &Baseline,
    mark: &Mark,
    optimize: &AutoOptimize,
    alias_at: Option<&str>,
    power: Power,
) -> Result<Option<(String, String)>, Cause> {
    if let Some(alias) = &optimize.alias {
        alias::check(gateway, &baseline.arn, alias, alias_at).await?;
    }
    // By the time a power is applied it was measured, so the account has it.
    let failed =
        |unpublished: Unpublished| unpublished.into_cause("applying the chosen memory size");
    let mut publisher = Publisher::again(gateway, baseline, mark, Clock::default()).await?;
    let Some(alias) = &optimize.alias else {
        publisher.set_power(power).await.map_err(failed)?;
        publisher.keep().await?;
        return Ok(None);
    };
    // Without our mark: as soon as the alias points to it, this version is the user's to keep.
    let description = mark.choice(power);
    let usable = |version: &Version| mark::run_of_version(&version.description).is_none();
    let version = publisher.publish(power, &description, usable).await.map_err(failed)?;
    let Version { version, .. } = version;
    publisher.put_back().await?;
    alias::point(gateway, &baseline.arn, alias, alias_at, &version).await?;
    Ok(Some((alias.clone(), version)))
}
