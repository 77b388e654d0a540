//! Announces a run on the function and makes its first change. It executes the protocol of
//! [`Election`].

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use powertune_core::power::Power;
use rand::RngExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    baseline::{Baseline, ModifiedClock, beyond_account, changed, wait},
    conflict::repeated,
    election::{Action, Election, FirstChange, Leaving, Snapshot},
    error::Cause,
    gateway::{ApiError, ErrorKind, FunctionConfig, Gateway, PublishedVersion, Readiness},
    held::neighbour,
    mark::{Mark, run_of_version},
};

/// The longest wait for other runs that are leaving. Each has only a few calls to make.
const WAIT: Duration = Duration::from_secs(20);
/// The longest wait for an update that was in progress before the run.
const UPDATE: Duration = Duration::from_mins(15);
/// The first pause between two looks at the function; each pause is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A run that won the election: `$LATEST` has the memory size of its first change.
#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) latest: FunctionConfig,
    /// A version with the function's own memory size.
    pub(crate) version: Option<PublishedVersion>,
    pub(crate) clock: ModifiedClock,
}

impl Announced {
    /// The version with the function's own memory size, unless another run published it.
    pub(crate) fn own_version(&self, mark: &Mark) -> Option<String> {
        let is_usable = |version: &&PublishedVersion| {
            run_of_version(&version.description).is_none_or(|run| run == mark.run)
        };
        self.version.as_ref().filter(is_usable).map(|version| version.version.clone())
    }
}

struct Announcement<'a> {
    gateway: &'a Gateway,
    baseline: &'a Baseline,
    mark: &'a Mark,
    election: Election,
    /// The function and its marks at the last look.
    last: Option<(FunctionConfig, Vec<Mark>)>,
    version: Option<PublishedVersion>,
    /// The LastModified in the answer to the first change.
    told: Option<Timestamp>,
    /// The runs that this run waits for, and the time since when it waits for exactly these.
    waits_since: Option<(BTreeSet<String>, Instant)>,
    /// Deadline for retries of guarded calls that conflict with other runs' calls.
    meets_until: Option<Instant>,
    /// The wait before the next look.
    pause: Duration,
    cancelled: &'a CancellationToken,
}

/// Announces a run and sets the memory size to `target`. Returns `None` if the user cancels it
/// before the first change.
///
/// # Errors
/// `Rival` if another run wins, `Changed` if the function is no longer as the run found it. After
/// any error the caller removes everything that the run has put on the function.
pub(crate) async fn announce(
    gateway: &Gateway,
    baseline: &Baseline,
    mark: &Mark,
    target: Option<Power>,
    cancelled: &CancellationToken,
) -> Result<Option<Announced>, Cause> {
    let target = target.unwrap_or_else(|| neighbour(baseline.power));
    let election = Election::new(mark.run.clone(), baseline.power, target);
    let announcement = Announcement {
        gateway,
        baseline,
        mark,
        election,
        last: None,
        version: None,
        told: None,
        waits_since: None,
        meets_until: None,
        pause: FIRST_PAUSE,
        cancelled,
    };
    announcement.run().await
}

