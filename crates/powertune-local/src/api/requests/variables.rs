//! The rules for a function's environment variables.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    constraint::{Violations, is_name},
    exception::Exception,
};

/// Lambda sets these variables itself.
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

/// Longest JSON object of a function's environment variables, in bytes.
const ENVIRONMENT_LIMIT: usize = 4096;

pub(super) fn check_names(variables: &BTreeMap<String, String>, violations: &mut Violations) {
    for name in variables.keys().filter(|name| !RESERVED_VARIABLES.contains(&name.as_str())) {
        let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
        if !starts_well || name.len() < 2 || !is_name(name) || name.contains('-') {
            violations.pattern("environment.variables", name, "[a-zA-Z]([a-zA-Z0-9_])+");
        }
    }
}

pub(super) fn must_be_settable(variables: &BTreeMap<String, String>) -> Result<(), Exception> {
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
