//! A local Lambda, and functions with everything that a user may have.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use aws_sdk_lambda::{
    Client,
    primitives::Blob,
    types::{FunctionConfiguration, LastUpdateStatus},
};
use powertune_core::workflow::Step;
use powertune_local::{LocalLambda, NewFunction};
use tempfile::TempDir;

use crate::{
    crash::{
        footprint::Footprint,
        function,
        kind::{ALIAS, ORIGINAL_MB},
    },
    local,
};

/// The runtime of all functions, which bring their own program.
const RUNTIME: &str = "provided.al2023";
/// The timeout of functions, in seconds.
pub(crate) const TIMEOUT_S: i32 = 20;

/// A local Lambda, and a client of AWS's SDK.
pub(crate) struct Bench {
    lambda: LocalLambda,
    client: Client,
    code: TempDir,
    created: AtomicU32,
}

impl Bench {
    /// Starts a Lambda without limits of the CPU: nothing is measured here.
    pub(crate) async fn start() -> Self {
        let (lambda, client) = local::start().await;
        let code = tempfile::tempdir().expect("a folder");
        function::write(code.path());
        Self { lambda, client, code, created: AtomicU32::new(0) }
    }

    pub(crate) fn arn(&self, function: &str) -> String {
        format!("arn:aws:lambda:{}:000000000000:function:{function}", self.lambda.region())
    }

    pub(crate) async fn stop(self) {
        self.lambda.shutdown().await;
    }

    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.lambda.environment()
    }

    /// Creates a function with a description, an environment variable, a tag, a version and an
    /// alias of the user. The version is equal to `$LATEST` if `is_published`.
    pub(crate) async fn function(&self, is_published: bool) -> String {
        self.function_with(is_published, TIMEOUT_S).await
    }

    /// Creates a function like [`Self::function`] with this timeout; `$LATEST` has a second more if
    /// it is not published.
    pub(crate) async fn function_with(&self, is_published: bool, timeout_s: i32) -> String {
        let name = format!("fn-{}", self.created.fetch_add(1, Ordering::Relaxed));
        let function = NewFunction {
            name: name.clone(),
            code: self.code.path().to_owned(),
            runtime: RUNTIME.to_owned(),
            handler: "none".to_owned(),
            memory_mb: ORIGINAL_MB,
            timeout_s: timeout_s.unsigned_abs(),
            environment: BTreeMap::from([("KEPT".to_owned(), "yes".to_owned())]),
            architecture: None,
        };
        let arn = self.lambda.create_function(function).await.expect("the function is created");
        let update = self.client.update_function_configuration().function_name(&name);
        update.description("the user's").send().await.expect("UpdateFunctionConfiguration");
        self.settled(&name).await;
        let tag = self.client.tag_resource().resource(arn).tags("team", "payments");
        tag.send().await.expect("TagResource");
        let publish = self.client.publish_version().function_name(&name);
        let version = publish.description("the user's version").send().await;
        let version = version.expect("PublishVersion").version.expect("a version");
        let alias = self.client.create_alias().function_name(&name).name(ALIAS);
        alias.function_version(version).send().await.expect("CreateAlias");
        if !is_published {
            let update = self.client.update_function_configuration().function_name(&name);
            update.timeout(timeout_s + 1).send().await.expect("UpdateFunctionConfiguration");
        }
        self.settled(&name).await;
        name
    }

    pub(crate) async fn set_memory(&self, name: &str, memory_mb: i32) {
        let update = self.client.update_function_configuration().function_name(name);
        update.memory_size(memory_mb).send().await.expect("UpdateFunctionConfiguration");
        self.settled(name).await;
    }

    pub(crate) async fn create_step(&self, step: Step, code: &Path) -> String {
        let function = NewFunction {
            name: step.handler().to_owned(),
            code: code.to_owned(),
            runtime: RUNTIME.to_owned(),
            handler: step.handler().to_owned(),
            memory_mb: 512,
            timeout_s: 900,
            environment: BTreeMap::new(),
            architecture: None,
        };
        self.lambda.create_function(function).await.expect("the function is created")
    }

    /// Invokes a function; returns its answer or its error.
    pub(crate) async fn invoke(&self, name: &str, payload: &[u8]) -> Result<String, String> {
        let invoke = self.client.invoke().function_name(name).payload(Blob::new(payload));
        let invoked = invoke.send().await.map_err(|error| format!("{error:?}"))?;
        let answer = invoked.payload.map(Blob::into_inner).unwrap_or_default();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if invoked.function_error.is_some() { Err(answer) } else { Ok(answer) }
    }

    pub(crate) async fn delete(&self, name: &str) {
        let delete = self.client.delete_function().function_name(name);
        delete.send().await.expect("DeleteFunction");
    }

    /// `$LATEST` after the end of its last update.
    async fn settled(&self, name: &str) -> FunctionConfiguration {
        loop {
            let function = self.client.get_function().function_name(name).send().await;
            let configuration = function.expect("GetFunction").configuration;
            let configuration = configuration.expect("a configuration");
            if configuration.last_update_status != Some(LastUpdateStatus::InProgress) {
                return configuration;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Everything that the function consists of.
    pub(crate) async fn footprint(&self, name: &str) -> Footprint {
        let latest = self.settled(name).await;
        let arn = latest.function_arn.clone().unwrap_or_default();
        let versions = self.client.list_versions_by_function().function_name(name).send().await;
        let versions = versions.expect("ListVersionsByFunction").versions.unwrap_or_default();
        let aliases = self.client.list_aliases().function_name(name).send().await;
        let aliases = aliases.expect("ListAliases").aliases.unwrap_or_default();
        let tags = self.client.list_tags().resource(arn).send().await.expect("ListTags");
        Footprint {
            latest: lasting(latest),
            versions: versions
                .into_iter()
                .map(|version| (version.version.clone().unwrap_or_default(), lasting(version)))
                .filter(|(number, _)| number != "$LATEST")
                .collect(),
            aliases: aliases
                .into_iter()
                .map(|mut alias| {
                    alias.revision_id = None;
                    (alias.name.clone().unwrap_or_default(), alias)
                })
                .collect(),
            tags: tags.tags.unwrap_or_default(),
        }
    }
}

/// A configuration without the time and the state of its last change.
fn lasting(mut configuration: FunctionConfiguration) -> FunctionConfiguration {
    configuration.revision_id = None;
    configuration.last_modified = None;
    configuration.state = None;
    configuration.state_reason = None;
    configuration.state_reason_code = None;
    configuration.last_update_status = None;
    configuration.last_update_status_reason = None;
    configuration.last_update_status_reason_code = None;
    configuration
}
