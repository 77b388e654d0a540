//! A local Lambda with a function that has a test version of an execution.

use std::{collections::BTreeMap, fs, time::Duration};

use aws_sdk_lambda::Client;
use powertune_local::{LocalLambda, NewFunction};
use uuid::{Uuid, fmt::Simple};

use crate::{histories::server::EXECUTION, local};

pub(crate) const FUNCTION: &str = "fn";

/// The Lambda, and a client of AWS's SDK.
pub(crate) struct Lambda {
    lambda: LocalLambda,
    client: Client,
}

impl Lambda {
    /// Starts a Lambda with a function that has a test version of the execution's run.
    pub(crate) async fn start() -> Self {
        let (lambda, client) = local::start().await;
        let code = tempfile::tempdir().expect("a folder");
        fs::write(code.path().join("app.py"), "def handler(event, context):\n    return 1\n")
            .expect("the code");
        let function = NewFunction {
            name: FUNCTION.to_owned(),
            code: code.path().to_owned(),
            runtime: "python3.11".to_owned(),
            handler: "app.handler".to_owned(),
            memory_mb: 256,
            timeout_s: 3,
            environment: BTreeMap::new(),
            architecture: None,
        };
        lambda.create_function(function).await.expect("the function is created");
        let publish = client.publish_version().function_name(FUNCTION);
        let published = publish.description(format!("powertune run {}", run())).send().await;
        published.expect("PublishVersion");
        Self { lambda, client }
    }

    /// The environment variables for a process that calls it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.lambda.environment()
    }

    pub(crate) async fn versions(&self) -> usize {
        let listed = self.client.list_versions_by_function().function_name(FUNCTION).send().await;
        let listed = listed.expect("ListVersionsByFunction").versions.unwrap_or_default();
        listed.iter().filter(|version| version.version.as_deref() != Some("$LATEST")).count()
    }

    /// Tags the function for a long run of the execution.
    pub(crate) async fn announce(&self) {
        let key = format!("powertune:{}", run());
        let times = "since=2026-01-01T00:00:00Z until=2999-01-01T00:00:00Z";
        let got = self.client.get_function().function_name(FUNCTION).send().await;
        let arn = got.expect("GetFunction").configuration.and_then(|known| known.function_arn);
        let tag = self.client.tag_resource().resource(arn.expect("it has an ARN"));
        let tag = tag.tags(format!("{key}:by"), EXECUTION).tags(key, times);
        tag.send().await.expect("TagResource");
    }

    pub(crate) async fn delete(&self) {
        self.client.delete_function().function_name(FUNCTION).send().await.expect("DeleteFunction");
    }

    pub(crate) async fn stop(self) {
        tokio::time::timeout(Duration::from_secs(10), self.lambda.shutdown())
            .await
            .expect("it stops");
    }
}

fn run() -> Simple {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, EXECUTION.as_bytes()).simple()
}
