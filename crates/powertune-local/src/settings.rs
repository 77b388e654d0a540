//! What a caller chooses about the local Lambda before it starts.

use std::{fmt, path::PathBuf, time::Duration};

use uuid::Uuid;

use crate::execution::CpuControl;

/// How the local Lambda is set up; [`Settings::default`] is right for most uses.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Region that ARNs name and that functions see in `AWS_REGION`.
    pub region: String,
    /// Account that ARNs name: twelve digits.
    pub account_id: String,
    /// Key pairs that callers may sign with. If there is none, a random pair is made at start.
    pub credentials: Vec<Credentials>,
    /// A file to which a line of JSON is written for every call: who made it, the operation and the
    /// function. It shows which permissions a program needs.
    pub call_log: Option<PathBuf>,
    /// How long a new version stays `Pending` and an update `InProgress`. On AWS it takes about a
    /// second; the default is short, and not zero so that clients that do not wait are found out.
    pub update_delay: Duration,
    /// The account's limit of concurrent executions.
    pub concurrency: u32,
    /// The most memory that the account's functions can have: AWS lets some accounts have no more
    /// than 3,008 MB.
    pub largest_memory_mb: u32,
    /// How more memory than the account's functions can have is refused.
    pub memory_refusal: MemoryRefusal,
    /// What moves `$LATEST`'s `RevisionId` beside updates of it.
    pub revisions: Revisions,
    /// In which state a version begins that `PublishVersion` makes.
    pub version_start: VersionStart,
    /// The longest that a call, and again its answer, is on the way. Each takes a random time.
    pub latency: Duration,
    /// What holds functions to their share of the CPU.
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

/// What moves `$LATEST`'s `RevisionId` beside updates of it. The default is what AWS does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revisions {
    /// By `TagResource` and `UntagResource`.
    pub tagging: Moves,
    /// By a `PublishVersion` that makes a new version. The version's own `RevisionId` stays.
    pub publishing: Moves,
}

/// What a call moves of `$LATEST`, whose code and configuration it leaves as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moves {
    /// Whether its `RevisionId` becomes another one.
    pub revision_id: bool,
    /// Whether its `LastModified` becomes the time of the call.
    pub last_modified: bool,
}

impl Moves {
    /// Nothing at all.
    pub const NOTHING: Self = Self { revision_id: false, last_modified: false };
}

impl Default for Moves {
    /// `RevisionId` moves, as AWS was seen to do. `LastModified` stays: no source says what AWS
    /// does, but its documentation calls it the time of the last update of the function, and
    /// neither tags nor versions are updates of it.
    fn default() -> Self {
        Self { revision_id: true, last_modified: false }
    }
}

/// In which state a version begins that `PublishVersion` makes, and for how long. Afterwards it is
/// active, and invocations of it are accepted.
///
/// On AWS a version of an ordinary function is active at once, which is the default. A version with
/// SnapStart is pending for minutes. Other states are for tests of what has to wait for a version.
/// Versions that `CreateFunction` and `UpdateFunctionCode` publish do not follow this: they are
/// pending for [`Settings::update_delay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionStart {
    /// The first state.
    pub state: VersionState,
    /// For how long. Without effect on [`VersionState::Active`].
    pub lasts: Duration,
}

impl Default for VersionStart {
    fn default() -> Self {
        Self { state: VersionState::Active, lasts: Duration::ZERO }
    }
}

/// A version's `State`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// It can be invoked.
    Active,
    /// It is being made.
    Pending,
    /// It was idle for long, and its resources were taken back.
    Inactive,
    /// It is about to be deactivated.
    Deactivating,
    /// It was deactivated.
    Deactivated,
    /// It is active but for invocations.
    ActiveNonInvocable,
    /// It could not be made.
    Failed,
    /// It is being deleted.
    Deleting,
}

/// How more memory than the account's functions can have is refused. Both forms were reported from
/// accounts that stop at 3,008 MB; the first one is much the more frequent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryRefusal {
    /// An `InvalidParameterValueException` that begins with `'MemorySize' value`.
    InvalidParameterValue,
    /// A `ValidationException` that names the value and `'memorySize'`, as for 10,241 MB elsewhere.
    Validation,
}

/// A key pair that signs requests.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The public half, by which a caller is known.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
    /// What requests have to bear beside their signature, where there is one.
    pub session_token: Option<String>,
}

impl Credentials {
    /// A pair that nobody else has.
    pub fn random() -> Self {
        Self {
            access_key_id: random_id("AKIA"),
            secret_access_key: random_secret(),
            session_token: None,
        }
    }

    /// A pair and a token that nobody else has, in the form of a role's credentials on AWS.
    pub(crate) fn temporary() -> Self {
        Self {
            access_key_id: random_id("ASIA"),
            secret_access_key: random_secret(),
            session_token: Some(random_secret()),
        }
    }
}

/// A key's id; its beginning says of what kind the key is.
fn random_id(kind: &str) -> String {
    let id = Uuid::new_v4().simple().to_string().to_uppercase();
    format!("{kind}{}", &id[..16])
}

/// 244 bits from the system's source of randomness.
fn random_secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
