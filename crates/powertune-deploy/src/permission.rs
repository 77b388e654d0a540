//! What each step may do: the calls it makes, and no other.

use powertune_core::workflow::Step;

/// A call that a step may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Permission {
    /// The action, as IAM names it.
    pub action: &'static str,
    /// What it may be done to.
    pub on: Scope,
}

/// What an action may be done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Actions that name no resource.
    Account,
    /// The functions that may be tuned, with their versions and aliases: Lambda looks for a
    /// qualified ARN where a call has a qualifier.
    Function,
    /// Versions of these functions, and their aliases.
    Version,
    /// The functions that may be processors, with their versions and aliases, if there are any.
    Processor,
    /// The payloads, if there is a bucket of them.
    Payload,
}

impl Scope {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Account, Self::Function, Self::Version, Self::Processor, Self::Payload];

    /// Its name in policies.
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

/// What a step may do. Writing its log, and its network interfaces in a VPC, come on top: those
/// are the calls of Lambda and not of the step.
///
/// Publish and Apply may do what Clean may: when the execution is aborted while they are at work,
/// Clean comes too early for what they do after it, and they take it back themselves.
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
                    // What is measured is always a version.
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
                    // Publishing changes the memory size once more.
                    function("lambda:TagResource"),
                    function("lambda:UntagResource"),
                    function("lambda:UpdateFunctionConfiguration"),
                    function("lambda:PublishVersion"),
                    // Where it points before it is moved, and after an answer that was lost.
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
