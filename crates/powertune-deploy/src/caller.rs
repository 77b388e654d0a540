//! What whoever runs a command may do: the calls that the command makes, in any of its endings, and
//! no other. It becomes the least policy of that identity.
//!
//! What each action is checked against, and by which keys, is in AWS's Service Authorization
//! Reference (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html>
//! and its neighbours). It does not say when the ARN has the call's qualifier. AWS's refusals do:
//! GetFunction and Invoke are checked against the qualified ARN, GetAlias and UpdateAlias against
//! the function's. DeleteFunction is taken to be checked as Invoke is.

use powertune_core::{
    arn::FunctionRef,
    region::{Partition, Region},
};
use serde_json::{Value, json};

use crate::parameter::STATE_MACHINE_NAME;

/// Every key of powertune's tags matches it.
const TAG_KEYS: &str = "powertune:*";
/// What stands for any region, account or name in an ARN.
const ANY: &str = "*";

/// A command that calls AWS with the permissions of whoever runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// `powertune tune`, without payloads in S3 and processors.
    Tune,
    /// `powertune clean`.
    Clean,
    /// `powertune run`.
    Run,
}

/// What actions are on: a statement each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// Nothing that has an ARN.
    Account,
    /// The function itself.
    Function,
    /// Its tags, as far as they are powertune's.
    Tags,
    /// Its versions and aliases, but not the function.
    Versions,
    StateMachine,
    Executions,
}

impl Command {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tune, Self::Clean, Self::Run];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tune => "tune",
            Self::Clean => "clean",
            Self::Run => "run",
        }
    }

    /// The least policy of who runs it, as IAM takes it: on this function, or on any.
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
            // The name of an execution follows that of its state machine.
            Self::Executions => states_arn(function, "execution", "*:*"),
        }
    }
}

/// The function's ARN, with a pattern for what is not known of it.
fn function_arn(function: Option<&FunctionRef>) -> String {
    let (partition, region, account) = place(function);
    let name = function.map_or(ANY, |function| &function.name);
    format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
}

/// The ARN of what Step Functions has, under the names that the templates give it.
fn states_arn(function: Option<&FunctionRef>, kind: &str, rest: &str) -> String {
    let (partition, region, account) = place(function);
    format!("arn:{partition}:states:{region}:{account}:{kind}:{STATE_MACHINE_NAME}{rest}")
}

/// Partition, region and account. IAM takes no pattern for a partition.
fn place(function: Option<&FunctionRef>) -> (Partition, &str, &str) {
    let partition = function.and_then(FunctionRef::partition).unwrap_or(Partition::Aws);
    let region = function.and_then(|function| function.region.as_ref()).map_or(ANY, Region::as_str);
    let account = function.and_then(|function| function.account.as_deref()).unwrap_or(ANY);
    (partition, region, account)
}
