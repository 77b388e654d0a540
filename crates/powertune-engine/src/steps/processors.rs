//! Processors in the Step Functions edition.
//!
//! The steps invoke them with their own permissions, which the starter of an execution may lack. So
//! the deployment limits which functions may be processors.

use std::time::Duration;

use powertune_core::{arn::FunctionRef, request::Request};

use super::{StepError, StepErrorKind};
use crate::{prepare::LONGEST_INIT, processor::Processor};

/// The deployment's parameter for this.
const PARAMETER: &str = "processorResource";

/// The processors of a request, each with its field.
fn named(request: &Request) -> impl Iterator<Item = (&'static str, &FunctionRef)> {
    let fields = [
        ("preProcessorARN", request.pre_processor.as_ref()),
        ("postProcessorARN", request.post_processor.as_ref()),
    ];
    fields.into_iter().filter_map(|(field, processor)| Some((field, processor?)))
}

/// Refuses processors if the deployment allows none.
///
/// # Errors
/// `Refused`, with the name of the parameter.
pub(super) fn check_any(request: &Request, allowed: &str) -> Result<(), StepError> {
    match named(request).next() {
        Some((field, _)) if allowed.is_empty() => Err(StepErrorKind::Refused.error(&format!(
            "{field}: this state machine may not invoke processors; deploy it with {PARAMETER}, \
             the ARN of the functions that it may invoke, or an ARN pattern"
        ))),
        _ => Ok(()),
    }
}

/// The longest time of one invocation's processors and their cold starts.
///
/// # Errors
/// `Refused` for a processor that the deployment does not allow or the step can't read.
pub(super) fn longest(processors: &[Processor], allowed: &str) -> Result<Duration, StepError> {
    let mut longest = Duration::ZERO;
    for Processor { field, named, arn, timeout } in processors {
        if !arn.as_ref().is_some_and(|arn| matches(allowed, arn)) {
            return Err(StepErrorKind::Refused.error(&format!(
                "{field}: this state machine may not invoke {named}, but only {allowed}; name \
                 another processor, or deploy it with another {PARAMETER}"
            )));
        }
        longest += *timeout + LONGEST_INIT;
    }
    Ok(longest)
}

/// True if an ARN matches a pattern in IAM's syntax: `*` is any text, `?` any character.
fn matches(pattern: &str, arn: &str) -> bool {
    let (pattern, arn) = (pattern.as_bytes(), arn.as_bytes());
    let (mut at, mut in_arn) = (0, 0);
    // The last star, and the length of its text so far: it takes one more character if the rest
    // fails.
    let mut star: Option<(usize, usize)> = None;
    while in_arn < arn.len() {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, in_arn));
                at += 1;
            }
            (Some(&byte), _) if byte == b'?' || byte == arn[in_arn] => {
                at += 1;
                in_arn += 1;
            }
            (_, Some((after, taken))) => {
                star = Some((after, taken + 1));
                at = after + 1;
                in_arn = taken + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_matched_as_in_iam() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop-hook";
        for pattern in [
            "*",
            arn,
            "arn:aws:lambda:*:123456789012:function:shop-*",
            "arn:aws:lambda:eu-west-?:*:function:*hook",
            "arn:*:shop-*ho*",
        ] {
            assert!(matches(pattern, arn), "{pattern}");
        }
        for pattern in [
            "",
            "arn:aws:lambda:eu-west-1:123456789012:function:shop",
            "arn:aws:lambda:eu-west-1:123456789012:function:shop-hook?",
            "arn:aws:lambda:*:210987654321:function:*",
            "*:shop-*x",
            "shop-hook",
        ] {
            assert!(!matches(pattern, arn), "{pattern}");
        }
    }
}
