//! Publishes a version for each power, guarded so that a change by somebody else is noticed and
//! never overwritten.

use std::time::Duration;

use powertune_core::power::Power;
use tokio::time::Instant;

use crate::{
    conflict::{ATTEMPTS, is_meeting},
    error::Cause,
    gateway::{ApiError, ErrorKind, Function, Gateway, Readiness, Version},
    held::neighbour,
    mark::{Mark, run_of_version},
};

/// How long Lambda gets for an update, and for a version: with SnapStart that takes minutes.
const PATIENCE: Duration = Duration::from_mins(15);
const FIRST_POLL: Duration = Duration::from_millis(25);
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// What of `$LATEST` a run goes by, as it found it: any other change is somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Baseline {
    /// Unqualified.
    pub(crate) arn: String,
    pub(crate) power: Power,
    pub(crate) code_sha256: Option<String>,
    pub(crate) fingerprint: String,
    /// What the function had before the run announced itself, where it was at rest. The first
    /// change goes by it, so that of two runs that begin at the same time one alone makes it.
    pub(crate) revision_id: Option<String>,
}

impl Baseline {
    /// The function as it is now.
    pub(crate) fn of(latest: &Function) -> Self {
        Self {
            arn: latest.arn.clone(),
            power: latest.power,
            code_sha256: latest.code_sha256.clone(),
            fingerprint: latest.fingerprint.clone(),
            revision_id: latest
                .revision_id
                .clone()
                .filter(|_| latest.readiness == Readiness::Ready),
        }
    }
}

/// Changes `$LATEST`'s memory size and publishes it.
#[derive(Debug)]
pub(crate) struct Publisher<'a> {
    gateway: &'a Gateway,
    baseline: &'a Baseline,
    /// The function as it was last read.
    latest: Function,
    mark: &'a Mark,
    /// Whether the run has changed the function already: then no run that begins at the same time
    /// can, and what is met is that run on its way out.
    is_ahead: bool,
}

/// Why a power has no version.
#[derive(Debug)]
pub(crate) enum Unpublished {
    /// The account does not have such powers.
    BeyondAccount(String),
    /// The run can't go on.
    Failed(Cause),
}

impl Unpublished {
    /// What it is to whoever does not expect that the account lacks the power.
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
    /// Reads the function and makes sure that it is the run's. `is_first` says that the run has
    /// changed nothing yet but its tags.
    pub(crate) async fn open(
        gateway: &'a Gateway,
        baseline: &'a Baseline,
        mark: &'a Mark,
        is_first: bool,
    ) -> Result<Self, Cause> {
        let latest = wait(gateway, &baseline.arn, None).await?;
        let mut publisher = Self { gateway, baseline, latest, mark, is_ahead: !is_first };
        publisher.check(&[baseline.power]).await?;
        if is_first && baseline.revision_id.is_some() {
            publisher.latest.revision_id.clone_from(&baseline.revision_id);
        }
        Ok(publisher)
    }

    /// A version with `power` for the run, with the run's mark where it is new.
    pub(crate) async fn publish_marked(
        &mut self,
        power: Power,
        usable: impl Fn(&Version) -> bool,
    ) -> Result<Version, Unpublished> {
        let mark = self.mark.description();
        self.publish(power, &mark, usable).await
    }

    /// A version with `power`; `usable` says whether one that Lambda hands back, although it was
    /// published before, will do.
    pub(crate) async fn publish(
        &mut self,
        power: Power,
        description: &str,
        usable: impl Fn(&Version) -> bool,
    ) -> Result<Version, Unpublished> {
        self.set_power(power).await?;
        let version = self.publish_latest(description).await?;
        if usable(&version) && !self.is_anothers(&version) {
            return Ok(version);
        }
        // Nothing has changed since it was published, so Lambda publishes nothing new. A version
        // of a neighbouring power in between makes it do so.
        self.set_power(neighbour(power)).await?;
        self.publish_latest(&self.mark.description()).await?;
        self.set_power(power).await?;
        let version = self.publish_latest(description).await?;
        if usable(&version) {
            return Ok(version);
        }
        Err(Cause::WrongVersion { version: version.version, power }.into())
    }

