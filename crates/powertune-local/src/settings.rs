//! The settings of the local Lambda.

use std::{path::PathBuf, time::Duration};

use crate::{credentials::Credentials, execution::CpuControl};

/// The settings of a local Lambda. [`Settings::default`] is right for most uses.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Port on 127.0.0.1. 0 is any free port.
    pub port: u16,
    /// Region in ARNs, and in `AWS_REGION` of functions.
    pub region: String,
    /// Account in ARNs, twelve digits.
    pub account_id: String,
    /// Key pairs of callers. If there are none, a random pair is made at the start.
    pub credentials: Vec<Credentials>,
    /// A file for a line of JSON for every call: the caller, the operation and the function. It
    /// shows which permissions a program needs.
    pub call_log: Option<PathBuf>,
    /// Time in which a new version is `Pending` and an update `InProgress`. On AWS it is about a
    /// second. The default is short but not zero, so that tests find clients that do not wait.
    pub update_delay: Duration,
    /// The account's limit of concurrent executions.
    pub concurrency: u32,
    /// Largest memory size of the account's functions, in MB. AWS limits some accounts to 3,008 MB.
    pub largest_memory_mb: u32,
    /// The form of the refusal of more memory than the account allows.
    pub memory_refusal: MemoryRefusal,
    /// Calls that change `$LATEST`'s `RevisionId` without an update.
    pub revisions: Revisions,
    /// The first state of a version that `PublishVersion` makes.
    pub version_start: VersionStart,
    /// Longest delay of a call, and of its answer. Each delay is random.
    pub latency: Duration,
    /// The way to limit functions to their share of the CPU.
    pub cpu: CpuControl,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 0,
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            credentials: Vec::new(),
            call_log: None,
            update_delay: Duration::from_millis(20),
            concurrency: 1000,
            largest_memory_mb: 10_240,
            memory_refusal: MemoryRefusal::InvalidParameterValue,
            revisions: Revisions::default(),
            version_start: VersionStart::default(),
            latency: Duration::ZERO,
            cpu: CpuControl::Auto,
        }
    }
}

/// Effects on `$LATEST` of calls that do not update it. The default is AWS's behaviour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revisions {
    /// Of `TagResource` and `UntagResource`.
    pub tagging: Moves,
    /// Of a `PublishVersion` that makes a new version. The version's own `RevisionId` stays.
    pub publishing: Moves,
}

/// The effect on `$LATEST` of a call that leaves its code and configuration as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moves {
    /// True if the call changes its `RevisionId`.
    pub revision_id: bool,
    /// True if its `LastModified` becomes the time of the call.
    pub last_modified: bool,
}

impl Moves {
    /// No effect.
    pub const NOTHING: Self = Self { revision_id: false, last_modified: false };
}

impl Default for Moves {
    /// Recordings show that AWS changes `RevisionId`. No source shows `LastModified`: AWS's
    /// documentation calls it the time of the last update of the function, and neither tags nor
    /// versions are updates.
    fn default() -> Self {
        Self { revision_id: true, last_modified: false }
    }
}

/// The first state of a version that `PublishVersion` makes. After it the version is active and
/// accepts invocations.
///
/// On AWS a version of an ordinary function is active at once, which is the default. A version with
/// SnapStart is pending for minutes. Other states are for tests of clients that wait for a version.
/// Versions of `CreateFunction` and `UpdateFunctionCode` are pending for [`Settings::update_delay`]
/// instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionStart {
    /// The first state.
    pub state: VersionState,
    /// Time in the first state. Without effect on [`VersionState::Active`].
    pub lasts: Duration,
}

impl Default for VersionStart {
    fn default() -> Self {
        Self { state: VersionState::Active, lasts: Duration::ZERO }
    }
}

/// AWS's `State` of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// Accepts invocations.
    Active,
    /// In creation.
    Pending,
    /// Idle for long, without resources.
    Inactive,
    /// About to be deactivated.
    Deactivating,
    /// Without resources.
    Deactivated,
    /// Active, but refuses invocations.
    ActiveNonInvocable,
    /// The creation failed.
    Failed,
    /// In deletion.
    Deleting,
}

/// The form of the refusal of more memory than the account allows. Both forms were reported from
/// accounts that stop at 3,008 MB, the first form much more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryRefusal {
    /// An `InvalidParameterValueException` that begins with `'MemorySize' value`.
    InvalidParameterValue,
    /// A `ValidationException` with the value and `'memorySize'`, as other accounts get for 10,241
    /// MB.
    Validation,
}
