//! The settings of each step's Lambda function. All functions have the same binary; the handler's
//! name selects the step.

use powertune_core::workflow::Step;

use crate::parameter::{self, Parameter};

/// The runtime of all functions: a binary named `bootstrap`.
pub const RUNTIME: &str = "provided.al2023";

/// The timeout of a step's function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// A fixed number of seconds.
    Seconds(u32),
    /// The value of a parameter, in seconds.
    Chosen(&'static Parameter),
}

/// An environment variable of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The name of the variable.
    pub name: &'static str,
    /// The parameter with the variable's value.
    pub value: &'static Parameter,
}

/// The power values of a request that names none, separated by commas, possibly with spaces.
pub const POWER_VALUES: Variable =
    Variable { name: "POWER_VALUES", value: &parameter::POWER_VALUES };
/// The timeout of Measure's function in seconds.
pub const MEASURE_TIMEOUT: Variable =
    Variable { name: "MEASURE_TIMEOUT", value: &parameter::TOTAL_EXECUTION_TIMEOUT };
/// The functions that may be tuned. Initialize warns if this allows any function.
pub const LAMBDA_RESOURCE: Variable =
    Variable { name: "LAMBDA_RESOURCE", value: &parameter::LAMBDA_RESOURCE };
/// The functions that may be processors. If any function may be tuned, IAM allows any invocation;
/// then Initialize, not IAM, refuses other processors.
pub const PROCESSOR_RESOURCE: Variable =
    Variable { name: "PROCESSOR_RESOURCE", value: &parameter::PROCESSOR_RESOURCE };
/// The URL of the page that draws results.
pub const VISUALIZATION_URL: Variable =
    Variable { name: "VISUALIZATION_URL", value: &parameter::VISUALIZATION_URL };

/// The memory size of a step's function in MB.
pub const fn memory_mb(step: Step) -> u32 {
    match step {
        // Measure holds the payloads and all invocations in flight of a power.
        Step::Measure => 512,
        _ => 256,
    }
}

/// The timeout of a step's function.
pub const fn timeout(step: Step) -> Timeout {
    match step {
        Step::Initialize => Timeout::Seconds(60),
        Step::Decide => Timeout::Seconds(120),
        // Each of these waits for several updates of the function, one after the other.
        Step::Publish | Step::Apply | Step::Clean => Timeout::Seconds(900),
        Step::Measure => Timeout::Chosen(&parameter::TOTAL_EXECUTION_TIMEOUT),
    }
}

/// The environment variables that a step reads.
pub const fn variables(step: Step) -> &'static [Variable] {
    match step {
        Step::Initialize => &[POWER_VALUES, MEASURE_TIMEOUT, LAMBDA_RESOURCE, PROCESSOR_RESOURCE],
        Step::Decide => &[VISUALIZATION_URL],
        Step::Publish | Step::Measure | Step::Apply | Step::Clean => &[],
    }
}
