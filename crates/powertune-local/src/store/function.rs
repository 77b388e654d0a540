//! One function: `$LATEST`, its published versions, and their states.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use uuid::Uuid;

use super::{alias::AliasRecord, configuration::Configuration};
use crate::{
    exception::Exception,
    reference::AwsAccount,
    settings::{Moves, VersionStart, VersionState},
    version::FunctionVersion,
};

/// A moment. `instant` is for decisions, `timestamp` for answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) timestamp: Timestamp,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { instant: Instant::now(), timestamp: Timestamp::now() }
    }
}

/// AWS's `Version` of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum VersionId {
    Latest,
    Number(u64),
}

impl VersionId {
    pub(crate) fn text(self) -> String {
        match self {
            Self::Latest => "$LATEST".to_owned(),
            Self::Number(number) => number.to_string(),
        }
    }

    /// Texts in the order of the versions.
    pub(crate) fn sort_key(self) -> String {
        match self {
            Self::Latest => format!("{:020}", 0),
            Self::Number(number) => format!("{number:020}"),
        }
    }
}

/// The progress of a change of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionPhase {
    /// `State: Pending`.
    Creating { until: Instant },
    /// `LastUpdateStatus: InProgress`. Invocations still run the old configuration.
    Updating { until: Instant },
    /// A version of `PublishVersion` that is not active yet.
    Starting { state: VersionState, until: Instant },
    /// `State: Active`, `LastUpdateStatus: Successful`.
    Settled,
}

/// A version, `$LATEST` or published.
#[derive(Debug, Clone)]
pub(crate) struct VersionRecord {
    pub(crate) id: VersionId,
    pub(crate) configuration: Configuration,
    pub(crate) revision_id: Uuid,
    pub(crate) last_modified: Timestamp,
    pub(crate) phase: VersionPhase,
    /// The snapshot that invocations run.
    pub(super) serving: Arc<FunctionVersion>,
    /// `$LATEST`'s configuration at the publication. Its description can differ.
    published_from: Option<Configuration>,
}

#[derive(Debug)]
pub(crate) struct FunctionRecord {
    pub(crate) name: String,
    pub(crate) latest: VersionRecord,
    pub(crate) published: BTreeMap<u64, VersionRecord>,
    pub(crate) aliases: BTreeMap<String, AliasRecord>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) reserved_concurrency: Option<u32>,
    next_version: u64,
    /// Each running invocation holds a clone.
    running: Arc<()>,
}

/// The input of `PublishVersion`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Publication {
    pub(crate) description: Option<String>,
    pub(crate) code_sha256: Option<String>,
    pub(crate) revision_id: Option<String>,
}

/// The place of one invocation under the limits of concurrency, free again when dropped.
#[derive(Debug)]
pub(crate) struct InvocationSlot(
    #[expect(dead_code, reason = "its reference is what counts")] Arc<()>,
);

impl VersionRecord {
    /// Applies a change that is in effect at `now`. Returns the snapshot that went out of service.
    fn settle(&mut self, now: Moment, account: &AwsAccount, function_name: &str) -> Option<Uuid> {
        match self.phase {
            VersionPhase::Creating { until } | VersionPhase::Starting { until, .. }
                if until <= now.instant =>
            {
                self.phase = VersionPhase::Settled;
                self.revision_id = Uuid::new_v4();
                None
            }
            VersionPhase::Updating { until } if until <= now.instant => {
                self.phase = VersionPhase::Settled;
                self.revision_id = Uuid::new_v4();
                let next = self.configuration.snapshot(account, function_name, &self.id.text());
                Some(std::mem::replace(&mut self.serving, next).snapshot)
            }
            _ => None,
        }
    }

    /// The snapshot for an invocation.
    pub(super) fn for_invocation(&self) -> Result<Arc<FunctionVersion>, Exception> {
        match self.phase {
            VersionPhase::Creating { .. } => Err(not_active(VersionState::Pending)),
            VersionPhase::Starting { state, .. } => Err(not_active(state)),
            VersionPhase::Updating { .. } | VersionPhase::Settled => Ok(Arc::clone(&self.serving)),
        }
    }
}

impl FunctionRecord {
    /// A new function in `phase`.
    pub(super) fn new(
        name: String,
        configuration: Configuration,
        tags: BTreeMap<String, String>,
        account: &AwsAccount,
        now: Moment,
        phase: VersionPhase,
    ) -> Self {
        let serving = configuration.snapshot(account, &name, &VersionId::Latest.text());
        let latest = VersionRecord {
            id: VersionId::Latest,
            configuration,
            revision_id: Uuid::new_v4(),
            last_modified: now.timestamp,
            phase,
            serving,
            published_from: None,
        };
        Self {
            name,
            latest,
            published: BTreeMap::new(),
            aliases: BTreeMap::new(),
            tags,
            reserved_concurrency: None,
            next_version: 1,
            running: Arc::new(()),
        }
    }

