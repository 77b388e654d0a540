//! The template for the AWS SAM CLI, and the Makefile with which `sam build` builds the functions.

use powertune_core::workflow::Step;
use serde_json::{Map, Value, json};

use crate::{
    DeployTarget, File,
    cloudformation::{self, Names, attribute, reference},
    function::{self, Timeout},
    notice,
    parameter::{self, Parameter, ParameterKind},
    yaml,
};

/// The folder beside the template with the functions' code.
const FUNCTIONS: &str = "functions";

pub(crate) fn files() -> Vec<File> {
    vec![
        File::new("template.yml", template()),
        File::new(format!("{FUNCTIONS}/Makefile"), makefile()),
    ]
}

fn template() -> String {
    let names = Names { function: function_id, log_group };
    let mut resources: Map<String, Value> =
        Step::ALL.into_iter().map(|step| (function_id(step), function(step))).collect();
    resources.extend(cloudformation::resources(&names));
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "powertune: finds the power (memory size) for a Lambda function",
        // One parameter is unused; it exists for users of aws-lambda-power-tuning.
        "Metadata": { "cfn-lint": { "config": { "ignore_checks": ["W2001"] } } },
        "Parameters": parameters(),
        "Conditions": cloudformation::conditions(),
        "Globals": {
            "Function": {
                "Runtime": function::RUNTIME,
                "Architectures": [reference(&parameter::ARCHITECTURE)],
                "CodeUri": format!("{FUNCTIONS}/"),
                "VpcConfig": cloudformation::vpc_config(),
            },
        },
        "Resources": resources,
        "Outputs": cloudformation::outputs(),
    });
    format!("{}{}", notice(DeployTarget::Sam), yaml::document(&template))
}

fn function_id(step: Step) -> String {
    format!("{}Function", step.name())
}

fn log_group(step: Step) -> Value {
    json!({ "Fn::Sub": format!("/aws/lambda/${{AWS::StackName}}-{}", step.handler()) })
}

fn function(step: Step) -> Value {
    let timeout = match function::timeout(step) {
        Timeout::Seconds(seconds) => seconds.into(),
        Timeout::Chosen(parameter) => reference(parameter),
    };
    let mut properties = json!({
        "Handler": step.handler(),
        "MemorySize": function::memory_mb(step),
        "Timeout": timeout,
        // An explicit role, because SAM's generated role may write to any log.
        "Role": attribute(&cloudformation::role_id(step), "Arn"),
        "LoggingConfig": { "LogGroup": { "Ref": cloudformation::log_group_id(step) } },
    });
    let variables: Map<_, _> = function::variables(step)
        .iter()
        .map(|variable| (variable.name.to_owned(), reference(variable.value)))
        .collect();
    if !variables.is_empty() {
        properties["Environment"] = json!({ "Variables": variables });
    }
    json!({
        "Type": "AWS::Serverless::Function",
        "Metadata": {
            "BuildMethod": "makefile",
            // The root of the repository, with cargo's workspace.
            "WorkingDirectory": "../..",
        },
        "Properties": properties,
    })
}

fn parameters() -> Map<String, Value> {
    parameter::ALL
        .into_iter()
        .map(|parameter| (parameter.name.to_owned(), declaration(parameter)))
        .collect()
}

/// A parameter's declaration. A list is a string here, because the functions' environment and the
/// conditions need strings.
fn declaration(parameter: &Parameter) -> Value {
    let mut declaration = match &parameter.kind {
        ParameterKind::Text(default) => json!({ "Type": "String", "Default": default }),
        ParameterKind::Pattern { default, pattern, meaning } => json!({
            "Type": "String",
            "Default": default,
            "AllowedPattern": pattern,
            "ConstraintDescription": meaning,
        }),
        ParameterKind::Choice { default, among } => {
            json!({ "Type": "String", "Default": default, "AllowedValues": among })
        }
        ParameterKind::Texts => json!({
            "Type": "String",
            "Default": "",
            "AllowedPattern": r"^$|^[^\s,]+(,[^\s,]+)*$",
            "ConstraintDescription": "values with commas and no spaces between them",
        }),
        ParameterKind::Numbers(default) => json!({
            "Type": "String",
            "Default": numbers(default),
            "AllowedPattern": "^ *[0-9]+ *(, *[0-9]+ *)*$",
            "ConstraintDescription": "numbers with commas between them",
        }),
        ParameterKind::Number { default, min, max } => {
            json!({ "Type": "Number", "Default": default, "MinValue": min, "MaxValue": max })
        }
        ParameterKind::NumberAmong { default, among } => {
            json!({ "Type": "Number", "Default": default, "AllowedValues": among })
        }
    };
    declaration["Description"] = parameter.description.into();
    declaration
}

/// Numbers separated by commas.
pub(crate) fn numbers(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// The Makefile of the functions. They share one binary, so all targets run the same commands;
/// after the first, cargo has nothing to build.
fn makefile() -> String {
    let targets: Vec<_> =
        Step::ALL.into_iter().map(|step| format!("build-{}", function_id(step))).collect();
    format!("{}{}", notice(DeployTarget::Sam), MAKEFILE.replace("TARGETS", &targets.join(" ")))
}

const MAKEFILE: &str = "\
# `sam build` runs this for each function, in the repository's root. A `bootstrap` beside this file
# is taken as it is; without one, cargo-lambda builds it.
#
#     sam build
#     ARCHITECTURE=arm64 sam build --parameter-overrides architecture=arm64

ARCHITECTURE ?= x86_64
FLAG_x86_64 = --x86-64
FLAG_arm64 = --arm64
BUILT := $(wildcard $(dir $(lastword $(MAKEFILE_LIST)))bootstrap)

.PHONY: TARGETS

TARGETS:
ifdef BUILT
\tcp \"$(BUILT)\" \"$(ARTIFACTS_DIR)/bootstrap\"
else
\tcargo lambda build --release --package powertune-functions --bin bootstrap \\
\t    $(FLAG_$(ARCHITECTURE)) --lambda-dir \"$(ARTIFACTS_DIR)\" --flatten bootstrap
endif
";
