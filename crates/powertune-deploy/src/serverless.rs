//! The service for the Serverless Framework, without plugins. The framework packages the functions;
//! the rest is the CloudFormation of the SAM template.
//!
//! The framework replaces its own parameters before CloudFormation sees the template. So the
//! conditions here compare two fixed texts.

use powertune_core::workflow::Step;
use serde_json::{Map, Value, json};

use crate::{
    DeployTarget,
    cloudformation::{self, Names},
    function::{self, Timeout},
    notice,
    parameter::{self, Parameter, ParameterKind},
    sam::numbers,
    yaml,
};

/// The `code` parameter, the location of the functions' code. Only this service has it.
const CODE: &str = "code";

const HEAD: &str = "\
#
#     cargo lambda build --release --package powertune-functions --output-format zip
#     serverless deploy --param='lambdaResource=arn:aws:lambda:...'
#
# With --param='architecture=arm64', build with --arm64.
";

pub(crate) fn template() -> String {
    let names = Names { function: function_id, log_group };
    let resources = cloudformation::resources(&names);
    let extensions: Map<_, _> = Step::ALL
        .into_iter()
        .map(|step| {
            let vpc = json!({ "Properties": { "VpcConfig": cloudformation::vpc_config() } });
            (function_id(step), vpc)
        })
        .collect();
    let mut plain = json!({
        "Conditions": cloudformation::conditions(),
        "Resources": resources,
        "extensions": extensions,
        "Outputs": cloudformation::outputs(),
    });
    fill_in(&mut plain);
    let service = json!({
        "service": "powertune",
        "frameworkVersion": ">=3.0.0",
        "params": { "default": parameters() },
        "provider": {
            "name": "aws",
            "runtime": function::RUNTIME,
            "architecture": filled_in(&parameter::ARCHITECTURE),
            "region": "${opt:region, env:AWS_REGION, env:AWS_DEFAULT_REGION, 'us-east-1'}",
            // The state machine calls the steps by their unqualified ARNs.
            "versionFunctions": false,
        },
        "package": { "artifact": format!("${{param:{CODE}}}") },
        "functions": functions(),
        "resources": plain,
    });
    format!("{}{HEAD}{}", notice(DeployTarget::Serverless), yaml::document(&service))
}

/// The logical id that the framework gives to a step's function.
fn function_id(step: Step) -> String {
    format!("{}LambdaFunction", step.name())
}

/// The name of the log group that Lambda uses for a step's function.
fn log_group(step: Step) -> Value {
    format!("/aws/lambda/{}", function_name(step)).into()
}

/// The framework's default name, written out because the log group needs it.
fn function_name(step: Step) -> String {
    format!("${{self:service}}-${{sls:stage}}-{}", step.handler())
}

fn functions() -> Map<String, Value> {
    let function = |step: Step| {
        let timeout = match function::timeout(step) {
            Timeout::Seconds(seconds) => seconds.into(),
            Timeout::Chosen(parameter) => filled_in(parameter),
        };
        let mut function = json!({
            "name": function_name(step),
            "handler": step.handler(),
            "memorySize": function::memory_mb(step),
            "timeout": timeout,
            "role": cloudformation::role_id(step),
            // The log group is one of the resources below.
            "disableLogs": true,
        });
        let variables: Map<_, _> = function::variables(step)
            .iter()
            .map(|variable| (variable.name.to_owned(), filled_in(variable.value)))
            .collect();
        if !variables.is_empty() {
            function["environment"] = variables.into();
        }
        (step.handler().to_owned(), function)
    };
    Step::ALL.into_iter().map(function).collect()
}

fn parameters() -> Map<String, Value> {
    let mut parameters: Map<_, _> = parameter::ALL
        .into_iter()
        .map(|parameter| (parameter.name.to_owned(), default(parameter)))
        .collect();
    parameters.insert(CODE.into(), "../../target/lambda/bootstrap/bootstrap.zip".into());
    parameters
}

fn default(parameter: &Parameter) -> Value {
    match &parameter.kind {
        ParameterKind::Text(default)
        | ParameterKind::Pattern { default, .. }
        | ParameterKind::Choice { default, .. } => (*default).into(),
        ParameterKind::Texts => "".into(),
        ParameterKind::Numbers(default) => numbers(default).into(),
        ParameterKind::Number { default, .. } | ParameterKind::NumberAmong { default, .. } => {
            (*default).into()
        }
    }
}

fn filled_in(parameter: &Parameter) -> Value {
    format!("${{param:{}}}", parameter.name).into()
}

/// Replaces CloudFormation's parameters by the framework's.
fn fill_in(value: &mut Value) {
    let referred = value.get("Ref").and_then(Value::as_str);
    if let Some(parameter) = referred.and_then(parameter_named) {
        *value = filled_in(parameter);
        return;
    }
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("Fn::Sub") {
                for parameter in parameter::ALL {
                    let here = format!("${{{}}}", parameter.name);
                    *text = text.replace(&here, &format!("${{param:{}}}", parameter.name));
                }
            }
            fields.values_mut().for_each(fill_in);
        }
        Value::Array(values) => values.iter_mut().for_each(fill_in),
        _ => {}
    }
}

fn parameter_named(name: &str) -> Option<&'static Parameter> {
    parameter::ALL.into_iter().find(|parameter| parameter.name == name)
}