impl Announcement<'_> {
    async fn run(mut self) -> Result<Option<Announced>, Cause> {
        loop {
            let is_over = matches!(self.election.next(), Action::GoOn | Action::Leave(_));
            if self.cancelled.is_cancelled() && !is_over {
                return Ok(None);
            }
            match self.election.next().clone() {
                Action::Tag => {
                    let deadline = self.gateway.meets_until();
                    let tag = || self.gateway.tag(&self.baseline.arn, self.mark.tags());
                    repeated(deadline, tag).await?;
                    self.election.tagged();
                }
                Action::Look => self.look().await?,
                Action::LookLater { others } => self.look_later(others).await?,
                Action::Publish { .. } => self.publish().await?,
                Action::Change { .. } => self.change().await?,
                Action::GoOn => return self.go_on().await.map(Some),
                Action::Leave(leaving) => return Err(self.why(&leaving)),
            }
        }
    }

    async fn look(&mut self) -> Result<(), Cause> {
        let deadline = self.gateway.meets_until();
        let read = || self.gateway.function_and_tags(&self.baseline.arn);
        let (latest, tags) = repeated(deadline, read).await?;
        let marks = Mark::all(&tags);
        self.election.looked(Snapshot {
            revision_id: latest.revision_id.clone(),
            power: latest.power,
            is_as_found: changed(&latest, self.baseline, &[latest.power]).is_ok(),
            is_settled: latest.readiness != Readiness::Busy,
            runs: marks.iter().map(|mark| mark.run.clone()).collect(),
        });
        self.last = Some((latest, marks));
        Ok(())
    }

    async fn look_later(&mut self, others: BTreeSet<String>) -> Result<(), Cause> {
        let patience = if others.is_empty() { UPDATE } else { WAIT };
        match &self.waits_since {
            Some((known, since)) if *known == others && since.elapsed() > patience => {
                self.election.give_up();
                return Ok(());
            }
            Some((known, _)) if *known == others => {}
            _ => self.waits_since = Some((others, Instant::now())),
        }
        self.breathe().await;
        self.look().await
    }

    /// Sleeps with exponential back-off and jitter, so that two runs that collided do not collide
    /// again.
    async fn breathe(&mut self) {
        tokio::time::sleep(self.pause.mul_f64(rand::rng().random_range(0.5..1.0))).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    async fn met(&mut self, error: ApiError) -> Result<(), Cause> {
        let until = *self.meets_until.get_or_insert_with(|| self.gateway.meets_until());
        if Instant::now() > until {
            return Err(error.into());
        }
        self.breathe().await;
        Ok(())
    }

    /// Publishes a version with the function's own memory size. It documents the size to restore.
    async fn publish(&mut self) -> Result<(), Cause> {
        let Some((latest, _)) = &self.last else { return self.look().await };
        let description = self.mark.description();
        match self.gateway.publish(latest, &description).await {
            Ok(version) => {
                self.version = Some(version);
                self.election.published(true);
            }
            Err(error) if error.may_pass() => {
                self.met(error).await?;
                self.election.published(false);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn change(&mut self) -> Result<(), Cause> {
        let Some((latest, _)) = &self.last else { return self.look().await };
        let target = self.election.target();
        match self.gateway.set_power(latest, target).await {
            Ok(told) => {
                self.told = told;
                self.election.changed(FirstChange::Made);
            }
            Err(error) if error.may_pass() => {
                let is_unknown = error.kind == ErrorKind::Unknown;
                self.met(error).await?;
                let change = if is_unknown { FirstChange::Unknown } else { FirstChange::Refused };
                self.election.changed(change);
            }
            // The account does not allow the target. The run will skip that power later; the
            // neighbour of the function's own size is always allowed.
            Err(error) if beyond_account(&error) && target != neighbour(self.baseline.power) => {
                self.election.retarget(neighbour(self.baseline.power));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn go_on(self) -> Result<Announced, Cause> {
        let latest = wait(self.gateway, &self.baseline.arn, None).await?;
        changed(&latest, self.baseline, &[self.election.target()])?;
        // The last look came after the run's own tags and version, but before its first change.
        let before = self.last.and_then(|(latest, _)| latest.last_modified);
        let clock = ModifiedClock {
            is_moved_by_updates_alone: before.is_some() && before == self.baseline.last_modified,
            is_told_at_once: self.told.is_some() && self.told == latest.last_modified,
        };
        if clock.is_moved_by_updates_alone {
            self.gateway.record_updates_alone_modify().await?;
        }
        self.gateway.record_read(&latest).await?;
        Ok(Announced { latest, version: self.version, clock })
    }

    fn why(&self, leaving: &Leaving) -> Cause {
        let last = self.last.as_ref();
        match leaving {
            Leaving::Behind(run) => {
                let mark = last.and_then(|(_, marks)| marks.iter().find(|mark| mark.run == *run));
                let mark = mark.unwrap_or(self.mark);
                Cause::Rival { mark: Box::new(mark.clone()) }
            }
            Leaving::Unmarked => Cause::MarksGone { function: self.baseline.arn.clone() },
            Leaving::Changed => last
                .and_then(|(latest, _)| {
                    changed(latest, self.baseline, &[self.baseline.power]).err()
                })
                .unwrap_or_else(|| Cause::TooSlow {
                    what: "an update of the function".to_owned(),
                    minutes: UPDATE.as_secs() / 60,
                }),
        }
    }
}
