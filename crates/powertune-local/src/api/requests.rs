//! Request bodies of the functions' own operations, and their way from AWS's shapes to the
//! store's types.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{logging::LoggingConfigInput, runtimes::supported_runtime};
use crate::{
    constraint::{Violations, is_name},
    exception::Exception,
    reference::Account,
    settings::MemoryRefusal,
    store::{ConfigurationChange, TracingMode, UpdateOptions},
    version::Architecture,
};

/// Names that functions may not set: Lambda sets them itself.
const RESERVED_VARIABLES: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// The most memory that a function can have in any account.
const LARGEST_MEMORY_MB: u32 = 10_240;

/// Bytes that a function's environment variables may take as a JSON object.
const ENVIRONMENT_LIMIT: usize = 4096;

/// Members of `CreateFunction` and `UpdateFunctionConfiguration` that change what runs in a way
/// that does not exist here: anything but an empty value is refused.
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

/// Where a function's code is to come from.
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
    /// Checks everything against the constraints of the API's model, then against the rules beyond
    /// it, as AWS does.
    pub(crate) fn check(
        self,
        account: &Account,
        mut violations: Violations,
    ) -> Result<ConfigurationChange, Exception> {
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
        let tracing = self.tracing_config.and_then(|config| config.mode).and_then(|mode| {
            let modes =
                [("Active", TracingMode::Active), ("PassThrough", TracingMode::PassThrough)];
            violations.choice("tracingConfig.mode", &mode, &modes)
        });
        let environment = self.environment.map(|environment| {
            let variables = environment.variables.unwrap_or_default();
            check_variable_names(&variables, &mut violations);
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
        environment.as_ref().map_or(Ok(()), must_be_settable)?;
        must_be_supported(self.snap_start.as_ref(), &self.others)?;
        Ok(ConfigurationChange {
            runtime: self.runtime.as_deref().map(supported_runtime).transpose()?,
            handler: self.handler,
            role: self.role,
            description: self.description,
            timeout_s,
            memory_mb,
            architecture: None,
            environment,
            tracing,
            ephemeral_storage_mb,
            logging,
            dead_letter_target: self
                .dead_letter_config
                .map(|config| config.target_arn.unwrap_or_default()),
            package: None,
        })
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

/// The one architecture of `Architectures`.
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

fn check_variable_names(variables: &BTreeMap<String, String>, violations: &mut Violations) {
    for name in variables.keys().filter(|name| !RESERVED_VARIABLES.contains(&name.as_str())) {
        let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
        if !starts_well || name.len() < 2 || !is_name(name) || name.contains('-') {
            violations.pattern("environment.variables", name, "[a-zA-Z]([a-zA-Z0-9_])+");
        }
    }
}

fn must_be_settable(variables: &BTreeMap<String, String>) -> Result<(), Exception> {
    let reserved: Vec<&str> = variables
        .keys()
        .map(String::as_str)
        .filter(|name| RESERVED_VARIABLES.contains(name))
        .collect();
    if !reserved.is_empty() {
        return Err(Exception::invalid_parameter(format!(
            "Lambda was unable to configure your environment variables because the environment \
             variables you have provided contains reserved keys that are currently not supported \
             for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = json!(variables).to_string();
    if measured.len() > ENVIRONMENT_LIMIT {
        return Err(Exception::invalid_parameter(format!(
            "Lambda was unable to configure your environment variables because the environment \
             variables you have provided exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(())
}

/// Refuses more memory than the account's functions can have, in the words of accounts that stop
/// at 3,008 MB.
fn must_be_within_account(memory_mb: Option<u32>, account: &Account) -> Result<(), Exception> {
    let largest = account.largest_memory_mb;
    if memory_mb.is_none_or(|memory_mb| memory_mb <= largest) {
        return Ok(());
    }
    Err(Exception::invalid_parameter(format!(
        "'MemorySize' value failed to satisfy constraint: Member must have value less than or \
         equal to {largest}"
    )))
}

/// Refuses what would make a function run otherwise than it can here.
fn must_be_supported(
    snap_start: Option<&SnapStartInput>,
    others: &BTreeMap<String, Value>,
) -> Result<(), Exception> {
    let snap_start = snap_start.and_then(|config| config.apply_on.as_deref());
    if snap_start.is_some_and(|apply_on| apply_on != "None") {
        return Err(Exception::invalid_parameter(
            "SnapStart does not exist here: leave SnapStart out, or ApplyOn at None.",
        ));
    }
    let given = UNSUPPORTED.into_iter().find(|member| others.get(*member).is_some_and(says_much));
    given.map_or(Ok(()), |member| {
        Err(Exception::invalid_parameter(format!(
            "{member} does not exist here: leave it out, or empty."
        )))
    })
}

/// Whether a value says more than that there is nothing.
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
mod tests {
    use super::*;
    use crate::exception::ExceptionKind;

    fn check(body: Value) -> Result<ConfigurationChange, Exception> {
        check_as(MemoryRefusal::InvalidParameterValue, body)
    }

    fn check_as(
        memory_refusal: MemoryRefusal,
        body: Value,
    ) -> Result<ConfigurationChange, Exception> {
        let input: ConfigurationInput = serde_json::from_value(body).unwrap();
        let account = Account {
            id: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            largest_memory_mb: 3008,
            memory_refusal,
        };
        input.check(&account, Violations::default())
    }

    fn refusal(body: Value) -> (ExceptionKind, String) {
        let exception = check(body).unwrap_err();
        (exception.kind, exception.message)
    }

    #[test]
    fn what_the_model_forbids_is_a_validation_exception() {
        for (body, constraint) in [
            (json!({"MemorySize": 127}), "'127' at 'memorySize'"),
            (json!({"MemorySize": 10_241}), "less than or equal to 10240"),
            (json!({"Timeout": 0}), "'0' at 'timeout'"),
            (json!({"Timeout": 901}), "less than or equal to 900"),
            (json!({"EphemeralStorage": {"Size": 511}}), "'ephemeralStorage.size'"),
            (json!({"TracingConfig": {"Mode": "On"}}), "enum value set: [Active, PassThrough]"),
            (json!({"Role": "arn:aws:iam::1:role/r"}), "'role'"),
            (json!({"SnapStart": {"ApplyOn": "All"}}), "enum value set: [PublishedVersions, None]"),
            (json!({"Handler": "a b"}), "'handler'"),
            (json!({"Description": "x".repeat(257)}), "less than or equal to 256"),
            (json!({"Environment": {"Variables": {"1A": ""}}}), "'environment.variables'"),
        ] {
            let (kind, message) = refusal(body);
            assert_eq!(kind, ExceptionKind::Validation, "{message}");
            assert!(message.contains(constraint), "{message}");
        }
    }

    #[test]
    fn memory_beyond_the_account_is_refused_in_either_spelling() {
        let body = || json!({"MemorySize": 3009});
        let usual = check(body()).unwrap_err();
        assert_eq!(usual.kind, ExceptionKind::InvalidParameterValue);
        assert_eq!(
            usual.message,
            "'MemorySize' value failed to satisfy constraint: Member must have value less than or \
             equal to 3008"
        );
        let other = check_as(MemoryRefusal::Validation, body()).unwrap_err();
        assert_eq!(other.kind, ExceptionKind::Validation);
        assert!(other.message.contains("'3009' at 'memorySize'"), "{}", other.message);
        assert!(other.message.ends_with("less than or equal to 3008"), "{}", other.message);
    }

    #[test]
    fn what_does_not_run_here_is_an_invalid_parameter() {
        for (body, named) in [
            (json!({"Runtime": "ruby3.4"}), "python3.13"),
            (json!({"Runtime": "PYTHON3.9"}), "Value PYTHON3.9 at 'runtime' failed to satisfy"),
            (json!({"Runtime": "nodejs14.x"}), "The runtime parameter of nodejs14.x is no longer"),
            (json!({"SnapStart": {"ApplyOn": "PublishedVersions"}}), "SnapStart"),
            (json!({"Layers": ["arn"]}), "Layers"),
            (json!({"VpcConfig": {"SubnetIds": ["subnet-1"]}}), "VpcConfig"),
            (json!({"DurableConfig": {"ExecutionTimeout": 1}}), "DurableConfig"),
            (json!({"Environment": {"Variables": {"AWS_REGION": "r"}}}), "AWS_REGION"),
            // 4,096 bytes are allowed, `{"BIG":""}` among them.
            (json!({"Environment": {"Variables": {"BIG": "x".repeat(4087)}}}), "measured: {\"BIG"),
        ] {
            let (kind, message) = refusal(body);
            assert_eq!(kind, ExceptionKind::InvalidParameterValue, "{message}");
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn empty_values_of_what_does_not_exist_here_pass() {
        let change = check(json!({
            "MemorySize": 3008, "Timeout": 900, "Layers": [], "KMSKeyArn": "",
            "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": false},
            "SnapStart": {"ApplyOn": "None"}, "DeadLetterConfig": {}, "Unheard": 1,
        }))
        .unwrap();
        assert!(check(json!({"Environment": {"Variables": {"BIG": "x".repeat(4086)}}})).is_ok());
        assert_eq!((change.memory_mb, change.timeout_s), (Some(3008), Some(900)));
        assert_eq!(change.environment, None);
    }
}
