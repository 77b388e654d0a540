//! The state machine's definition as text, with placeholders such as `${InitializeFunctionArn}` for
//! the functions' ARNs. CloudFormation's DefinitionSubstitutions and Terraform's templatefile
//! replace them; a text editor can too.

use powertune_core::workflow::{Step, definition};

/// The placeholder name for a step's function.
pub(crate) fn placeholder(step: Step) -> String {
    format!("{}FunctionArn", step.name())
}

pub(crate) fn text() -> String {
    let definition = definition(|step| format!("${{{}}}", placeholder(step)));
    format!("{definition:#}\n")
}
