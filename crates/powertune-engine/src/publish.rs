//! Publishes a version for each memory size. Guards detect changes by somebody else, so none is
//! overwritten.

use jiff::Timestamp;
use powertune_core::{
    backlog::{Backlog, Task},
    observation::Skipped,
    power::Power,
};

use crate::{
    announce::Announced,
    baseline::{Baseline, ModifiedClock, beyond_account, changed, wait},
    conflict::{Backoff, repeated},
    error::Cause,
    gateway::{ErrorKind, FunctionConfig, Gateway, PublishedVersion},
    held::neighbour,
    mark::{Mark, run_of_version},
};

/// Changes the memory size of `$LATEST` and publishes it, for a run that won its election.
#[derive(Debug)]
pub(crate) struct Publisher<'a> {
    gateway: &'a Gateway,
    baseline: &'a Baseline,
    mark: &'a Mark,
    latest: FunctionConfig,
    clock: ModifiedClock,
    /// The present LastModified, if known. It stays until somebody else updates the function.
    modified: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) enum Unpublished {
    /// The account does not allow this memory size; the text is Lambda's reason.
    BeyondAccount(String),
    Failed(Cause),
}

impl Unpublished {
    /// The cause, for a caller that needs the power.
    pub(crate) fn into_cause(self, doing: &str) -> Cause {
        match self {
            Self::Failed(cause) => cause,
            Self::BeyondAccount(reason) => Cause::NotReady { what: doing.to_owned(), reason },
        }
    }
}

impl From<Cause> for Unpublished {
    fn from(cause: Cause) -> Self {
        Self::Failed(cause)
    }
}

impl<'a> Publisher<'a> {
    /// Continues after the announcement, which made the first change.
    pub(crate) fn first(
        gateway: &'a Gateway,
        baseline: &'a Baseline,
        mark: &'a Mark,
        announced: Announced,
    ) -> Self {
        let Announced { latest, clock, .. } = announced;
        let modified = latest.last_modified;
        Self { gateway, baseline, mark, latest, clock, modified }
    }

    /// Starts again after `$LATEST` got its own memory size back. It checks that the function is as
    /// the run left it, and sets the tag with the memory size to restore.
    pub(crate) async fn again(
        gateway: &'a Gateway,
        baseline: &'a Baseline,
        mark: &'a Mark,
        clock: ModifiedClock,
    ) -> Result<Self, Cause> {
        let latest = wait(gateway, &baseline.arn, None).await?;
        let modified = latest.last_modified;
        let mut publisher = Self { gateway, baseline, mark, latest, clock, modified };
        publisher.check(&[baseline.power]).await?;
        let deadline = gateway.meets_until();
        repeated(deadline, || gateway.tag(&baseline.arn, mark.memory_tags())).await?;
        // A tag may change the RevisionId.
        publisher.settle(&[baseline.power]).await?;
        Ok(publisher)
    }

    pub(crate) async fn put_back(mut self) -> Result<(), Cause> {
        let put_back = self.set_power(self.baseline.power).await;
        put_back.map_err(|error| error.into_cause("putting $LATEST back"))?;
        self.keep().await
    }

    /// Leaves `$LATEST` at its present memory size, and records in the journal and the tags that
    /// nothing is left to restore.
    pub(crate) async fn keep(self) -> Result<(), Cause> {
        self.gateway.record_memory_back().await?;
        let (arn, key) = (&self.baseline.arn, self.mark.memory_key());
        let deadline = self.gateway.meets_until();
        Ok(repeated(deadline, || self.gateway.untag(arn, vec![key.clone()])).await?)
    }

    /// A version with `power`. A new one gets the run's mark as its description.
    pub(crate) async fn publish_marked(
        &mut self,
        power: Power,
        usable: impl Fn(&PublishedVersion) -> bool,
    ) -> Result<PublishedVersion, Unpublished> {
        let mark = self.mark.description();
        self.publish(power, &mark, usable).await
    }

    /// A version with `power`. Lambda may return an older version; `usable` decides whether it will
    /// do.
    pub(crate) async fn publish(
        &mut self,
        power: Power,
        description: &str,
        usable: impl Fn(&PublishedVersion) -> bool,
    ) -> Result<PublishedVersion, Unpublished> {
        self.set_power(power).await?;
        let version = self.publish_latest(description).await?;
        if usable(&version) && !self.is_anothers(&version) {
            return Ok(version);
        }
        // Lambda publishes nothing new if nothing has changed. A version of the neighbouring size
        // in between makes a change.
        self.set_power(neighbour(power)).await?;
        self.publish_latest(&self.mark.description()).await?;
        self.set_power(power).await?;
        let version = self.publish_latest(description).await?;
        if usable(&version) {
            return Ok(version);
        }
        Err(Cause::WrongVersion { version: version.version, power }.into())
    }

