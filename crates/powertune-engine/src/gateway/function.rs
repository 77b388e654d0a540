//! A function's configuration, as a run needs to know it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
    time::Duration,
};

use aws_sdk_lambda::types::{
    Architecture as SdkArchitecture, FunctionConfiguration, LastUpdateStatus, LogFormat,
    SnapStartApplyOn, State as SdkState, SystemLogLevel,
};
use jiff::Timestamp;
use powertune_core::{architecture::Architecture, power::Power, region::Region};
use sha2::{Digest, Sha256};

use super::error::{ApiError, ErrorKind};
use crate::journal::Read;

/// The code and configuration of `$LATEST` or of a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Unqualified.
    pub arn: String,
    /// The region that the ARN names.
    pub region: Region,
    /// `$LATEST` or a version's number.
    pub version: String,
    /// Its memory size.
    pub power: Power,
    /// Its instruction set architecture.
    pub architecture: Architecture,
    /// How long it may run.
    pub timeout: Duration,
    /// Changes with every change of the function; absent where the endpoint keeps none.
    pub revision_id: Option<String>,
    /// Of the deployment package, where the endpoint says it.
    pub code_sha256: Option<String>,
    /// What a publisher wrote about a version.
    pub description: String,
    /// Whether it can be invoked, or changed.
    pub readiness: Readiness,
    /// The most concurrent executions reserved for it, if any are.
    pub reserved_concurrency: Option<u32>,
    /// Storage at /tmp in MB.
    pub ephemeral_storage_mb: u32,
    /// Whether published versions start from snapshots.
    pub snap_start: bool,
    /// Why this method can't tune it, if it can't.
    pub unsupported: Option<String>,
    /// When it was last changed, where the endpoint says it.
    pub last_modified: Option<Timestamp>,
    /// A digest of everything else about it, to compare with those of this process.
    pub fingerprint: String,
    /// The function's tags, where the answer tells them.
    pub(crate) tags: Option<HashMap<String, String>>,
}

/// Whether a function or version can be invoked or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// Lambda is at work on it.
    Busy,
    /// Lambda could not make it work.
    Failed(String),
}

impl Function {
    /// Whether the two have the same code and configuration, memory size aside.
    pub fn same_but_for_power(&self, other: &Self) -> bool {
        self.code_sha256 == other.code_sha256 && self.fingerprint == other.fingerprint
    }

    pub(super) fn read(
        configuration: FunctionConfiguration,
        reserved_concurrency: Option<u32>,
        tags: Option<HashMap<String, String>>,
    ) -> Result<Self, ApiError> {
        let missing = |what: &str| ApiError {
            operation: "GetFunction",
            kind: ErrorKind::Unknown,
            message: format!("the answer has no usable {what}"),
        };
        let version = configuration.version.clone().unwrap_or_else(|| "$LATEST".to_owned());
        let arn = configuration.function_arn.clone().ok_or_else(|| missing("FunctionArn"))?;
        let arn = unqualified(&arn);
        let region = arn.split(':').nth(3).and_then(|region| Region::new(region).ok());
        let power = configuration.memory_size.and_then(|mb| Power::new(mb).ok());
        let unsupported = unsupported(&configuration);
        let architecture = match configuration.architectures().first() {
            Some(SdkArchitecture::Arm64) => Architecture::Arm64,
            // Lambda's default, and what older endpoints mean by saying nothing.
            _ => Architecture::X86_64,
        };
        let timeout_s = configuration.timeout.and_then(|timeout| u64::try_from(timeout).ok());
        Ok(Self {
            region: region.ok_or_else(|| missing("region in its FunctionArn"))?,
            arn,
            version,
            power: power.ok_or_else(|| missing("MemorySize"))?,
            architecture,
            timeout: Duration::from_secs(timeout_s.ok_or_else(|| missing("Timeout"))?),
            revision_id: configuration.revision_id.clone(),
            code_sha256: configuration.code_sha256.clone(),
            description: configuration.description.clone().unwrap_or_default(),
            readiness: readiness(&configuration),
            reserved_concurrency,
            ephemeral_storage_mb: configuration
                .ephemeral_storage
                .as_ref()
                .and_then(|storage| u32::try_from(storage.size).ok())
                .unwrap_or(512),
            snap_start: has_snap_start(&configuration),
            unsupported,
            last_modified: configuration.last_modified().and_then(timestamp),
            fingerprint: fingerprint(comparable(configuration)),
            tags,
        })
    }
}

impl From<&Function> for Read {
    fn from(latest: &Function) -> Self {
        Self {
            power: latest.power,
            revision_id: latest.revision_id.clone(),
            last_modified: latest.last_modified,
        }
    }
}

