//! The parameters of a deployment: those of aws-lambda-power-tuning under its names, so powertune
//! can replace an existing deployment; also the architecture and the functions allowed as
//! processors.

use powertune_core::{power, visualization};

/// A parameter.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name in CloudFormation and the Serverless Framework.
    pub name: &'static str,
    /// The name in Terraform.
    pub snake_name: &'static str,
    /// The description in the generated files.
    pub description: &'static str,
    /// The possible values and the default.
    pub kind: ParameterKind,
}

/// The possible values of a parameter, with its default.
#[derive(Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Any text; this is the default.
    Text(&'static str),
    /// A text that matches a regular expression.
    Pattern {
        /// The default value.
        default: &'static str,
        /// The regular expression.
        pattern: &'static str,
        /// The meaning of the expression, for an error message.
        meaning: &'static str,
    },
    /// One of several texts.
    Choice {
        /// The default value.
        default: &'static str,
        /// The possible values.
        among: &'static [&'static str],
    },
    /// A list of texts without commas; empty by default.
    Texts,
    /// A list of positive whole numbers; this is the default.
    Numbers(&'static [u32]),
    /// A whole number in a range, both ends included.
    Number {
        /// The default value.
        default: u32,
        /// The smallest value.
        min: u32,
        /// The largest value.
        max: u32,
    },
    /// One of several whole numbers.
    NumberAmong {
        /// The default value.
        default: u32,
        /// The possible values.
        among: &'static [u32],
    },
}

/// [`power::DEFAULT`] in MB.
const DEFAULT_MB: [u32; power::DEFAULT.len()] = {
    let mut sizes = [0; power::DEFAULT.len()];
    let mut index = 0;
    while index < sizes.len() {
        sizes[index] = power::DEFAULT[index].mb();
        index += 1;
    }
    sizes
};

/// The power values of a request that names none.
pub static POWER_VALUES: Parameter = Parameter {
    name: "PowerValues",
    snake_name: "power_values",
    description: "Power values (memory sizes in MB) of a request that names none",
    kind: ParameterKind::Numbers(&DEFAULT_MB),
};

/// The URL of the page that draws results.
pub static VISUALIZATION_URL: Parameter = Parameter {
    name: "visualizationURL",
    snake_name: "visualization_url",
    description: "The page that shows a result. The result is in the URL after the #, which \
                  browsers do not send",
    kind: ParameterKind::Text(visualization::BASE),
};

/// The ARN pattern of the functions that may be tuned.
pub static LAMBDA_RESOURCE: Parameter = Parameter {
    name: "lambdaResource",
    snake_name: "lambda_resource",
    description: "ARN of the function that may be tuned, or a pattern of such ARNs, without a \
                  version. With *, the default, every caller that may start an execution can use \
                  it to invoke and change any function of the account",
    kind: ParameterKind::Text("*"),
};

/// The ARN pattern of the functions that may be processors. aws-lambda-power-tuning has no such
/// parameter: there, every function that may be tuned may be a processor, which is any function by
/// default.
pub static PROCESSOR_RESOURCE: Parameter = Parameter {
    name: "processorResource",
    snake_name: "processor_resource",
    description: "ARN of the functions that a request may name as processors, or a pattern of \
                  such ARNs, without a version; empty for none",
    kind: ParameterKind::Text(""),
};

/// The timeout of Measure in seconds.
pub static TOTAL_EXECUTION_TIMEOUT: Parameter = Parameter {
    name: "totalExecutionTimeout",
    snake_name: "total_execution_timeout",
    description: "Timeout of one Measure step in seconds; a longer measurement is split into \
                  several steps",
    kind: ParameterKind::Number { default: 900, min: 60, max: 900 },
};

/// The ARN of the permissions boundary of all roles.
pub static PERMISSIONS_BOUNDARY: Parameter = Parameter {
    name: "permissionsBoundary",
    snake_name: "permissions_boundary",
    description: "ARN of the permissions boundary of every role; empty for none",
    kind: ParameterKind::Text(""),
};

