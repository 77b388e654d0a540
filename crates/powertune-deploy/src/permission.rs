//! The permissions of each step: the calls that it makes, and no others.

use powertune_core::workflow::Step;

/// A call that a step may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Permission {
    /// The action, by IAM's name.
    pub action: &'static str,
    /// The resources of the action.
    pub on: Scope,
}

/// The resources of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// None: the action has no resource ARN.
    Account,
    /// The functions that may be tuned, with their versions and aliases: a call with a qualifier is
    /// checked against the qualified ARN.
    Function,
    /// Only the versions and aliases of these functions.
    Version,
    /// The functions that may be processors, with their versions and aliases, if there are any.
    Processor,
    /// The payloads, if there is a bucket of them.
    Payload,
}

impl Scope {
    pub(crate) const ALL: [Self; 5] =
        [Self::Account, Self::Function, Self::Version, Self::Processor, Self::Payload];

    /// The scope's name in policies.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::Function => "Function",
            Self::Version => "Version",
            Self::Processor => "Processor",
            Self::Payload => "Payload",
        }
    }
}

const fn account(action: &'static str) -> Permission {
    Permission { action, on: Scope::Account }
}

const fn function(action: &'static str) -> Permission {
    Permission { action, on: Scope::Function }
}

const fn version(action: &'static str) -> Permission {
    Permission { action, on: Scope::Version }
}

const fn processor(action: &'static str) -> Permission {
    Permission { action, on: Scope::Processor }
}

const fn payload(action: &'static str) -> Permission {
    Permission { action, on: Scope::Payload }
}

/// The permissions of a step. Lambda needs more to write the log and to attach a VPC; those are not
/// calls of the step.
///
/// Publish and Apply have all permissions of Clean. If the execution is aborted during such a step,
/// Clean runs before the step ends, so the step must undo its own changes.
pub const fn permissions(step: Step) -> &'static [Permission] {
    match step {
        Step::Initialize => {
            const {
                &[
                    account("lambda:GetAccountSettings"),
                    function("lambda:GetFunction"),
                    function("lambda:GetAlias"),
                    function("lambda:ListTags"),
                    processor("lambda:GetFunction"),
                    payload("s3:GetObject"),
                ]
            }
        }
        Step::Publish => {
            const {
                &[
                    function("lambda:GetFunction"),
                    function("lambda:ListTags"),
                    function("lambda:TagResource"),
                    function("lambda:UntagResource"),
                    function("lambda:UpdateFunctionConfiguration"),
                    function("lambda:PublishVersion"),
                    function("lambda:ListVersionsByFunction"),
                    version("lambda:DeleteFunction"),
                ]
            }
        }
        Step::Measure => {
            const {
                &[
                    function("lambda:GetFunction"),
                    // Only versions are measured.
                    version("lambda:InvokeFunction"),
                    processor("lambda:InvokeFunction"),
                    payload("s3:GetObject"),
                ]
            }
        }
        Step::Decide => &[],
        Step::Apply => {
            const {
                &[
                    function("lambda:GetFunction"),
                    function("lambda:ListTags"),
                    // Publishing changes the memory size again.
                    function("lambda:TagResource"),
                    function("lambda:UntagResource"),
                    function("lambda:UpdateFunctionConfiguration"),
                    function("lambda:PublishVersion"),
                    // Reads the alias before it is moved, and after a lost answer.
                    function("lambda:GetAlias"),
                    function("lambda:CreateAlias"),
                    function("lambda:UpdateAlias"),
                    function("lambda:ListVersionsByFunction"),
                    version("lambda:DeleteFunction"),
                ]
            }
        }
        Step::Clean => {
            const {
                &[
                    function("lambda:GetFunction"),
                    function("lambda:ListTags"),
                    function("lambda:UntagResource"),
                    function("lambda:UpdateFunctionConfiguration"),
                    function("lambda:ListVersionsByFunction"),
                    version("lambda:DeleteFunction"),
                ]
            }
        }
    }
}
