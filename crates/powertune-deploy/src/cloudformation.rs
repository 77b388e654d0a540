//! The common part of the templates for SAM and the Serverless Framework: plain CloudFormation for
//! everything but the functions, which each tool packages in its own way.

use powertune_core::workflow::Step;
use serde_json::{Map, Value, json};

use crate::{
    asl,
    parameter::{self, Parameter},
    permission::Scope,
    policy::{self, ANY_QUALIFIED, Resource, Statement},
};

/// The logical id of the state machine.
pub(crate) const STATE_MACHINE: &str = "StateMachine";

/// The differences between the two templates.
pub(crate) struct Names {
    /// The logical id of a step's function.
    pub(crate) function: fn(Step) -> String,
    /// The name of a step's log group.
    pub(crate) log_group: fn(Step) -> Value,
}

/// The conditions of the resources.
pub(crate) fn conditions() -> Value {
    let given = |parameter| json!({ "Fn::Not": [equals(parameter, "")] });
    json!({
        "AnyFunction": equals(&parameter::LAMBDA_RESOURCE, "*"),
        "HasProcessors": given(&parameter::PROCESSOR_RESOURCE),
        "AnyProcessor": equals(&parameter::PROCESSOR_RESOURCE, "*"),
        "HasPayloads": given(&parameter::PAYLOAD_S3_BUCKET),
        "HasBoundary": given(&parameter::PERMISSIONS_BOUNDARY),
        "InVpc": given(&parameter::SUBNET_IDS),
        "HasSecurityGroups": given(&parameter::SECURITY_GROUP_IDS),
    })
}

fn equals(parameter: &Parameter, value: &str) -> Value {
    json!({ "Fn::Equals": [reference(parameter), value] })
}

/// All resources except the functions.
pub(crate) fn resources(names: &Names) -> Map<String, Value> {
    let mut resources = Map::new();
    for step in Step::ALL {
        resources.insert(log_group_id(step), log_group(step, names));
        resources.insert(role_id(step), role(step));
    }
    resources.insert("StateMachineRole".into(), state_machine_role(names));
    resources.insert(STATE_MACHINE.into(), state_machine(names));
    resources.insert("CleanUpRule".into(), clean_up_rule(names));
    resources.insert("CleanUpPermission".into(), clean_up_permission(names));
    resources
}

/// The outputs of the stack, for the user who deploys it.
pub(crate) fn outputs() -> Value {
    json!({
        "StateMachineARN": {
            "Description": "The state machine, for powertune run --state-machine",
            "Value": { "Ref": STATE_MACHINE },
        },
    })
}

/// The VPC configuration of the functions, under a condition.
pub(crate) fn vpc_config() -> Value {
    let list = |parameter| json!({ "Fn::Split": [",", reference(parameter)] });
    only_if(
        "InVpc",
        &json!({
            "SubnetIds": list(&parameter::SUBNET_IDS),
            "SecurityGroupIds": only_if("HasSecurityGroups", &list(&parameter::SECURITY_GROUP_IDS)),
        }),
    )
}

pub(crate) fn reference(parameter: &Parameter) -> Value {
    json!({ "Ref": parameter.name })
}

pub(crate) fn attribute(resource: &str, name: &str) -> Value {
    json!({ "Fn::GetAtt": [resource, name] })
}

pub(crate) fn role_id(step: Step) -> String {
    format!("{}Role", step.name())
}

pub(crate) fn log_group_id(step: Step) -> String {
    format!("{}LogGroup", step.name())
}

fn only_if(condition: &str, value: &Value) -> Value {
    json!({ "Fn::If": [condition, value, { "Ref": "AWS::NoValue" }] })
}

/// The log group of a step. The template creates it, because Lambda would create it without a
/// retention time, and has no permission to create it again after the stack is deleted.
fn log_group(step: Step, names: &Names) -> Value {
    json!({
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "LogGroupName": (names.log_group)(step),
            "RetentionInDays": reference(&parameter::LOG_GROUP_RETENTION_IN_DAYS),
        },
    })
}

fn role(step: Step) -> Value {
    let statements: Vec<_> = policy::of_step(step).iter().map(statement).collect();
    assumable_role("lambda.amazonaws.com", &statements)
}

fn assumable_role(service: &str, statements: &[Value]) -> Value {
    json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": service },
                    "Action": "sts:AssumeRole",
                }],
            },
            "PermissionsBoundary":
                only_if("HasBoundary", &reference(&parameter::PERMISSIONS_BOUNDARY)),
            "Policies": [{
                "PolicyName": "powertune",
                "PolicyDocument": { "Version": "2012-10-17", "Statement": statements },
            }],
        },
    })
}

