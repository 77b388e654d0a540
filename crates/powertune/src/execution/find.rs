//! Finds the state machine by what people know of it: its ARN, its name or the beginning of it, or
//! the CloudFormation stack that it belongs to.

use powertune_deploy::parameter::STATE_MACHINE_NAME;

use super::{CallError, Kind, StepFunctions};

/// The tag that CloudFormation puts on what belongs to a stack.
const STACK_TAG: &str = "aws:cloudformation:stack-name";

/// How a state machine is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// By its ARN.
    Arn(String),
    /// By its name, or what its name alone begins with.
    Name(String),
    /// By its stack.
    Stack(String),
    /// Not at all: it is the only one that a template has made.
    Default,
}

/// Why none was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFound {
    #[error("{0}")]
    Call(#[from] CallError),
    #[error("there is no state machine {what} in this account and region{known}")]
    None { what: String, known: String },
    #[error("there are several state machines {what}: {names}; give the ARN or the whole name")]
    Several { what: String, names: String },
}

impl NotFound {
    /// Whether it is so on every try, until somebody changes something.
    pub(crate) fn lasts(&self) -> bool {
        match self {
            Self::Call(error) => error.lasts(),
            Self::None { .. } | Self::Several { .. } => true,
        }
    }
}

/// A state machine in a list.
#[derive(Debug, Clone)]
struct Listed {
    name: String,
    arn: String,
}

/// The ARN of the state machine that is meant.
pub(crate) async fn find(aws: &StepFunctions, named: &Named) -> Result<String, NotFound> {
    let (wanted, what) = match named {
        Named::Arn(arn) => return Ok(arn.clone()),
        Named::Name(name) => (name.as_str(), format!("whose name is, or begins with, {name:?}")),
        Named::Stack(stack) => return in_stack(aws, stack).await,
        Named::Default => (
            STATE_MACHINE_NAME,
            format!(
                "whose name begins with {STATE_MACHINE_NAME}; name yours with --state-machine or \
                 --stack"
            ),
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

async fn in_stack(aws: &StepFunctions, stack: &str) -> Result<String, NotFound> {
    let all = list(aws).await?;
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    for listed in &all {
        let tags = aws.client.list_tags_for_resource().resource_arn(&listed.arn).send().await;
        let tags = match tags.map_err(|error| aws.failed("ListTagsForResource", &error)) {
            // Most are no business of this caller's.
            Err(error) if error.kind == Kind::Denied => {
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
        NotFound::None { what, known } if !unread.is_empty() => {
            let known = format!(
                "{known}; this caller may not read the tags of {}: allow \
                 states:ListTagsForResource on it, or name it with --state-machine",
                unread.join(", ")
            );
            NotFound::None { what, known }
        }
        error => error,
    })
}

fn only(found: &[Listed], what: String, all: &[Listed]) -> Result<String, NotFound> {
    let names = |listed: &[Listed]| {
        listed.iter().map(|listed| listed.name.clone()).collect::<Vec<_>>().join(", ")
    };
    match found {
        [only] => Ok(only.arn.clone()),
        [] if all.is_empty() => Err(NotFound::None { what, known: String::new() }),
        [] => Err(NotFound::None { what, known: format!("; there are {}", names(all)) }),
        several => Err(NotFound::Several { what, names: names(several) }),
    }
}

async fn list(aws: &StepFunctions) -> Result<Vec<Listed>, CallError> {
    let mut listed = Vec::new();
    let mut pages = aws.client.list_state_machines().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| aws.failed("ListStateMachines", &error))?;
        listed.extend(
            page.state_machines
                .into_iter()
                .map(|machine| Listed { name: machine.name, arn: machine.state_machine_arn }),
        );
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str) -> Listed {
        Listed { name: name.to_owned(), arn: format!("arn:{name}") }
    }

    #[test]
    fn only_one_will_do() {
        let all = [listed("a"), listed("b")];
        let found = |found: &[Listed]| only(found, "that is meant".to_owned(), &all);
        assert_eq!(found(&all[..1]), Ok("arn:a".to_owned()));
        assert!(found(&[]).unwrap_err().to_string().ends_with("there are a, b"));
        assert!(found(&all).unwrap_err().to_string().contains("a, b"));
    }
}
