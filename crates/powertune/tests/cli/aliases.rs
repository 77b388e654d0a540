//! `tune --auto-optimize-alias` while others move the alias, and processors: exit codes and
//! messages.

use std::{
    io::{Cursor, Write},
    process::Output,
    time::Duration,
};

use aws_sdk_lambda::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    primitives::Blob,
    types::{AliasRoutingConfiguration, FunctionCode, Runtime},
};
use serde_json::Value;

use crate::binary::{Local, stderr, stdout};

const FUNCTION: &str = "fn";
/// Slow enough for something to happen while it is measured.
const CODE: &str = "import time\ndef handler(event, context):\n    time.sleep(0.3)\n";
/// After the versions are published, and long before the last invocation.
const MEASURING: Duration = Duration::from_secs(1);

/// `powertune local` with a function that has two versions. The second is the same as `$LATEST`,
/// and the alias prod points to it.
struct Stage {
    local: Local,
    client: Client,
}

impl Stage {
    async fn new() -> Self {
        let local = Local::start();
        let client = client(&local);
        let create = client.create_function().function_name(FUNCTION).runtime(Runtime::Python311);
        let create = create.role("arn:aws:iam::000000000000:role/fn").handler("app.handler");
        let code = FunctionCode::builder().zip_file(Blob::new(package())).build();
        let create = create.memory_size(256).timeout(20).code(code);
        create.send().await.expect("CreateFunction");
        let stage = Self { local, client };
        stage.publish("1").await;
        stage.set_timeout(21).await;
        stage.publish("2").await;
        let create = stage.client.create_alias().function_name(FUNCTION).name("prod");
        create.function_version("2").send().await.expect("CreateAlias");
        stage
    }

    async fn publish(&self, expected: &str) {
        self.settled().await;
        let published = self.client.publish_version().function_name(FUNCTION).send().await;
        assert_eq!(published.expect("PublishVersion").version(), Some(expected));
    }

    async fn settled(&self) {
        let wait = self.client.clone();
        loop {
            let read = wait.get_function_configuration().function_name(FUNCTION).send().await;
            let read = read.expect("a configuration");
            let status = [
                read.state.map(|state| state.to_string()),
                read.last_update_status.map(|status| status.to_string()),
            ];
            if status == [Some("Active".to_owned()), Some("Successful".to_owned())] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn set_timeout(&self, timeout_s: i32) {
        self.settled().await;
        let update = self.client.update_function_configuration().function_name(FUNCTION);
        update.timeout(timeout_s).send().await.expect("UpdateFunctionConfiguration");
        self.settled().await;
    }

    /// Tunes the function with 16 invocations.
    async fn tune(&self, more: &[&str]) -> Output {
        let tune = ["tune", FUNCTION, "--power-values", "128,256", "--num", "8"];
        let mut command = self.local.powertune(&[&tune, more].concat());
        let run = tokio::task::spawn_blocking(move || command.output().expect("powertune runs"));
        run.await.expect("it ends")
    }

    /// Tunes the function, and makes `change` while versions are invoked.
    async fn tune_beside(&self, change: impl AsyncFn(&Client), more: &[&str]) -> Output {
        let others = async {
            loop {
                let function = self.client.get_function().function_name(FUNCTION).send().await;
                if function.expect("GetFunction").tags.is_some_and(|tags| !tags.is_empty()) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(MEASURING).await;
            change(&self.client).await;
        };
        tokio::join!(self.tune(more), others).0
    }

    /// The version that prod points to.
    async fn prod(&self) -> String {
        let alias = self.client.get_alias().function_name(FUNCTION).name("prod").send().await;
        alias.expect("GetAlias").function_version.expect("a version")
    }

    /// The number of versions, with `$LATEST`.
    async fn versions(&self) -> usize {
        let listed = self.client.list_versions_by_function().function_name(FUNCTION).send().await;
        listed.expect("ListVersionsByFunction").versions().len()
    }
}

fn client(local: &Local) -> Client {
    let variable = |wanted: &str| {
        let found = local.environment.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).expect("it is printed")
    };
    let [id, secret] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(variable);
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(variable("AWS_ENDPOINT_URL_LAMBDA"))
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .build();
    Client::from_conf(config)
}

fn package() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", zip::write::SimpleFileOptions::default()).expect("a file");
    zip.write_all(CODE.as_bytes()).expect("the code");
    zip.finish().expect("a package").into_inner()
}

const TO_PROD: [&str; 3] = ["--auto-optimize", "--auto-optimize-alias", "prod"];

/// The message of a run that was refused before any change.
fn refused(output: &Output) -> String {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "{}", stdout(output));
    said
}