    /// Gives `$LATEST` this power, and waits until it has it.
    pub(crate) async fn set_power(&mut self, power: Power) -> Result<(), Unpublished> {
        for _ in 0..ATTEMPTS {
            if self.latest.power == power {
                return Ok(());
            }
            match self.gateway.set_power(&self.latest, power).await {
                Ok(()) => self.is_ahead = true,
                Err(error) if is_meeting(&error) => self.alone().await?,
                Err(error) if beyond_account(&error) => {
                    return Err(Unpublished::BeyondAccount(error.message));
                }
                Err(error) => return Err(Cause::Api(error).into()),
            }
            let before = self.latest.power;
            self.settle(&[before, power]).await?;
        }
        let what = format!("its memory size went back to {}", self.latest.power);
        Err(Cause::Changed { what }.into())
    }

    async fn publish_latest(&mut self, description: &str) -> Result<Version, Unpublished> {
        let power = self.latest.power;
        let mut attempt = 1;
        let version = loop {
            match self.gateway.publish(&self.latest, description).await {
                Ok(version) => break version,
                Err(error) if is_meeting(&error) && attempt < ATTEMPTS => {
                    self.alone().await?;
                    self.settle(&[power]).await?;
                    attempt += 1;
                }
                Err(error) => return Err(Cause::Api(error).into()),
            }
        };
        if version.version.is_empty() || version.power.is_some_and(|published| published != power) {
            return Err(Cause::WrongVersion { version: version.version, power }.into());
        }
        // Publishing may change the RevisionId.
        self.settle(&[power]).await?;
        Ok(version)
    }

    /// Waits until Lambda is done with the last change, and makes sure that it was ours alone:
    /// nothing but the power differs, and that is one of `powers`.
    async fn settle(&mut self, powers: &[Power]) -> Result<(), Cause> {
        self.latest = wait(self.gateway, &self.baseline.arn, None).await?;
        self.check(powers).await
    }

    /// An error if the function is no longer as the run has left it; another run's doing is said to
    /// be that.
    async fn check(&self, powers: &[Power]) -> Result<(), Cause> {
        let unchanged = changed(&self.latest, self.baseline, powers);
        if unchanged.is_err() {
            self.alone().await?;
        }
        unchanged
    }

    /// An error if another run has announced itself meanwhile, and must be the one that came first
    /// since this one did not.
    async fn alone(&self) -> Result<(), Cause> {
        if self.is_ahead {
            return Ok(());
        }
        let tags = self.gateway.tags(&self.baseline.arn).await?;
        match Mark::find_other(&self.mark.run, &tags) {
            None => Ok(()),
            Some(mark) => Err(Cause::Rival { mark: Box::new(mark) }),
        }
    }

    /// Whether this is a test version of another run, which will delete it.
    fn is_anothers(&self, version: &Version) -> bool {
        run_of_version(&version.description).is_some_and(|run| run != self.mark.run)
    }
}

/// An error if anything but the power differs, or if that is none of `powers`.
pub(crate) fn changed(
    latest: &Function,
    baseline: &Baseline,
    powers: &[Power],
) -> Result<(), Cause> {
    let what = if latest.code_sha256 != baseline.code_sha256 {
        "its code".to_owned()
    } else if latest.fingerprint != baseline.fingerprint {
        "its configuration".to_owned()
    } else if !powers.contains(&latest.power) {
        format!("its memory size, now {}", latest.power)
    } else {
        return Ok(());
    };
    Err(Cause::Changed { what })
}

/// Waits until `$LATEST`, or a version, is ready.
pub(crate) async fn wait(
    gateway: &Gateway,
    arn: &str,
    version: Option<&str>,
) -> Result<Function, Cause> {
    let what = || version.map_or("the update".to_owned(), |version| format!("version {version}"));
    let started = Instant::now();
    let mut poll = FIRST_POLL;
    loop {
        let function = gateway.function(arn, version).await?;
        match function.readiness {
            Readiness::Ready => return Ok(function),
            Readiness::Failed(reason) => return Err(Cause::NotReady { what: what(), reason }),
            Readiness::Busy if started.elapsed() > PATIENCE => {
                return Err(Cause::TooSlow { what: what(), minutes: PATIENCE.as_secs() / 60 });
            }
            Readiness::Busy => tokio::time::sleep(poll).await,
        }
        poll = poll.mul_f64(1.5).min(LONGEST_POLL);
    }
}

/// Whether an update was refused because the account's functions can't have so much memory.
fn beyond_account(error: &ApiError) -> bool {
    error.kind == ErrorKind::Invalid
        && error.message.contains("memorySize")
        && error.message.contains("less than or equal to")
}
