//! Finds the state machine by its ARN, its name, the beginning of its name, or its CloudFormation
//! stack.

use super::client::StepFunctions;
use crate::gateway::{ApiError, ErrorKind};

/// The tag that CloudFormation puts on the resources of a stack.
const STACK_TAG: &str = "aws:cloudformation:stack-name";

/// A state machine, as a user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateMachineRef {
    /// By its ARN.
    Arn(String),
    /// By its name, or by a beginning that no other name has.
    Name(String),
    /// By its CloudFormation stack.
    Stack(String),
    /// By nothing: its name begins with the default name of the templates.
    Default(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FindError {
    #[error("{0}")]
    Call(#[from] ApiError),
    #[error("there is no state machine {what} in this account and region{known}")]
    None { what: String, known: String },
    #[error("there are several state machines {what}: {names}; give the ARN or the whole name")]
    Several { what: String, names: String },
}

impl FindError {
    /// True if every further attempt fails too, until somebody changes something.
    pub(super) fn lasts(&self) -> bool {
        match self {
            Self::Call(error) => error.kind.lasts(),
            Self::None { .. } | Self::Several { .. } => true,
        }
    }
}

#[derive(Debug, Clone)]
struct ListedMachine {
    name: String,
    arn: String,
}

/// The ARN of the state machine.
pub(super) async fn find(
    aws: &StepFunctions,
    machine: &StateMachineRef,
) -> Result<String, FindError> {
    let (wanted, what) = match machine {
        StateMachineRef::Arn(arn) => return Ok(arn.clone()),
        StateMachineRef::Name(name) => {
            (name.as_str(), format!("whose name is, or begins with, {name:?}"))
        }
        StateMachineRef::Stack(stack) => return in_stack(aws, stack).await,
        StateMachineRef::Default(name) => (
            *name,
            format!("whose name begins with {name}; name yours with --state-machine or --stack"),
        ),
    };
    let all = list(aws).await?;
    if let Some(exact) = all.iter().find(|listed| listed.name == wanted) {
        return Ok(exact.arn.clone());
    }
    let found =
        all.iter().filter(|listed| listed.name.starts_with(wanted)).cloned().collect::<Vec<_>>();
    only(&found, what, &all)
}

async fn in_stack(aws: &StepFunctions, stack: &str) -> Result<String, FindError> {
    let all = list(aws).await?;
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    for listed in &all {
        let tags = aws.client.list_tags_for_resource().resource_arn(&listed.arn).send().await;
        let tags = match tags.map_err(|error| aws.failed("ListTagsForResource", &error)) {
            // Most state machines of an account are no business of this caller.
            Err(error) if error.kind == ErrorKind::Denied => {
                unread.push(listed.name.clone());
                continue;
            }
            tags => tags?,
        };
        let is_stack = |tag: &aws_sdk_sfn::types::Tag| {
            tag.key.as_deref() == Some(STACK_TAG) && tag.value.as_deref() == Some(stack)
        };
        if tags.tags.unwrap_or_default().iter().any(is_stack) {
            found.push(listed.clone());
        }
    }
    only(&found, format!("in the stack {stack:?}"), &all).map_err(|error| match error {
        FindError::None { what, known } if !unread.is_empty() => {
            let known = format!(
                "{known}; this caller may not read the tags of {}: allow \
                 states:ListTagsForResource on it, or name it with --state-machine",
                unread.join(", ")
            );
            FindError::None { what, known }
        }
        error => error,
    })
}

fn only(found: &[ListedMachine], what: String, all: &[ListedMachine]) -> Result<String, FindError> {
    let names = |listed: &[ListedMachine]| {
        listed.iter().map(|listed| listed.name.clone()).collect::<Vec<_>>().join(", ")
    };
    match found {
        [only] => Ok(only.arn.clone()),
        [] if all.is_empty() => Err(FindError::None { what, known: String::new() }),
        [] => Err(FindError::None { what, known: format!("; there are {}", names(all)) }),
        several => Err(FindError::Several { what, names: names(several) }),
    }
}

async fn list(aws: &StepFunctions) -> Result<Vec<ListedMachine>, ApiError> {
    let mut listed = Vec::new();
    let mut pages = aws.client.list_state_machines().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| aws.failed("ListStateMachines", &error))?;
        listed.extend(
            page.state_machines.into_iter().map(|machine| ListedMachine {
                name: machine.name,
                arn: machine.state_machine_arn,
            }),
        );
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str) -> ListedMachine {
        ListedMachine { name: name.to_owned(), arn: format!("arn:{name}") }
    }

    #[test]
    fn only_one_will_do() {
        let all = [listed("a"), listed("b")];
        let found = |found: &[ListedMachine]| only(found, "that is meant".to_owned(), &all);
        assert_eq!(found(&all[..1]), Ok("arn:a".to_owned()));
        assert!(found(&[]).unwrap_err().to_string().ends_with("there are a, b"));
        assert!(found(&all).unwrap_err().to_string().contains("a, b"));
    }
}