/// A time as Lambda writes it, `2026-11-25T12:00:00.000+0000`.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()
}

/// Without the eighth part of a function ARN, its qualifier.
fn unqualified(arn: &str) -> String {
    arn.split(':').take(7).collect::<Vec<_>>().join(":")
}

fn readiness(configuration: &FunctionConfiguration) -> Readiness {
    match (of_state(configuration), of_update(configuration)) {
        (Readiness::Failed(reason), _) | (_, Readiness::Failed(reason)) => {
            Readiness::Failed(reason)
        }
        (Readiness::Busy, _) | (_, Readiness::Busy) => Readiness::Busy,
        (Readiness::Ready, Readiness::Ready) => Readiness::Ready,
    }
}

/// What `State` says. AWS: "Functions can only be successfully invoked while active".
fn of_state(configuration: &FunctionConfiguration) -> Readiness {
    let failed = |what: &str| {
        Readiness::Failed(match &configuration.state_reason {
            Some(reason) => format!("{what}: {reason}"),
            None => what.to_owned(),
        })
    };
    match &configuration.state {
        // Older endpoints say nothing. What is Inactive has been idle: AWS refuses the invocation
        // that wakes it, which is sent again, and makes it Pending.
        None | Some(SdkState::Active | SdkState::Inactive) => Readiness::Ready,
        // Deactivating ends in Deactivated, unless somebody turns it back.
        Some(SdkState::Pending | SdkState::Deactivating) => Readiness::Busy,
        Some(SdkState::Failed) => failed("its State is Failed"),
        Some(SdkState::Deactivated) => failed("its State is Deactivated, so that nothing runs it"),
        Some(SdkState::ActiveNonInvocable) => {
            failed("its State is ActiveNonInvocable, so that it can't be invoked")
        }
        Some(SdkState::Deleting) => failed("its State is Deleting, so that it will be gone"),
        Some(other) => failed(&format!(
            "its State is {}, which this version of powertune does not know; a newer one may",
            other.as_str()
        )),
    }
}

fn of_update(configuration: &FunctionConfiguration) -> Readiness {
    let reason = configuration.last_update_status_reason.as_deref();
    match &configuration.last_update_status {
        None | Some(LastUpdateStatus::Successful) => Readiness::Ready,
        Some(LastUpdateStatus::InProgress) => Readiness::Busy,
        Some(LastUpdateStatus::Failed) => {
            Readiness::Failed(reason.unwrap_or("no reason").to_owned())
        }
        Some(other) => Readiness::Failed(format!(
            "its LastUpdateStatus is {}, which this version of powertune does not know; a newer \
             one may",
            other.as_str()
        )),
    }
}

fn has_snap_start(configuration: &FunctionConfiguration) -> bool {
    configuration
        .snap_start
        .as_ref()
        .is_some_and(|snap| snap.apply_on == Some(SnapStartApplyOn::PublishedVersions))
}

/// Kinds of functions that are not priced by their memory and time, states that nothing can be
/// invoked in, and log settings that keep the REPORT away.
fn unsupported(configuration: &FunctionConfiguration) -> Option<String> {
    if configuration.capacity_provider_config.is_some() {
        return Some(
            "it runs on Lambda Managed Instances (CapacityProviderConfig), which are paid by \
             instance and not by memory and duration"
                .to_owned(),
        );
    }
    if configuration.durable_config.is_some() {
        return Some(
            "it is a durable function (DurableConfig): one execution spans many invocations"
                .to_owned(),
        );
    }
    if configuration.tenancy_config.is_some() {
        return Some(
            "it isolates tenants (TenancyConfig): every invocation needs a tenant id, which \
             powertune does not send"
                .to_owned(),
        );
    }
    if let Readiness::Failed(reason) = of_state(configuration) {
        return Some(reason);
    }
    let logging = configuration.logging_config.as_ref()?;
    let quiet = matches!(logging.system_log_level, Some(SystemLogLevel::Warn));
    (logging.log_format == Some(LogFormat::Json) && quiet).then(|| {
        "its LoggingConfig.SystemLogLevel is WARN, which sends no report of what an invocation \
         took; set it to INFO"
            .to_owned()
    })
}

/// What the digests of this process are keyed with, so that no guess at a secret can be tried on
/// one that gets out of it.
static KEY: LazyLock<[u8; 32]> = LazyLock::new(rand::random);

