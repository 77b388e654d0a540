//! What each step's Lambda function is given. All of them run the same binary, and are told apart
//! by their handler.

use powertune_core::workflow::Step;

use crate::parameter::{self, Parameter};

/// The runtime of all functions: a binary named `bootstrap`.
pub const RUNTIME: &str = "provided.al2023";

/// How long a step's function may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// So many seconds.
    Seconds(u32),
    /// As long as whoever deploys has chosen.
    Chosen(&'static Parameter),
}

/// An environment variable of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Where its value comes from.
    pub value: &'static Parameter,
}

/// The power values of a request that has none: numbers with commas between them, and perhaps
/// spaces.
pub const POWER_VALUES: Variable =
    Variable { name: "POWER_VALUES", value: &parameter::POWER_VALUES };
/// How long a Measure may take, in seconds: its function's timeout.
pub const MEASURE_TIMEOUT: Variable =
    Variable { name: "MEASURE_TIMEOUT", value: &parameter::TOTAL_EXECUTION_TIMEOUT };
/// What may be tuned: Initialize warns where that is anything.
pub const LAMBDA_RESOURCE: Variable =
    Variable { name: "LAMBDA_RESOURCE", value: &parameter::LAMBDA_RESOURCE };
/// What may be a processor. Where anything may be tuned, anything may be invoked: Initialize
/// refuses what is no processor, and not IAM.
pub const PROCESSOR_RESOURCE: Variable =
    Variable { name: "PROCESSOR_RESOURCE", value: &parameter::PROCESSOR_RESOURCE };
/// Where results are shown.
pub const VISUALIZATION_URL: Variable =
    Variable { name: "VISUALIZATION_URL", value: &parameter::VISUALIZATION_URL };

/// The memory of a step's function.
pub const fn memory_mb(step: Step) -> u32 {
    match step {
        // It holds the payloads, and every power's invocations in flight.
        Step::Measure => 512,
        _ => 256,
    }
}

/// The timeout of a step's function.
pub const fn timeout(step: Step) -> Timeout {
    match step {
        Step::Initialize => Timeout::Seconds(60),
        Step::Decide => Timeout::Seconds(120),
        // Each of these waits for updates of the function, one after the other.
        Step::Publish | Step::Apply | Step::Clean => Timeout::Seconds(900),
        Step::Measure => Timeout::Chosen(&parameter::TOTAL_EXECUTION_TIMEOUT),
    }
}

/// The environment of a step's function: what that step reads.
pub const fn variables(step: Step) -> &'static [Variable] {
    match step {
        Step::Initialize => &[POWER_VALUES, MEASURE_TIMEOUT, LAMBDA_RESOURCE, PROCESSOR_RESOURCE],
        Step::Decide => &[VISUALIZATION_URL],
        Step::Publish | Step::Measure | Step::Apply | Step::Clean => &[],
    }
}
