//! The least IAM policy for the caller of a command: the calls that the command may make, in all of
//! its endings, and no others.
//!
//! AWS's Service Authorization Reference lists the resources and condition keys of each action
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html> and
//! its neighbours). It does not say when the ARN contains the call's qualifier. AWS's refusals do:
//! GetFunction and Invoke are checked against the qualified ARN, GetAlias and UpdateAlias against
//! the function's ARN. DeleteFunction is assumed to be checked like Invoke.

use powertune_core::{
    arn::FunctionRef,
    region::{Partition, Region},
};
use serde_json::{Value, json};

use crate::parameter::STATE_MACHINE_NAME;

/// The pattern of the keys of powertune's tags.
const TAG_KEYS: &str = "powertune:*";
/// The pattern for any region, account or name in an ARN.
const ANY: &str = "*";

/// A command that calls AWS with its caller's permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PermittedCommand {
    /// `powertune tune`, without payloads in S3 and processors.
    Tune,
    /// `powertune clean`.
    Clean,
    /// `powertune run`.
    Run,
}

/// The resource of some actions: one statement each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// Actions without a resource ARN.
    Account,
    Function,
    /// The function, for powertune's own tags only.
    Tags,
    /// The function's versions and aliases, without the function itself.
    Versions,
    StateMachine,
    Executions,
}

impl PermittedCommand {
    /// All commands.
    pub const ALL: [Self; 3] = [Self::Tune, Self::Clean, Self::Run];

    /// The command's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tune => "tune",
            Self::Clean => "clean",
            Self::Run => "run",
        }
    }

    /// The least policy of the caller as an IAM document, for this function, or for any.
    pub fn policy(self, function: Option<&FunctionRef>) -> Value {
        let statements = self.permissions().iter().map(|&(on, actions)| {
            let mut statement = json!({
                "Sid": on.sid(),
                "Effect": "Allow",
                "Action": actions,
                "Resource": on.resource(function),
            });
            if on == On::Tags {
                statement["Condition"] =
                    json!({ "ForAllValues:StringLike": { "aws:TagKeys": TAG_KEYS } });
            }
            statement
        });
        json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
    }

    const fn permissions(self) -> &'static [(On, &'static [&'static str])] {
        match self {
            Self::Tune => &[
                (On::Account, &["lambda:GetAccountSettings"]),
                (
                    On::Function,
                    &[
                        "lambda:GetFunction",
                        "lambda:ListTags",
                        "lambda:ListVersionsByFunction",
                        "lambda:UpdateFunctionConfiguration",
                        "lambda:PublishVersion",
                        "lambda:GetAlias",
                        "lambda:CreateAlias",
                        "lambda:UpdateAlias",
                    ],
                ),
                (On::Tags, &["lambda:TagResource", "lambda:UntagResource"]),
                (
                    On::Versions,
                    &["lambda:GetFunction", "lambda:InvokeFunction", "lambda:DeleteFunction"],
                ),
            ],
            Self::Clean => &[
                (
                    On::Function,
                    &[
                        "lambda:GetFunction",
                        "lambda:ListTags",
                        "lambda:ListVersionsByFunction",
                        "lambda:UpdateFunctionConfiguration",
                    ],
                ),
                (On::Tags, &["lambda:UntagResource"]),
                (On::Versions, &["lambda:GetFunction", "lambda:DeleteFunction"]),
                (On::Executions, &["states:DescribeExecution"]),
            ],
            Self::Run => &[
                (On::Account, &["states:ListStateMachines"]),
                (On::StateMachine, &["states:StartExecution", "states:ListTagsForResource"]),
                (
                    On::Executions,
                    &[
                        "states:DescribeExecution",
                        "states:GetExecutionHistory",
                        "states:StopExecution",
                    ],
                ),
            ],
        }
    }
}

impl On {
    const fn sid(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::Function => "Function",
            Self::Tags => "Tags",
            Self::Versions => "Versions",
            Self::StateMachine => "StateMachine",
            Self::Executions => "Executions",
        }
    }

    fn resource(self, function: Option<&FunctionRef>) -> String {
        match self {
            Self::Account => ANY.to_owned(),
            Self::Function | Self::Tags => function_arn(function),
            Self::Versions => format!("{}:{ANY}", function_arn(function)),
            Self::StateMachine => states_arn(function, "stateMachine", ANY),
            // An execution's ARN starts with its state machine's name.
            Self::Executions => states_arn(function, "execution", "*:*"),
        }
    }
}

/// The function's ARN, with patterns for the unknown parts.
fn function_arn(function: Option<&FunctionRef>) -> String {
    let (partition, region, account) = place(function);
    let name = function.map_or(ANY, |function| &function.name);
    format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
}

/// The ARN of a Step Functions resource with the templates' default name.
fn states_arn(function: Option<&FunctionRef>, kind: &str, rest: &str) -> String {
    let (partition, region, account) = place(function);
    format!("arn:{partition}:states:{region}:{account}:{kind}:{STATE_MACHINE_NAME}{rest}")
}

/// The partition, region and account. IAM allows no pattern for a partition.
fn place(function: Option<&FunctionRef>) -> (Partition, &str, &str) {
    let partition = function.and_then(FunctionRef::partition).unwrap_or(Partition::Aws);
    let region = function.and_then(|function| function.region.as_ref()).map_or(ANY, Region::as_str);
    let account = function.and_then(|function| function.account.as_deref()).unwrap_or(ANY);
    (partition, region, account)
}
