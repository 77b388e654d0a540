//! The state machine's definition as a text, in which `${InitializeFunctionArn}` and its like stand
//! for the functions' ARNs. CloudFormation's DefinitionSubstitutions, Terraform's templatefile and
//! anybody's text editor know that form.

use powertune_core::workflow::{Step, definition};

/// The name of what stands for a step's function.
pub(crate) fn placeholder(step: Step) -> String {
    format!("{}FunctionArn", step.name())
}

/// The definition.
pub(crate) fn text() -> String {
    let definition = definition(|step| format!("${{{}}}", placeholder(step)));
    format!("{definition:#}\n")
}