/// The message of a run that has a result, and has not applied it.
fn not_applied(output: &Output) -> String {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let result: Value = serde_json::from_str(&stdout(output)).expect("the result");
    assert_eq!(result["invocations"], 16);
    let words = ["the choice was not applied", "nothing was applied"];
    assert!(words.iter().any(|words| said.contains(words)), "{said}");
    assert!(said.contains("everything was put back as it was"), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_alias_does_not_have_is_released_if_that_is_said() {
    let stage = Stage::new().await;
    stage.set_timeout(22).await;
    let said = refused(&stage.tune(&TO_PROD).await);
    assert!(said.contains("prod points to version 2, and the configuration of $LATEST"), "{said}");
    assert!(said.contains("--release-latest"), "{said}");
    assert_eq!((stage.prod().await.as_str(), stage.versions().await), ("2", 3));

    let said = stage.tune(&[&TO_PROD[..], &["--release-latest"]].concat()).await;
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    let released = stage.prod().await;
    assert_ne!(released, "2");

    // The input of aws-lambda-power-tuning can't say it.
    stage.set_timeout(23).await;
    let mut input = tempfile::NamedTempFile::new().expect("a file");
    input.write_all(br#"{"autoOptimize": true, "autoOptimizeAlias": "prod"}"#).expect("a request");
    let path = input.path().display().to_string();
    let output = stage.tune(&["--input", &path]).await;
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(&format!("prod points to version {released}, and")), "{said}");
    assert!(said.contains("releaseLatest"), "{said}");
    assert_ne!(stage.prod().await, released);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_refused() {
    let stage = Stage::new().await;
    let update = stage.client.update_alias().function_name(FUNCTION).name("prod");
    let routing = AliasRoutingConfiguration::builder().additional_version_weights("1", 0.1);
    update.routing_config(routing.build()).send().await.expect("UpdateAlias");
    let said = refused(&stage.tune(&TO_PROD).await);
    assert!(said.contains("the alias prod sends its calls to two versions"), "{said}");
    assert_eq!((stage.prod().await.as_str(), stage.versions().await), ("2", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_made_meanwhile_stays_and_the_result_is_printed() {
    let stage = Stage::new().await;
    let roll_back = async |client: &Client| {
        let update = client.update_alias().function_name(FUNCTION).name("prod");
        update.function_version("1").send().await.expect("UpdateAlias");
    };
    let json = [&TO_PROD[..], &["--output", "json"]].concat();
    let said = not_applied(&stage.tune_beside(roll_back, &json).await);
    assert!(said.contains("somebody else changed the alias prod during the run"), "{said}");
    assert!(said.contains("it points to version 1 now, and to version 2 before"), "{said}");
    assert_eq!((stage.prod().await.as_str(), stage.versions().await), ("1", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_applied_after_the_tags_were_taken_away() {
    let stage = Stage::new().await;
    let clean = async |client: &Client| {
        let function = client.get_function().function_name(FUNCTION).send().await;
        let function = function.expect("GetFunction");
        let keys = function.tags.expect("the run's tags").into_keys().collect();
        let configuration = function.configuration.expect("a configuration");
        let untag = client.untag_resource().resource(configuration.function_arn().expect("an ARN"));
        untag.set_tag_keys(Some(keys)).send().await.expect("UntagResource");
    };
    let said =
        not_applied(&stage.tune_beside(clean, &["--auto-optimize", "--output", "json"]).await);
    assert!(said.contains("somebody removed the run's tags from"), "{said}");
    let latest = stage.client.get_function_configuration().function_name(FUNCTION).send().await;
    assert_eq!(latest.expect("a configuration").memory_size(), Some(256));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_is_not_there_is_refused() {
    let stage = Stage::new().await;
    let said = refused(&stage.tune(&["--post-processor", "nobody"]).await);
    assert!(said.contains("postProcessorARN: nobody can't be read"), "{said}");
    assert!(said.contains("ResourceNotFoundException"), "{said}");
    assert_eq!(stage.versions().await, 3);
}
