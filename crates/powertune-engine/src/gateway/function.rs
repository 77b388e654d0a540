//! The parts of a function's configuration that a run needs.

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
pub(crate) struct FunctionConfig {
    pub(crate) arn: String,
    pub(crate) region: Region,
    /// `$LATEST`, or a version's number.
    pub(crate) version: String,
    pub(crate) power: Power,
    pub(crate) architecture: Architecture,
    pub(crate) timeout: Duration,
    /// Lambda's id of this state of the function; `None` if the endpoint has none.
    pub(crate) revision_id: Option<String>,
    /// The SHA-256 of the deployment package, in Base64; `None` if the endpoint omits it.
    pub(crate) code_sha256: Option<String>,
    pub(crate) description: String,
    pub(crate) readiness: Readiness,
    /// The reserved concurrency; `None` if nothing is reserved.
    pub(crate) reserved_concurrency: Option<u32>,
    /// The size of /tmp in MB.
    pub(crate) ephemeral_storage_mb: u32,
    /// True if published versions start from snapshots (SnapStart).
    pub(crate) snap_start: bool,
    pub(crate) unsupported: Option<String>,
    /// The time of the last change; `None` if the endpoint omits it.
    pub(crate) last_modified: Option<Timestamp>,
    /// A digest of the rest of the configuration. It is comparable only within this process.
    pub(crate) fingerprint: String,
    pub(crate) tags: Option<HashMap<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    Busy,
    /// Lambda failed to set it up; the text is Lambda's reason.
    Failed(String),
}

impl FunctionConfig {
    /// True if both have the same code and configuration, apart from the memory size.
    pub(crate) fn same_but_for_power(&self, other: &Self) -> bool {
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
            // Lambda's default; older endpoints omit it.
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

impl From<&FunctionConfig> for Read {
    fn from(latest: &FunctionConfig) -> Self {
        Self {
            power: latest.power,
            revision_id: latest.revision_id.clone(),
            last_modified: latest.last_modified,
        }
    }
}

/// Parses a time in Lambda's form, `2026-11-25T12:00:00.000+0000`.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()
}

/// A function ARN without its qualifier, the eighth part.
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

/// The readiness by `State`. AWS: "Functions can only be successfully invoked while active".
fn of_state(configuration: &FunctionConfiguration) -> Readiness {
    let failed = |what: &str| {
        Readiness::Failed(match &configuration.state_reason {
            Some(reason) => format!("{what}: {reason}"),
            None => what.to_owned(),
        })
    };
    match &configuration.state {
        // Older endpoints omit the state. An Inactive function has been idle: AWS refuses the
        // invocation that wakes it and sets it Pending; the invocation is then sent again.
        None | Some(SdkState::Active | SdkState::Inactive) => Readiness::Ready,
        // Deactivating ends in Deactivated, unless somebody reverts it.
        Some(SdkState::Pending | SdkState::Deactivating) => Readiness::Busy,
        Some(SdkState::Failed) => failed("its State is Failed"),
        Some(SdkState::Deactivated) => failed("its State is Deactivated, so nothing can invoke it"),
        Some(SdkState::ActiveNonInvocable) => {
            failed("its State is ActiveNonInvocable, so nothing can invoke it")
        }
        Some(SdkState::Deleting) => failed("its State is Deleting, so it will not exist any more"),
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

/// The reason why a function can't be tuned: another price model, a state without invocations, or
/// log settings that suppress the REPORT line.
fn unsupported(configuration: &FunctionConfiguration) -> Option<String> {
    if configuration.capacity_provider_config.is_some() {
        return Some(
            "it runs on Lambda Managed Instances (CapacityProviderConfig), which are paid for by \
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
        "its LoggingConfig.SystemLogLevel is WARN, which suppresses the report of an invocation's \
         duration; set it to INFO"
            .to_owned()
    })
}

/// The key of this process's digests. A digest that leaks can't be used to test a guess at a
/// secret.
static KEY: LazyLock<[u8; 32]> = LazyLock::new(rand::random);

/// A keyed digest of a configuration. It reveals nothing, and another process computes another one.
fn fingerprint(mut configuration: FunctionConfiguration) -> String {
    // The variables are hashed apart: their order varies, and their values may be secret.
    let environment =
        configuration.environment.take().and_then(|environment| environment.variables);
    let variables: BTreeMap<String, String> = environment.unwrap_or_default().into_iter().collect();
    let digest = Sha256::new()
        .chain_update(*KEY)
        .chain_update(format!("{configuration:?}{variables:?}"))
        .finalize();
    digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The configuration without the code and without the fields that change by themselves, with the
/// memory size, or from version to version.
fn comparable(mut configuration: FunctionConfiguration) -> FunctionConfiguration {
    configuration.memory_size = None;
    // The code is compared apart.
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
    // Lambda may choose a newer runtime at any update.
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
