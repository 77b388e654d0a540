use serde_json::json;

use super::*;
use crate::exception::ExceptionKind;

fn check(body: Value) -> Result<ConfigurationChange, Exception> {
    check_as(MemoryRefusal::InvalidParameterValue, body)
}

fn check_as(memory_refusal: MemoryRefusal, body: Value) -> Result<ConfigurationChange, Exception> {
    let input: ConfigurationInput = serde_json::from_value(body).unwrap();
    let account = AwsAccount {
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
        (json!({"Runtime": "dotnet8"}), "python3.13"),
        (json!({"Runtime": "PYTHON3.9"}), "Value PYTHON3.9 at 'runtime' failed to satisfy"),
        (json!({"Runtime": "nodejs14.x"}), "The runtime parameter of nodejs14.x is no longer"),
        (json!({"SnapStart": {"ApplyOn": "PublishedVersions"}}), "SnapStart"),
        (json!({"Layers": ["arn"]}), "Layers"),
        (json!({"VpcConfig": {"SubnetIds": ["subnet-1"]}}), "VpcConfig"),
        (json!({"DurableConfig": {"ExecutionTimeout": 1}}), "DurableConfig"),
        (json!({"Environment": {"Variables": {"AWS_REGION": "r"}}}), "AWS_REGION"),
        // The limit is 4,096 bytes, with `{"BIG":""}`.
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
