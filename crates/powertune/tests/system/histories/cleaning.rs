//! `powertune clean` after an execution that Step Functions does not describe.

use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::histories::{
    lambda::{FUNCTION, Lambda},
    run::{Ran, check, ended, powertune},
    server::{Answer, Execution, Fault, Server},
};

/// A test for each case.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("a_forgotten_execution_is_over", || {
            let (ran, is_put_back) = clean("ExecutionDoesNotExist")?;
            check(ran.code == Some(0) && is_put_back, "it should clean", &ran)
        }),
        Trial::test("an_execution_that_may_not_be_asked_for", || {
            let (ran, is_put_back) = clean("AccessDeniedException")?;
            let names = ran.stderr.contains("allow states:DescribeExecution");
            check(ran.code == Some(1) && !is_put_back && names, "it should refuse", &ran)
        }),
    ]
}

/// Cleans up while DescribeExecution fails with this error; returns the output, and true if the
/// function was put back.
fn clean(error: &'static str) -> Result<(Ran, bool), Failed> {
    Runtime::new()?.block_on(async {
        let lambda = Lambda::start().await;
        lambda.announce().await;
        let environment = lambda.environment();
        let ran = tokio::task::spawn_blocking(move || {
            let answer = Answer::Error(400, error);
            let faults = vec![Fault { operation: "DescribeExecution", times: 9, answer }];
            let described = json!({ "status": "RUNNING" });
            let server = Server::start(Execution { described, faults, ..Execution::default() });
            let mut command: Command = powertune(&["clean", FUNCTION], &environment);
            command.env("AWS_ENDPOINT_URL_SFN", server.url());
            ended(&mut command)
        });
        let ran = ran.await?;
        let is_put_back = lambda.versions().await == 0;
        lambda.stop().await;
        Ok((ran, is_put_back))
    })
}