fn statement(statement: &Statement) -> Value {
    let allow = |resource: Value| {
        json!({
            "Sid": statement.sid,
            "Effect": "Allow",
            "Action": statement.actions,
            "Resource": resource,
        })
    };
    let any_qualified = json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:{ANY_QUALIFIED}") });
    let qualified =
        |parameter: &Parameter| json!({ "Fn::Sub": format!("${{{}}}:*", parameter.name) });
    let functions = |is_any: &str, named: Value, parameter| {
        let qualified = qualified(parameter);
        json!({ "Fn::If": [is_any, "*", [named, qualified]] })
    };
    match statement.on {
        Resource::Scope(Scope::Account) => allow("*".into()),
        Resource::Scope(Scope::Function) => {
            let tuned = &parameter::LAMBDA_RESOURCE;
            allow(functions("AnyFunction", reference(tuned), tuned))
        }
        Resource::Scope(Scope::Version) => {
            let tuned = qualified(&parameter::LAMBDA_RESOURCE);
            allow(json!({ "Fn::If": ["AnyFunction", any_qualified, tuned] }))
        }
        Resource::Scope(Scope::Processor) => {
            let processors = &parameter::PROCESSOR_RESOURCE;
            // cfn-lint reports a plain text here if the Serverless Framework leaves it unchanged,
            // although the condition omits it.
            let named = json!({ "Fn::Sub": format!("${{{}}}", processors.name) });
            only_if("HasProcessors", &allow(functions("AnyProcessor", named, processors)))
        }
        Resource::Scope(Scope::Payload) => {
            let payloads = format!(
                "arn:${{AWS::Partition}}:s3:::${{{}}}/${{{}}}",
                parameter::PAYLOAD_S3_BUCKET.name,
                parameter::PAYLOAD_S3_KEY.name
            );
            only_if("HasPayloads", &allow(json!({ "Fn::Sub": payloads })))
        }
        Resource::Unqualified => json!({
            "Sid": statement.sid,
            "Effect": "Deny",
            "Action": statement.actions,
            "NotResource": any_qualified,
        }),
        // CloudFormation's ARN of a log group ends with `:*`, which matches its streams.
        Resource::Log(step) => allow(attribute(&log_group_id(step), "Arn")),
        Resource::Network => only_if("InVpc", &allow("*".into())),
    }
}

fn state_machine_role(names: &Names) -> Value {
    let functions: Vec<_> =
        Step::ALL.into_iter().map(|step| attribute(&(names.function)(step), "Arn")).collect();
    assumable_role(
        "states.amazonaws.com",
        &[json!({
            "Sid": "Steps",
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": functions,
        })],
    )
}

/// The definition is a string: CloudFormation turns numbers in an object into strings.
fn state_machine(names: &Names) -> Value {
    let substitutions: Map<_, _> = Step::ALL
        .into_iter()
        .map(|step| (asl::placeholder(step), attribute(&(names.function)(step), "Arn")))
        .collect();
    json!({
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            // The third part of a stack's id is its GUID.
            "StateMachineName": { "Fn::Join": ["-", [
                reference(&parameter::STATE_MACHINE_NAME_PREFIX),
                { "Fn::Select": [2, { "Fn::Split": ["/", { "Ref": "AWS::StackId" }] }] },
            ]] },
            "RoleArn": attribute("StateMachineRole", "Arn"),
            "DefinitionString": asl::text(),
            "DefinitionSubstitutions": substitutions,
        },
    })
}

/// The rule that cleans up after an execution that was stopped or timed out, since such an
/// execution reaches no further state. An execution that failed by itself is cleaned twice, which
/// does no harm.
fn clean_up_rule(names: &Names) -> Value {
    json!({
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Description": "Puts functions back after a stopped tuning run",
            "EventPattern": {
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "status": ENDED_BADLY,
                    "stateMachineArn": [{ "Ref": STATE_MACHINE }],
                },
            },
            "Targets": [{
                "Id": "Clean",
                "Arn": attribute(&(names.function)(Step::Clean), "Arn"),
            }],
        },
    })
}

/// The statuses of executions that may have ended without a clean-up.
pub(crate) const ENDED_BADLY: [&str; 3] = ["FAILED", "ABORTED", "TIMED_OUT"];

fn clean_up_permission(names: &Names) -> Value {
    json!({
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": attribute(&(names.function)(Step::Clean), "Arn"),
            "Principal": "events.amazonaws.com",
            "SourceArn": attribute("CleanUpRule", "Arn"),
        },
    })
}
