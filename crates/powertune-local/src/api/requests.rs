//! Request bodies of the operations on functions, and their conversion to the store's types.

mod variables;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{logging::LoggingConfigInput, runtimes::supported_runtime};
use crate::{
    constraint::Violations,
    exception::Exception,
    reference::AwsAccount,
    settings::MemoryRefusal,
    store::{ConfigurationChange, TracingMode, UpdateOptions},
    version::Architecture,
};

/// AWS's limit for every account, in MB.
const LARGEST_MEMORY_MB: u32 = 10_240;

/// Members of `CreateFunction` and `UpdateFunctionConfiguration` that would change the execution
/// and that do not exist here. Only an empty value is accepted.
const UNSUPPORTED: [&str; 10] = [
    "AcceleratorConfig",
    "CapacityProviderConfig",
    "CodeSigningConfigArn",
    "DurableConfig",
    "FileSystemConfigs",
    "ImageConfig",
    "KMSKeyArn",
    "Layers",
    "TenancyConfig",
    "VpcConfig",
];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CreateFunctionRequest {
    pub(crate) function_name: Option<String>,
    pub(crate) code: Option<FunctionCode>,
    pub(crate) package_type: Option<String>,
    pub(crate) architectures: Option<Vec<String>>,
    pub(crate) publish: Option<bool>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    pub(crate) configuration: ConfigurationInput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateFunctionConfigurationRequest {
    pub(crate) revision_id: Option<String>,
    #[serde(flatten)]
    pub(crate) configuration: ConfigurationInput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateFunctionCodeRequest {
    #[serde(flatten)]
    pub(crate) code: FunctionCode,
    pub(crate) architectures: Option<Vec<String>>,
    revision_id: Option<String>,
    dry_run: Option<bool>,
    publish: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct FunctionCode {
    /// Base64.
    pub(crate) zip_file: Option<String>,
    pub(crate) s3_bucket: Option<String>,
    pub(crate) image_uri: Option<String>,
}

/// The members that `CreateFunction` and `UpdateFunctionConfiguration` share.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ConfigurationInput {
    pub(crate) runtime: Option<String>,
    pub(crate) handler: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) timeout: Option<i64>,
    pub(crate) memory_size: Option<i64>,
    pub(crate) environment: Option<EnvironmentInput>,
    pub(crate) tracing_config: Option<TracingConfigInput>,
    pub(crate) ephemeral_storage: Option<EphemeralStorageInput>,
    pub(crate) snap_start: Option<SnapStartInput>,
    pub(crate) logging_config: Option<LoggingConfigInput>,
    pub(crate) dead_letter_config: Option<DeadLetterConfigInput>,
    #[serde(flatten)]
    pub(crate) others: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct EnvironmentInput {
    pub(crate) variables: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TracingConfigInput {
    mode: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct EphemeralStorageInput {
    size: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SnapStartInput {
    apply_on: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DeadLetterConfigInput {
    target_arn: Option<String>,
}

impl ConfigurationInput {
    /// Checks the constraints of the API's model first and the other rules after them, as AWS does.
    pub(crate) fn check(
        self,
        account: &AwsAccount,
        mut violations: Violations,
    ) -> Result<ConfigurationChange, Exception> {
        self.check_texts(&mut violations);
        let mut number = |member, value: Option<i64>, min, max| {
            value.map(|value| violations.number(member, value, min, max))
        };
        let timeout_s = number("timeout", self.timeout, 1, 900);
        let largest_memory_mb = match account.memory_refusal {
            MemoryRefusal::InvalidParameterValue => LARGEST_MEMORY_MB,
            MemoryRefusal::Validation => account.largest_memory_mb,
        };
        let memory_mb = number("memorySize", self.memory_size, 128, largest_memory_mb);
        let storage = self.ephemeral_storage.and_then(|storage| storage.size);
        let ephemeral_storage_mb = number("ephemeralStorage.size", storage, 512, 10_240);
        let tracing = self.tracing_config.and_then(|config| config.check(&mut violations));
        let environment = self.environment.map(|environment| {
            let variables = environment.variables.unwrap_or_default();
            variables::check_names(&variables, &mut violations);
            variables
        });
        if let Some(apply_on) = self.snap_start.as_ref().and_then(|it| it.apply_on.as_deref()) {
            let choices = [("PublishedVersions", ()), ("None", ())];
            violations.choice("snapStart.applyOn", apply_on, &choices);
        }
        let logging =
            self.logging_config.map(|config| config.check(&mut violations)).transpose()?;
        violations.finish()?;
        must_be_within_account(memory_mb, account)?;
        environment.as_ref().map_or(Ok(()), variables::must_be_settable)?;
        must_be_supported(self.snap_start.as_ref(), &self.others)?;
        Ok(ConfigurationChange {
            runtime: self.runtime.as_deref().map(supported_runtime).transpose()?,
            handler: self.handler,
            role: self.role,
            description: self.description,
            timeout_s,
            memory_mb,
            environment,
            tracing,
            ephemeral_storage_mb,
            logging,
            dead_letter_target: self
                .dead_letter_config
                .map(|config| config.target_arn.unwrap_or_default()),
            ..ConfigurationChange::default()
        })
    }

    fn check_texts(&self, violations: &mut Violations) {
        if let Some(role) = self.role.as_deref().filter(|role| !is_role_arn(role)) {
            let pattern = "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
            violations.pattern("role", role, pattern);
        }
        if let Some(handler) = &self.handler {
            violations.length("handler", handler, 128);
            if handler.is_empty() || handler.contains(char::is_whitespace) {
                violations.pattern("handler", handler, "[^\\s]+");
            }
        }
        if let Some(description) = &self.description {
            violations.length("description", description, 256);
        }
    }
}

impl TracingConfigInput {
    fn check(self, violations: &mut Violations) -> Option<TracingMode> {
        let modes = [("Active", TracingMode::Active), ("PassThrough", TracingMode::PassThrough)];
        violations.choice("tracingConfig.mode", &self.mode?, &modes)
    }
}

impl UpdateFunctionCodeRequest {
    pub(crate) fn options(&self) -> UpdateOptions {
        UpdateOptions {
            revision_id: self.revision_id.clone(),
            dry_run: self.dry_run.unwrap_or(false),
            publish: self.publish.unwrap_or(false),
        }
    }
}

/// The one element of `Architectures`.
pub(crate) fn architecture(
    architectures: Option<&[String]>,
    violations: &mut Violations,
) -> Option<Architecture> {
    let all = [("x86_64", Architecture::X86_64), ("arm64", Architecture::Arm64)];
    let given = architectures?;
    let value = format!("[{}]", given.join(", "));
    match given {
        [] => None,
        [one] => {
            let known = all.iter().find(|(name, _)| name == one).map(|(_, it)| *it);
            if known.is_none() {
                let constraint = "satisfy constraint: [Member must satisfy enum value set: \
                                  [x86_64, arm64], Member must not be null]";
                violations.add("architectures", value, constraint);
            }
            known
        }
        _ => {
            violations.add("architectures", value, "have length less than or equal to 1");
            None
        }
    }
}

fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(*parts, ["arn", partition, "iam", "", account, role]
        if partition.starts_with("aws")
            && account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && role.strip_prefix("role").is_some_and(|name| name.len() > 1))
}

/// Refuses more memory than the account allows, with the message of accounts that stop at 3,008 MB.
fn must_be_within_account(memory_mb: Option<u32>, account: &AwsAccount) -> Result<(), Exception> {
    let largest = account.largest_memory_mb;
    if memory_mb.is_none_or(|memory_mb| memory_mb <= largest) {
        return Ok(());
    }
    Err(Exception::invalid_parameter(format!(
        "'MemorySize' value failed to satisfy constraint: Member must have value less than or \
         equal to {largest}"
    )))
}

/// Refuses settings that would change the execution and that do not exist here.
fn must_be_supported(
    snap_start: Option<&SnapStartInput>,
    others: &BTreeMap<String, Value>,
) -> Result<(), Exception> {
    let snap_start = snap_start.and_then(|config| config.apply_on.as_deref());
    if snap_start.is_some_and(|apply_on| apply_on != "None") {
        return Err(Exception::invalid_parameter(
            "SnapStart does not exist here: leave SnapStart out, or set ApplyOn to None.",
        ));
    }
    let given = UNSUPPORTED.into_iter().find(|member| others.get(*member).is_some_and(says_much));
    given.map_or(Ok(()), |member| {
        Err(Exception::invalid_parameter(format!(
            "{member} does not exist here: leave it out, or leave it empty."
        )))
    })
}

/// True if a value is more than an empty value.
fn says_much(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(says_much),
        Value::Object(members) => members.values().any(says_much),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests;
