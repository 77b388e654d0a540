//! A policy's statements, before any template gives its resources a form.

use powertune_core::workflow::Step;

use crate::permission::{Permission, Scope, permissions};

/// What IAM matches against the ARN of a version or an alias of any function, and against no
/// function's: the last part needs a colon after the function's name. It lacks the partition.
pub(crate) const ANY_QUALIFIED: &str = "lambda:*:*:function:*:*";

/// How actions begin that no function itself may suffer.
pub(crate) const DELETES: &str = "lambda:Delete";

/// What Lambda's runtime calls with a function's role.
pub(crate) const LOG: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];

/// What Lambda calls with a function's role to have the function in a VPC.
pub(crate) const NETWORK: [&str; 6] = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
];

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// What it is about.
    pub(crate) sid: &'static str,
    /// What is allowed, or denied where the resource is [`Resource::Unqualified`].
    pub(crate) actions: Vec<&'static str>,
    /// On what.
    pub(crate) on: Resource,
}

/// What a statement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// What a permission's scope says.
    Scope(Scope),
    /// Everything that is no version of a function: denied, whatever else is allowed.
    Unqualified,
    /// The streams of the step's own log group.
    Log(Step),
    /// Network interfaces, if the functions are in a VPC.
    Network,
}

/// The statements of a step's role.
pub(crate) fn of_step(step: Step) -> Vec<Statement> {
    let mut statements = of_permissions(permissions(step));
    statements.push(Statement { sid: "Log", actions: LOG.to_vec(), on: Resource::Log(step) });
    statements.push(Statement { sid: "Network", actions: NETWORK.to_vec(), on: Resource::Network });
    statements
}

/// The statements of some permissions: one a scope.
pub(crate) fn of_permissions(permissions: &[Permission]) -> Vec<Statement> {
    let mut statements = Vec::new();
    for scope in Scope::ALL {
        let actions: Vec<_> = permissions
            .iter()
            .filter(|permission| permission.on == scope)
            .map(|permission| permission.action)
            .collect();
        if actions.is_empty() {
            continue;
        }
        let deletes = |action: &&str| action.starts_with(DELETES);
        let deleting: Vec<_> = actions.iter().copied().filter(deletes).collect();
        if !deleting.is_empty() {
            // A pattern such as arn:aws:lambda:* would let functions in with their versions.
            statements.push(Statement {
                sid: "NeverTheFunction",
                actions: deleting,
                on: Resource::Unqualified,
            });
        }
        statements.push(Statement { sid: scope.name(), actions, on: Resource::Scope(scope) });
    }
    statements
}
