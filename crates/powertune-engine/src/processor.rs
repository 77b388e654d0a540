//! The functions called before and after each invocation. They are read before any change: a
//! missing one would end the run at its first invocation, and their timeouts limit the run's
//! duration.

use std::time::Duration;

use powertune_core::{arn::FunctionRef, request::Request, warning::Warning};

use crate::{
    error::{Refusal, TuneError},
    gateway::{ApiError, ErrorKind, FunctionConfig, Gateway},
};

/// Lambda's longest timeout.
pub(crate) const LONGEST: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(crate) struct Processor {
    pub(crate) field: &'static str,
    pub(crate) named: String,
    /// Its unqualified ARN; `None` if the caller may not read it.
    pub(crate) arn: Option<String>,
    /// Its timeout, or the longest one if the caller may not read it.
    pub(crate) timeout: Duration,
}

/// Reads the request's processors. A caller may be allowed to invoke a processor but not to read
/// it; that gives a warning.
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

async fn read_one(gateway: &Gateway, function: &FunctionRef) -> Result<FunctionConfig, ApiError> {
    let qualifier = function.qualifier.as_ref().map(ToString::to_string);
    let name = function.unqualified().to_string();
    gateway.function(&name, qualifier.as_deref()).await
}