/// The S3 bucket of payloads.
pub static PAYLOAD_S3_BUCKET: Parameter = Parameter {
    name: "payloadS3Bucket",
    snake_name: "payload_s3_bucket",
    description: "Bucket of payloads (payloadS3 in a request); empty for none",
    kind: ParameterKind::Text(""),
};

/// The key pattern of payloads in that bucket.
pub static PAYLOAD_S3_KEY: Parameter = Parameter {
    name: "payloadS3Key",
    snake_name: "payload_s3_key",
    description: "Key of the payload in that bucket, or a pattern of keys",
    kind: ParameterKind::Text("*"),
};

/// The name of aws-lambda-power-tuning's layer; unused here.
pub static LAYER_SDK_NAME: Parameter = Parameter {
    name: "layerSdkName",
    snake_name: "layer_sdk_name",
    description: "No effect, since powertune needs no layer",
    kind: ParameterKind::Text(""),
};

/// The retention time of the logs in days.
pub static LOG_GROUP_RETENTION_IN_DAYS: Parameter = Parameter {
    name: "logGroupRetentionInDays",
    snake_name: "log_group_retention_in_days",
    description: "Days after which the functions' logs are deleted",
    kind: ParameterKind::NumberAmong {
        default: 7,
        // The values that CloudWatch Logs accepts (PutRetentionPolicy).
        among: &[
            1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557,
            2922, 3288, 3653,
        ],
    },
};

/// The functions' security groups.
pub static SECURITY_GROUP_IDS: Parameter = Parameter {
    name: "securityGroupIds",
    snake_name: "security_group_ids",
    description: "Security groups of the functions; needs subnets",
    kind: ParameterKind::Texts,
};

/// The functions' subnets.
pub static SUBNET_IDS: Parameter = Parameter {
    name: "subnetIds",
    snake_name: "subnet_ids",
    description: "Subnets of the functions, with access to the Lambda API and the payloads; empty \
                  for no VPC",
    kind: ParameterKind::Texts,
};

/// The default prefix of the state machine's name.
pub const STATE_MACHINE_NAME: &str = "powerTuningStateMachine";

/// The prefix of the state machine's name.
pub static STATE_MACHINE_NAME_PREFIX: Parameter = Parameter {
    name: "stateMachineNamePrefix",
    snake_name: "state_machine_name_prefix",
    description: "Prefix of the state machine's name",
    kind: ParameterKind::Pattern {
        default: STATE_MACHINE_NAME,
        // A name has at most 80 characters; a hyphen and the stack's GUID take 37 of them.
        pattern: "^[a-zA-Z0-9_-]{1,43}$",
        meaning: "1 to 43 letters, digits, hyphens and underscores",
    },
};

/// The functions' architecture.
pub static ARCHITECTURE: Parameter = Parameter {
    name: "architecture",
    snake_name: "architecture",
    description: "Architecture of powertune's own functions and their binary; the tuned functions \
                  may have any",
    kind: ParameterKind::Choice { default: "x86_64", among: &["x86_64", "arm64"] },
};

/// All parameters, in the order of the templates.
pub static ALL: [&Parameter; 14] = [
    &POWER_VALUES,
    &VISUALIZATION_URL,
    &LAMBDA_RESOURCE,
    &PROCESSOR_RESOURCE,
    &TOTAL_EXECUTION_TIMEOUT,
    &PERMISSIONS_BOUNDARY,
    &PAYLOAD_S3_BUCKET,
    &PAYLOAD_S3_KEY,
    &LAYER_SDK_NAME,
    &LOG_GROUP_RETENTION_IN_DAYS,
    &SECURITY_GROUP_IDS,
    &SUBNET_IDS,
    &STATE_MACHINE_NAME_PREFIX,
    &ARCHITECTURE,
];
