//! The shapes of AWS's answers.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::logging::LoggingConfigOutput;
use crate::{
    reference::AwsAccount,
    settings::VersionState,
    store::{AliasRecord, TracingMode, VersionId, VersionPhase, VersionRecord},
    version::Architecture,
};

/// AWS gives this reason for creations and for updates.
const REASON: &str = "The function is being created.";
const REASON_CODE: &str = "Creating";

/// The answer of most operations.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FunctionConfiguration {
    function_name: String,
    function_arn: String,
    runtime: String,
    role: String,
    handler: String,
    code_size: u64,
    description: String,
    timeout: u32,
    memory_size: u32,
    last_modified: String,
    code_sha256: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_config: Option<DeadLetterConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentResponse>,
    tracing_config: TracingConfigResponse,
    revision_id: String,
    package_type: &'static str,
    architectures: [&'static str; 1],
    ephemeral_storage: EphemeralStorage,
    snap_start: SnapStartResponse,
    logging_config: LoggingConfigOutput,
    #[serde(flatten)]
    state: Option<StateAndUpdate>,
}

/// `ListFunctions` and `ListVersionsByFunction` leave these members out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StateAndUpdate {
    runtime_version_config: RuntimeVersionConfig,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status_reason_code: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetterConfig {
    target_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct EnvironmentResponse {
    variables: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TracingConfigResponse {
    mode: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct EphemeralStorage {
    size: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SnapStartResponse {
    apply_on: &'static str,
    optimization_status: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuntimeVersionConfig {
    runtime_version_arn: String,
}

impl FunctionConfiguration {
    /// A version under its ARN, with `qualifier` if there is one.
    pub(crate) fn new(
        version: &VersionRecord,
        account: &AwsAccount,
        name: &str,
        qualifier: Option<&str>,
    ) -> Self {
        let configuration = &version.configuration;
        Self {
            function_name: name.to_owned(),
            function_arn: account.function_arn(name, qualifier),
            runtime: configuration.runtime.identifier.clone(),
            role: configuration.role.clone(),
            handler: configuration.handler.clone(),
            code_size: configuration.package.size,
            description: configuration.description.clone(),
            timeout: configuration.timeout_s,
            memory_size: configuration.memory_mb,
            last_modified: version.last_modified.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string(),
            code_sha256: configuration.package.sha256.clone(),
            version: version.id.text(),
            dead_letter_config: configuration
                .dead_letter_target
                .clone()
                .map(|target_arn| DeadLetterConfig { target_arn }),
            environment: configuration
                .environment
                .clone()
                .map(|variables| EnvironmentResponse { variables }),
            tracing_config: TracingConfigResponse {
                mode: match configuration.tracing {
                    TracingMode::PassThrough => "PassThrough",
                    TracingMode::Active => "Active",
                },
            },
            revision_id: version.revision_id.to_string(),
            package_type: "Zip",
            architectures: [match configuration.architecture {
                Architecture::X86_64 => "x86_64",
                Architecture::Arm64 => "arm64",
            }],
            ephemeral_storage: EphemeralStorage { size: configuration.ephemeral_storage_mb },
            snap_start: SnapStartResponse { apply_on: "None", optimization_status: "Off" },
            logging_config: LoggingConfigOutput::new(&configuration.logging, name),
            state: Some(StateAndUpdate::new(version, account)),
        }
    }

    /// A version in a list, without its state.
    pub(crate) fn listed(
        version: &VersionRecord,
        account: &AwsAccount,
        name: &str,
        qualifier: Option<&str>,
    ) -> Self {
        Self { state: None, ..Self::new(version, account, name, qualifier) }
    }

    pub(crate) fn arn(&self) -> &str {
        &self.function_arn
    }
}

impl StateAndUpdate {
    fn new(version: &VersionRecord, account: &AwsAccount) -> Self {
        let state = match version.phase {
            VersionPhase::Creating { .. } => VersionState::Pending,
            VersionPhase::Starting { state, .. } => state,
            VersionPhase::Updating { .. } | VersionPhase::Settled => VersionState::Active,
        };
        let updating = matches!(version.phase, VersionPhase::Updating { .. });
        Self {
            runtime_version_config: RuntimeVersionConfig {
                runtime_version_arn: runtime_version_arn(
                    account,
                    &version.configuration.runtime.identifier,
                ),
            },
            state: state.name(),
            state_reason: state_reason(state).map(|(reason, _)| reason),
            state_reason_code: state_reason(state).map(|(_, code)| code),
            last_update_status: match state {
                VersionState::Pending => None,
                _ if updating => Some("InProgress"),
                _ => Some("Successful"),
            },
            last_update_status_reason: updating.then_some(REASON),
            last_update_status_reason_code: updating.then_some(REASON_CODE),
        }
    }
}

/// `StateReason` and `StateReasonCode`.
fn state_reason(state: VersionState) -> Option<(&'static str, &'static str)> {
    match state {
        VersionState::Pending => Some((REASON, REASON_CODE)),
        VersionState::Inactive => Some(("The function is idle.", "Idle")),
        VersionState::Failed => Some(("The function could not be created.", "InternalError")),
        VersionState::Active
        | VersionState::Deactivating
        | VersionState::Deactivated
        | VersionState::ActiveNonInvocable
        | VersionState::Deleting => None,
    }
}

/// The ARN of a runtime version. It depends on the runtime's name alone, because a runtime never
/// gets a new version here.
pub(crate) fn runtime_version_arn(account: &AwsAccount, runtime: &str) -> String {
    let id = base16ct::lower::encode_string(&Sha256::digest(runtime));
    format!("arn:{}:lambda:{}::runtime:{id}", account.partition(), account.region)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AliasConfiguration {
    alias_arn: String,
    name: String,
    function_version: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing_config: Option<RoutingConfig>,
    revision_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoutingConfig {
    additional_version_weights: BTreeMap<String, f64>,
}

impl AliasConfiguration {
    pub(crate) fn new(alias: &AliasRecord, account: &AwsAccount, function_name: &str) -> Self {
        Self {
            alias_arn: account.function_arn(function_name, Some(&alias.name)),
            name: alias.name.clone(),
            function_version: alias.version.text(),
            description: alias.description.clone(),
            routing_config: alias.routing.map(|routing| {
                let version = VersionId::Number(routing.version).text();
                RoutingConfig { additional_version_weights: [(version, routing.weight)].into() }
            }),
            revision_id: alias.revision_id.to_string(),
        }
    }
}
