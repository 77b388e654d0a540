//! Applies the chosen power: to `$LATEST`, or to a new version that an alias then points to.

use powertune_core::{power::Power, request::AutoOptimize};

use crate::{
    alias,
    baseline::{Baseline, ModifiedClock},
    error::Cause,
    gateway::{Gateway, PublishedVersion},
    mark::{self, Mark},
    publish::{Publisher, Unpublished},
};

/// Applies `power`. Returns the alias and the version that it points to now, if the request names
/// an alias. `alias_at` is the version that the alias pointed to at the beginning of the run.
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
    let failed =
        |unpublished: Unpublished| unpublished.into_cause("applying the chosen memory size");
    let mut publisher = Publisher::again(gateway, baseline, mark, ModifiedClock::default()).await?;
    let Some(alias) = &optimize.alias else {
        publisher.set_power(power).await.map_err(failed)?;
        publisher.keep().await?;
        return Ok(None);
    };
    // No run mark in the description: once the alias points to this version, it belongs to the
    // user.
    let description = mark.choice(power);
    let usable = |version: &PublishedVersion| mark::run_of_version(&version.description).is_none();
    let version = publisher.publish(power, &description, usable).await.map_err(failed)?;
    let PublishedVersion { version, .. } = version;
    publisher.put_back().await?;
    alias::point(gateway, &baseline.arn, alias, alias_at, &version).await?;
    Ok(Some((alias.clone(), version)))
}
