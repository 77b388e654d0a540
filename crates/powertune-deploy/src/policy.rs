//! The statements of a policy, before a template formats their resources.

use powertune_core::workflow::Step;

use crate::permission::{Permission, Scope, permissions};

/// An IAM pattern that matches the ARN of every version and alias, but of no function: its last
/// part needs a colon after the function's name. The partition is missing.
pub(crate) const ANY_QUALIFIED: &str = "lambda:*:*:function:*:*";

/// The prefix of the actions that must never apply to a function itself.
pub(crate) const DELETES: &str = "lambda:Delete";

/// The calls of Lambda's runtime with a function's role.
pub(crate) const LOG: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];

/// The calls that Lambda makes with a function's role to attach a VPC.
pub(crate) const NETWORK: [&str; 6] = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
];

/// A statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sid: &'static str,
    /// The allowed actions, or the denied ones for [`Resource::Unqualified`].
    pub(crate) actions: Vec<&'static str>,
    pub(crate) on: Resource,
}

/// The resources of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The resources of a permission's scope.
    Scope(Scope),
    /// Everything except versions and aliases: denied, whatever other statements allow.
    Unqualified,
    /// The streams of the step's own log group.
    Log(Step),
    /// Network interfaces, if the functions are in a VPC.
    Network,
}

pub(crate) fn of_step(step: Step) -> Vec<Statement> {
    let mut statements = of_permissions(permissions(step));
    statements.push(Statement { sid: "Log", actions: LOG.to_vec(), on: Resource::Log(step) });
    statements.push(Statement { sid: "Network", actions: NETWORK.to_vec(), on: Resource::Network });
    statements
}

/// The statements for some permissions: one for each scope.
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
            // A pattern such as arn:aws:lambda:* would match functions as well as versions.
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
