//! Limits the length of answers: an endless answer would fill the memory.

use std::mem;

use aws_sdk_lambda::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::{
    box_error::BoxError, client::interceptors::context::BeforeDeserializationInterceptorContextMut,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// Lambda's longest answer, a function's response, has 6 MB.
const LONGEST_ANSWER: usize = 32 * 1024 * 1024;

/// Breaks off an answer that is longer than any of Lambda's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounded;

impl Intercept for Bounded {
    fn name(&self) -> &'static str {
        "powertune's bound"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let whole = mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, LONGEST_ANSWER));
        Ok(())
    }
}
