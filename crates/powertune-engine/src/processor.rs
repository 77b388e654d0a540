//! The functions that are called before and after each invocation. They are read before anything is
//! changed: one that is not there would end the run at its first invocation, and how long they may
//! run is part of how long the run may.

use std::time::Duration;

use powertune_core::{arn::FunctionRef, request::Request, warning::Warning};

use crate::{
    error::{Refusal, TuneError},
    gateway::{ApiError, ErrorKind, Function, Gateway},
};

/// The longest that any function may run.
pub(crate) const LONGEST: Duration = Duration::from_mins(15);

/// A pre- or post-processor.
#[derive(Debug)]
pub(crate) struct Processor {
    /// The request's field that names it.
    pub(crate) field: &'static str,
    /// It as the request names it.
    pub(crate) named: String,
    /// Its unqualified ARN, where it may be read.
    pub(crate) arn: Option<String>,
    /// How long it may run: its Timeout, or what any function may where that may not be read.
    pub(crate) timeout: Duration,
}

/// The request's processors. Who may invoke one need not be allowed to read it: that is warned of.
pub(crate) async fn read(
    gateway: &Gateway,
    request: &Request,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Processor>, TuneError> {
    let named = [
        ("preProcessorARN", &request.pre_processor),
        ("postProcessorARN", &request.post_processor),
    ];
    let mut processors = Vec::new();
    for (field, function) in named {
        let Some(function) = function else { continue };
        let named = function.to_string();
        let refusal = |error| Refusal::Processor { field, function: named.clone(), error };
        let (arn, timeout) = match read_one(gateway, function).await {
            Ok(read) => (Some(read.arn), read.timeout),
            Err(error) if error.kind == ErrorKind::Denied => {
                warnings.push(Warning::ProcessorUnread {
                    field,
                    function: named.clone(),
                    because: error.to_string(),
                });
                (None, LONGEST)
            }
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Invalid) => {
                return Err(TuneError::Refused(refusal(error)));
            }
            Err(error) => return Err(TuneError::before_changes(error)),
        };
        processors.push(Processor { field, named, arn, timeout });
    }
    Ok(processors)
}

async fn read_one(gateway: &Gateway, function: &FunctionRef) -> Result<Function, ApiError> {
    let qualifier = function.qualifier.as_ref().map(ToString::to_string);
    let name = function.unqualified().to_string();
    gateway.function(&name, qualifier.as_deref()).await
}