    /// Applies all changes that are in effect at `now`. Adds the snapshots that went out of service
    /// to `retired`.
    pub(super) fn settle(&mut self, now: Moment, account: &AwsAccount, retired: &mut Vec<Uuid>) {
        let name = &self.name;
        retired.extend(
            std::iter::once(&mut self.latest)
                .chain(self.published.values_mut())
                .filter_map(|version| version.settle(now, account, name)),
        );
    }

    /// All versions, `$LATEST` first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &VersionRecord> {
        std::iter::once(&self.latest).chain(self.published.values())
    }

    pub(crate) fn version(&self, id: VersionId) -> Option<&VersionRecord> {
        match id {
            VersionId::Latest => Some(&self.latest),
            VersionId::Number(number) => self.published.get(&number),
        }
    }

    /// Refuses a call while a change of `$LATEST` is not in effect yet.
    pub(super) fn must_be_settled(&self, account: &AwsAccount) -> Result<(), Exception> {
        match self.latest.phase {
            VersionPhase::Settled => Ok(()),
            VersionPhase::Creating { .. } => Err(not_active(VersionState::Pending)),
            VersionPhase::Starting { state, .. } => Err(not_active(state)),
            VersionPhase::Updating { .. } => Err(Exception::conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for \
                 resource: {}",
                account.function_arn(&self.name, None)
            ))),
        }
    }

    /// Refuses a guard with another revision than `$LATEST`'s.
    pub(super) fn must_be_at(&self, revision_id: Option<&str>) -> Result<(), Exception> {
        match revision_id {
            Some(revision) if revision != self.latest.revision_id.to_string() => {
                Err(Exception::stale_revision())
            }
            _ => Ok(()),
        }
    }

    /// Gives `$LATEST` another configuration, in effect after `delay`.
    pub(super) fn update(&mut self, configuration: Configuration, now: Moment, delay: Duration) {
        self.latest.configuration = configuration;
        self.latest.revision_id = Uuid::new_v4();
        self.latest.last_modified = now.timestamp;
        self.latest.phase = VersionPhase::Updating { until: now.instant + delay };
    }

    /// The effects on `$LATEST` of a call that does not update it.
    pub(super) fn moved(&mut self, moves: Moves, now: Moment) {
        if moves.revision_id {
            self.latest.revision_id = Uuid::new_v4();
        }
        if moves.last_modified {
            self.latest.last_modified = now.timestamp;
        }
    }

    /// The newest version, if `$LATEST` has not changed since.
    pub(super) fn unchanged_version(&self) -> Option<u64> {
        let source = &self.latest.configuration;
        self.published.last_key_value().and_then(|(number, newest)| {
            (newest.published_from.as_ref() == Some(source)).then_some(*number)
        })
    }

    /// The version with `$LATEST`'s code and configuration: the newest version if nothing has
    /// changed since, else a new version in `phase`.
    pub(super) fn publish(
        &mut self,
        description: Option<String>,
        account: &AwsAccount,
        now: Moment,
        phase: VersionPhase,
    ) -> &VersionRecord {
        let unchanged = self.unchanged_version();
        let source = &self.latest.configuration;
        let number = unchanged.unwrap_or(self.next_version);
        self.published.entry(number).or_insert_with(|| {
            self.next_version += 1;
            let id = VersionId::Number(number);
            let description = description.unwrap_or_else(|| source.description.clone());
            let configuration = Configuration { description, ..source.clone() };
            VersionRecord {
                id,
                serving: configuration.snapshot(account, &self.name, &id.text()),
                configuration,
                revision_id: Uuid::new_v4(),
                last_modified: now.timestamp,
                phase,
                published_from: Some(source.clone()),
            }
        })
    }

    pub(crate) fn running_invocations(&self) -> usize {
        Arc::strong_count(&self.running) - 1
    }

    pub(super) fn occupy_slot(&self) -> InvocationSlot {
        InvocationSlot(Arc::clone(&self.running))
    }
}

fn not_active(state: VersionState) -> Exception {
    Exception::conflict(format!(
        "The operation cannot be performed at this time. The function is currently in the \
         following state: {}",
        state.name()
    ))
}

impl VersionStart {
    /// The first phase of a version that is made `now`.
    pub(super) fn phase(self, now: Moment) -> VersionPhase {
        match self.state {
            VersionState::Active => VersionPhase::Settled,
            state => VersionPhase::Starting { state, until: now.instant + self.lasts },
        }
    }
}

impl VersionState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Pending => "Pending",
            Self::Inactive => "Inactive",
            Self::Deactivating => "Deactivating",
            Self::Deactivated => "Deactivated",
            Self::ActiveNonInvocable => "ActiveNonInvocable",
            Self::Failed => "Failed",
            Self::Deleting => "Deleting",
        }
    }
}
