//! What whoever deploys can choose: aws-lambda-power-tuning's parameters under its names, so that
//! a deployment of it can be replaced, the architecture, and which functions may be processors.

use powertune_core::{power, visualization};

/// A parameter.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in CloudFormation and for the Serverless Framework.
    pub name: &'static str,
    /// Its name in Terraform.
    pub snake_name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it may be, and what it is unless somebody says so.
    pub kind: Kind,
}

/// What a parameter may be, with its default.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text(&'static str),
    /// A text that matches a regular expression.
    Pattern {
        /// What it is unless somebody says so.
        default: &'static str,
        /// The expression.
        pattern: &'static str,
        /// What the expression wants, for who reads the refusal.
        meaning: &'static str,
    },
    /// One of some texts.
    Choice {
        /// What it is unless somebody says so.
        default: &'static str,
        /// What it may be.
        among: &'static [&'static str],
    },
    /// Texts without commas; none unless somebody says so.
    Texts,
    /// Whole numbers, at least one.
    Numbers(&'static [u32]),
    /// A whole number between two others, each included.
    Number {
        /// What it is unless somebody says so.
        default: u32,
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// One of some whole numbers.
    NumberAmong {
        /// What it is unless somebody says so.
        default: u32,
        /// What it may be.
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
    kind: Kind::Numbers(&DEFAULT_MB),
};

/// Where results are shown.
pub static VISUALIZATION_URL: Parameter = Parameter {
    name: "visualizationURL",
    snake_name: "visualization_url",
    description: "The page that shows a result; the result itself travels behind the #, which \
                  browsers send to nobody",
    kind: Kind::Text(visualization::BASE),
};

/// What may be tuned.
pub static LAMBDA_RESOURCE: Parameter = Parameter {
    name: "lambdaResource",
    snake_name: "lambda_resource",
    description: "ARN of the function that may be tuned, or a pattern of such ARNs, without a \
                  version. With *, the default, every caller that may start an execution can have \
                  any function of the account invoked and changed",
    kind: Kind::Text("*"),
};

/// What may be a processor. aws-lambda-power-tuning has no such parameter: there every function
/// that may be tuned may be a processor, by default any.
pub static PROCESSOR_RESOURCE: Parameter = Parameter {
    name: "processorResource",
    snake_name: "processor_resource",
    description: "ARN of the functions that a request may name as processors, or a pattern of \
                  such ARNs, without a version; empty for none",
    kind: Kind::Text(""),
};

/// How long a Measure may take.
pub static TOTAL_EXECUTION_TIMEOUT: Parameter = Parameter {
    name: "totalExecutionTimeout",
    snake_name: "total_execution_timeout",
    description: "Seconds that one Measure may take; what takes longer is split into several",
    kind: Kind::Number { default: 900, min: 60, max: 900 },
};

/// What no role may go beyond.
pub static PERMISSIONS_BOUNDARY: Parameter = Parameter {
    name: "permissionsBoundary",
    snake_name: "permissions_boundary",
    description: "ARN of the permissions boundary of every role; empty for none",
    kind: Kind::Text(""),
};

/// The bucket of payloads.
pub static PAYLOAD_S3_BUCKET: Parameter = Parameter {
    name: "payloadS3Bucket",
    snake_name: "payload_s3_bucket",
    description: "Bucket of payloads (payloadS3 in a request); empty for none",
    kind: Kind::Text(""),
};

/// The payloads in that bucket.
pub static PAYLOAD_S3_KEY: Parameter = Parameter {
    name: "payloadS3Key",
    snake_name: "payload_s3_key",
    description: "Key of the payload in that bucket, or a pattern of keys",
    kind: Kind::Text("*"),
};

/// What aws-lambda-power-tuning calls its layer.
pub static LAYER_SDK_NAME: Parameter = Parameter {
    name: "layerSdkName",
    snake_name: "layer_sdk_name",
    description: "Accepted and without effect: there is no layer",
    kind: Kind::Text(""),
};

/// How long logs are kept.
pub static LOG_GROUP_RETENTION_IN_DAYS: Parameter = Parameter {
    name: "logGroupRetentionInDays",
    snake_name: "log_group_retention_in_days",
    description: "Days after which the functions' logs are deleted",
    kind: Kind::NumberAmong {
        default: 7,
        // What CloudWatch Logs takes (PutRetentionPolicy).
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
    kind: Kind::Texts,
};

/// The functions' subnets.
pub static SUBNET_IDS: Parameter = Parameter {
    name: "subnetIds",
    snake_name: "subnet_ids",
    description: "Subnets of the functions, from which the Lambda API and the payloads can be \
                  reached; none for no VPC",
    kind: Kind::Texts,
};

/// What the name of the state machine begins with, unless told otherwise.
pub const STATE_MACHINE_NAME: &str = "powerTuningStateMachine";

/// How the state machine's name begins.
pub static STATE_MACHINE_NAME_PREFIX: Parameter = Parameter {
    name: "stateMachineNamePrefix",
    snake_name: "state_machine_name_prefix",
    description: "How the state machine's name begins",
    kind: Kind::Pattern {
        default: STATE_MACHINE_NAME,
        // A name has at most 80 characters, of which 37 are a hyphen and the stack's GUID.
        pattern: "^[a-zA-Z0-9_-]{1,43}$",
        meaning: "1 to 43 letters, digits, hyphens and underscores",
    },
};

/// The functions' architecture.
pub static ARCHITECTURE: Parameter = Parameter {
    name: "architecture",
    snake_name: "architecture",
    description: "Architecture of powertune's own functions, for which their binary is built; the \
                  functions that are tuned may have any",
    kind: Kind::Choice { default: "x86_64", among: &["x86_64", "arm64"] },
};

/// All of them, in the order in which a template has them.
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
