//! The policies as IAM documents, for users who create roles by hand or read the permissions. They
//! match the templates' defaults: any function, no processors, no payloads in S3, no VPC.

use powertune_core::workflow::Step;
use serde_json::{Value, json};

use crate::{
    File,
    caller::PermittedCommand,
    permission::Scope,
    policy::{self, ANY_QUALIFIED, Resource, Statement},
};

/// One policy for each step, and one for the caller of `powertune tune`.
pub(crate) fn files() -> Vec<File> {
    let of_step = |step: Step| document(step.handler(), &policy::of_step(step));
    let tune = PermittedCommand::Tune;
    let of_tune = File::new(format!("{}.json", tune.name()), format!("{:#}\n", tune.policy(None)));
    Step::ALL.into_iter().map(of_step).chain([of_tune]).collect()
}

fn document(name: &str, statements: &[Statement]) -> File {
    let statements: Vec<_> = statements.iter().filter_map(statement).collect();
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    File::new(format!("{name}.json"), format!("{policy:#}\n"))
}

fn statement(statement: &Statement) -> Option<Value> {
    let any_qualified = format!("arn:aws:{ANY_QUALIFIED}");
    let (effect, key, resource) = match statement.on {
        Resource::Scope(Scope::Account | Scope::Function) => ("Allow", "Resource", "*".to_owned()),
        Resource::Scope(Scope::Version) => ("Allow", "Resource", any_qualified),
        Resource::Unqualified => ("Deny", "NotResource", any_qualified),
        Resource::Log(step) => {
            let log = format!("arn:aws:logs:*:*:log-group:/aws/lambda/*-{}:*", step.handler());
            ("Allow", "Resource", log)
        }
        Resource::Scope(Scope::Processor | Scope::Payload) | Resource::Network => return None,
    };
    Some(json!({
        "Sid": statement.sid,
        "Effect": effect,
        "Action": statement.actions,
        key: resource,
    }))
}