    /// Sets the memory size and waits until it is in force.
    ///
    /// Tags of other runs may change the RevisionId in between. Then the function is read again,
    /// and the change is repeated if nothing else is different.
    pub(crate) async fn set_power(&mut self, power: Power) -> Result<(), Unpublished> {
        let mut backoff = Backoff::until(self.gateway.meets_until());
        while self.latest.power != power {
            let before = self.latest.power;
            match self.gateway.set_power(&self.latest, power).await {
                Ok(modified) => self.modified = modified.filter(|_| self.clock.is_told_at_once),
                Err(error) if beyond_account(&error) => {
                    return Err(Unpublished::BeyondAccount(error.message));
                }
                Err(error) if error.may_pass() && backoff.wait().await => {
                    if error.kind == ErrorKind::Unknown {
                        self.modified = None;
                    }
                }
                Err(error) => return Err(Cause::Api(error).into()),
            }
            self.settle(&[before, power]).await?;
        }
        Ok(())
    }

    async fn publish_latest(&mut self, description: &str) -> Result<PublishedVersion, Unpublished> {
        let power = self.latest.power;
        let mut backoff = Backoff::until(self.gateway.meets_until());
        let version = loop {
            match self.gateway.publish(&self.latest, description).await {
                Ok(version) => break version,
                Err(error) if error.is_meeting() && backoff.wait().await => {
                    self.settle(&[power]).await?;
                }
                Err(error) => return Err(Cause::Api(error).into()),
            }
        };
        if version.version.is_empty() || version.power.is_some_and(|published| published != power) {
            return Err(Cause::WrongVersion { version: version.version, power }.into());
        }
        // Publishing changes the RevisionId.
        self.settle(&[power]).await?;
        Ok(version)
    }

    /// Waits until Lambda has finished the last change. It is an error if the run's tags are gone,
    /// or if anything but the memory size differs, or if that is not in `powers`.
    async fn settle(&mut self, powers: &[Power]) -> Result<(), Cause> {
        self.latest = wait(self.gateway, &self.baseline.arn, None).await?;
        if self.is_updated_by_others() {
            let what = format!("its memory size was set to {} again", self.latest.power);
            return Err(Cause::Changed { what });
        }
        self.modified = self.latest.last_modified;
        self.check(powers).await
    }

    /// True if somebody has updated the function to exactly the state that the run expects.
    fn is_updated_by_others(&self) -> bool {
        self.clock.is_moved_by_updates_alone
            && self.modified.is_some()
            && self.modified != self.latest.last_modified
    }

    async fn check(&self, powers: &[Power]) -> Result<(), Cause> {
        changed(&self.latest, self.baseline, powers)?;
        still_marked(self.gateway, &self.latest, &self.mark.run).await?;
        Ok(self.gateway.record_read(&self.latest).await?)
    }

    /// True if this is a test version of another run, which will delete it.
    fn is_anothers(&self, version: &PublishedVersion) -> bool {
        run_of_version(&version.description).is_some_and(|run| run != self.mark.run)
    }
}

/// Publishes a version for a power of the backlog that has none. `Ok(Err(_))` if the account does
/// not allow the power: the backlog skips it.
///
/// # Errors
/// If the run can't continue. The caller's clean-up puts `$LATEST` back, unless somebody else has
/// changed it.
pub(crate) async fn publish_missing(
    publisher: &mut Publisher<'_>,
    backlog: &mut Backlog,
    power: Power,
) -> Result<Result<Task, Skipped>, Cause> {
    let is_fresh = |version: &PublishedVersion| backlog.is_fresh(&version.version);
    match publisher.publish_marked(power, is_fresh).await {
        Ok(version) => Ok(Ok(backlog.published(power, version.version))),
        Err(Unpublished::BeyondAccount(reason)) => {
            backlog.skip(power);
            Ok(Err(Skipped { power, reason }))
        }
        Err(Unpublished::Failed(cause)) => Err(cause),
    }
}

/// An error if the run's tags are gone: somebody has cleaned up after it, and another run may have
/// begun.
pub(crate) async fn still_marked(
    gateway: &Gateway,
    latest: &FunctionConfig,
    run: &str,
) -> Result<(), Cause> {
    let mark = Mark::find(run, &gateway.tags_of(latest).await?);
    // Each round sets the memory tag again, so only the other tags count.
    let is_there = mark.is_some_and(|mark| mark.since.is_some());
    if is_there { Ok(()) } else { Err(Cause::MarksGone { function: latest.arn.clone() }) }
}