/// A digest of a configuration, to compare within this process: nothing of it can be read back, and
/// another process has another one.
fn fingerprint(mut configuration: FunctionConfiguration) -> String {
    // Variables are no part of the text: they may be secret, and come in any order.
    let environment =
        configuration.environment.take().and_then(|environment| environment.variables);
    let variables: BTreeMap<String, String> = environment.unwrap_or_default().into_iter().collect();
    let digest = Sha256::new()
        .chain_update(*KEY)
        .chain_update(format!("{configuration:?}{variables:?}"))
        .finalize();
    digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The configuration without the code, and without what changes by itself, with the memory size, or
/// from version to version.
fn comparable(mut configuration: FunctionConfiguration) -> FunctionConfiguration {
    configuration.memory_size = None;
    // Code is compared by itself.
    configuration.code_sha256 = None;
    configuration.code_size = 0;
    configuration.function_arn = None;
    configuration.master_arn = None;
    configuration.version = None;
    configuration.description = None;
    configuration.revision_id = None;
    configuration.last_modified = None;
    configuration.state = None;
    configuration.state_reason = None;
    configuration.state_reason_code = None;
    configuration.last_update_status = None;
    configuration.last_update_status_reason = None;
    configuration.last_update_status_reason_code = None;
    // A newer runtime can arrive with any update, by itself.
    configuration.runtime_version_config = None;
    if let Some(snap_start) = &mut configuration.snap_start {
        snap_start.optimization_status = None;
    }
    configuration.config_sha256 = None;
    configuration
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::EnvironmentResponse;

    use super::*;

    fn printed(timeout: i32, memory: i32, variables: &[(&str, &str)]) -> String {
        let mut environment = EnvironmentResponse::builder();
        for (name, value) in variables {
            environment = environment.variables(*name, *value);
        }
        let configuration = FunctionConfiguration::builder()
            .timeout(timeout)
            .memory_size(memory)
            .environment(environment.build())
            .build();
        fingerprint(comparable(configuration))
    }

    fn read(state: Option<&str>, update: Option<&str>) -> Readiness {
        let configuration = FunctionConfiguration::builder()
            .set_state(state.map(SdkState::from))
            .set_last_update_status(update.map(LastUpdateStatus::from));
        readiness(&configuration.build())
    }

    #[test]
    fn every_state_is_told_from_ready_that_is_not() {
        let successful = Some("Successful");
        for state in [None, Some("Active"), Some("Inactive")] {
            assert_eq!(read(state, successful), Readiness::Ready, "{state:?}");
            assert_eq!(read(state, None), Readiness::Ready, "{state:?}");
            assert_eq!(read(state, Some("InProgress")), Readiness::Busy, "{state:?}");
            assert!(matches!(read(state, Some("Failed")), Readiness::Failed(_)), "{state:?}");
        }
        for state in ["Pending", "Deactivating"] {
            assert_eq!(read(Some(state), successful), Readiness::Busy, "{state}");
        }
        let unfit = ["Failed", "Deactivated", "ActiveNonInvocable", "Deleting", "Dreaming"];
        for state in unfit {
            for update in ["Successful", "InProgress"] {
                let Readiness::Failed(reason) = read(Some(state), Some(update)) else {
                    panic!("{state} is taken for ready");
                };
                assert!(reason.contains(state), "{reason}");
            }
        }
        let Readiness::Failed(reason) = read(Some("Active"), Some("Undone")) else {
            panic!("an unknown LastUpdateStatus is taken for ready");
        };
        assert!(reason.contains("Undone"), "{reason}");
    }

    #[test]
    fn a_function_that_nothing_can_invoke_is_refused_before_anything_is_changed() {
        let of = |state: &str| {
            let configuration = FunctionConfiguration::builder().state(SdkState::from(state));
            unsupported(&configuration.state_reason("for a reason").build())
        };
        for state in ["Failed", "Deactivated", "ActiveNonInvocable", "Deleting", "Dreaming"] {
            let reason = of(state).expect("it is refused");
            assert!(reason.contains(state) && reason.ends_with(": for a reason"), "{reason}");
        }
        for state in ["Active", "Inactive", "Pending", "Deactivating"] {
            assert_eq!(of(state), None, "{state}");
        }
    }

    #[test]
    fn a_time_is_read_as_lambda_writes_it() {
        let expected = "2026-11-25T12:00:00.5Z".parse().ok();
        assert_eq!(timestamp("2026-11-25T12:00:00.500+0000"), expected);
        assert_eq!(timestamp("yesterday"), None);
    }

    #[test]
    fn a_fingerprint_tells_settings_and_secrets_apart_and_memory_not() {
        let variables = [("A", "1"), ("B", "2"), ("C", "3"), ("D", "4")];
        let reversed: Vec<_> = variables.iter().rev().copied().collect();
        let one = printed(3, 128, &variables);
        assert_eq!(one, printed(3, 512, &reversed));
        assert_ne!(one, printed(4, 128, &variables));
        assert_ne!(one, printed(3, 128, &[("A", "2")]));
        assert!(one.len() == 64 && one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
