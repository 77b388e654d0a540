//! A local Lambda with a function, and the checks of its state after a run.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use aws_sdk_lambda::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::{Environment, FunctionConfiguration, LastUpdateStatus},
};
use powertune_core::{
    price::Prices,
    request::{Request, parse},
    result::TuningResult,
};
use powertune_engine::{
    Cleaned, Journals, Keep, clean,
    error::{TuneError, Unfinished},
    event::{Event, Events},
    gateway::{Connection, Gateway},
    run::{Context, Ending, tune},
};
use powertune_local::{LocalLambda, NewFunction, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

/// The name of the function under test.
pub(crate) const FUNCTION: &str = "fn";
/// The memory size of the new function in MB.
pub(crate) const ORIGINAL: i32 = 256;

/// A local Lambda with a function, and an independent client.
pub(crate) struct Bench {
    pub(crate) lambda: LocalLambda,
    pub(crate) client: Client,
    pub(crate) arn: String,
    pub(crate) cancelled: CancellationToken,
    pub(crate) keep: Keep,
    /// The longest time for a run to measure.
    pub(crate) most_time: Option<Duration>,
    /// The endpoint for runs; `None` for the local Lambda's own address.
    pub(crate) endpoint_url: Option<String>,
    folder: TempDir,
}

/// The state that a run must not change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Footprint {
    configuration: FunctionConfiguration,
    versions: Vec<String>,
    aliases: Vec<(String, String)>,
    tags: HashMap<String, String>,
}

impl Bench {
    /// A function whose handler has this body; `event` and `context` are its arguments.
    pub(crate) async fn new(body: &str) -> Self {
        Self::with(body, Settings::default()).await
    }

    /// The same on a Lambda with these settings.
    pub(crate) async fn with(body: &str, settings: Settings) -> Self {
        let mut bench = Self::empty(settings).await;
        bench.arn = bench.create(FUNCTION, body).await;
        bench
    }

    /// A Lambda with these settings and without a function.
    pub(crate) async fn empty(settings: Settings) -> Self {
        let lambda = LocalLambda::start(settings).await.expect("the local Lambda starts");
        let folder = tempfile::tempdir().expect("a folder");
        let client = client(&lambda);
        let cancelled = CancellationToken::new();
        Self {
            lambda,
            client,
            arn: String::new(),
            cancelled,
            keep: Keep::default(),
            most_time: None,
            endpoint_url: None,
            folder,
        }
    }

    /// Creates another function on the same Lambda.
    pub(crate) async fn create(&self, name: &str, body: &str) -> String {
        let code = self.folder.path().join(name);
        write_handler(&code, body);
        let function = NewFunction {
            name: name.to_owned(),
            code,
            runtime: "python3.11".to_owned(),
            handler: "app.handler".to_owned(),
            memory_mb: u32::try_from(ORIGINAL).expect("it is positive"),
            timeout_s: 20,
            environment: [("KEPT".to_owned(), "yes".to_owned())].into(),
            architecture: None,
        };
        self.lambda.create_function(function).await.expect("the function is created")
    }

    /// The endpoint of the local Lambda, or of the proxy in front of it.
    pub(crate) fn endpoint(&self) -> String {
        self.endpoint_url.clone().unwrap_or_else(|| self.lambda.endpoint_url())
    }

    /// The connection to the local Lambda, direct or through a proxy.
    pub(crate) fn connection(&self, endpoint_url: String) -> Connection {
        let credentials = self.lambda.credentials();
        Connection {
            region: Some("us-east-1".parse().expect("a region")),
            profile: None,
            endpoint_url: Some(endpoint_url),
            credentials: Some((
                credentials.access_key_id.clone(),
                credentials.secret_access_key.clone(),
            )),
        }
    }

    /// Cleans up after runs without a journal on this machine.
    pub(crate) async fn clean(&self, force: bool) -> Result<Cleaned, TuneError> {
        self.clean_at(self.endpoint(), &Journals::default(), force).await
    }

    /// Cleans with the journals of this bench's runs.
    pub(crate) async fn clean_here(&self) -> Result<Cleaned, TuneError> {
        self.clean_at(self.endpoint(), &self.journals(), false).await
    }

    /// Cleans with these journals, through the proxy at this endpoint.
    pub(crate) async fn clean_at(
        &self,
        endpoint_url: String,
        journals: &Journals,
        force: bool,
    ) -> Result<Cleaned, TuneError> {
        let request = request(json!({}));
        let connection = self.connection(endpoint_url);
        let gateway = Gateway::connect(&connection, &request.function).await.expect("a gateway");
        clean(&gateway, &request.function, journals, force, async |_| None).await
    }

    fn journals(&self) -> Journals {
        Journals::at(self.journals_folder())
    }

    pub(crate) fn journals_folder(&self) -> PathBuf {
        self.folder.path().join("journals")
    }

    /// Tunes the function; `fields` are added to a small request.
    pub(crate) async fn tune(&self, fields: Value) -> Result<Ending, TuneError> {
        self.tune_and_hear(fields).await.0.map_err(|unfinished| unfinished.error)
    }

    /// Tunes the function through the proxy at this endpoint.
    pub(crate) async fn tune_at(
        &self,
        endpoint_url: String,
        fields: Value,
    ) -> Result<Ending, Unfinished> {
        self.tune_there(endpoint_url, fields).await.0
    }

    /// Tunes the function and returns its events too.
    pub(crate) async fn tune_and_hear(
        &self,
        fields: Value,
    ) -> (Result<Ending, Unfinished>, Vec<Event>) {
        self.tune_there(self.endpoint(), fields).await
    }

    async fn tune_there(
        &self,
        endpoint_url: String,
        fields: Value,
    ) -> (Result<Ending, Unfinished>, Vec<Event>) {
        let request = request(fields);
        let connection = self.connection(endpoint_url);
        let gateway = Gateway::connect(&connection, &request.function).await.expect("a gateway");
        let (events, mut heard) = Events::channel();
        let context = Context {
            by: "test@host".to_owned(),
            events,
            cancelled: self.cancelled.clone(),
            journals: self.journals(),
            keep: self.keep.clone(),
            prices: Prices::default(),
            most_time: self.most_time,
        };
        // Boxed: the future of a run is large.
        let ending = Box::pin(tune(&gateway, &request, &context)).await;
        drop(context);
        (ending, drain(&mut heard).await)
    }

    /// Tunes the function and expects a result.
    pub(crate) async fn result(&self, fields: Value) -> TuningResult {
        match self.tune(fields).await {
            Ok(Ending::Tuned(result)) => *result,
            other => panic!("a result was expected, not {other:?}"),
        }
    }

    /// Deploys other code to the function under test.
    pub(crate) async fn deploy_code(&self, body: &str) {
        let code = self.folder.path().join("deployed");
        write_handler(&code, body);
        let mut package = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        package.start_file("app.py", zip::write::SimpleFileOptions::default()).expect("an entry");
        let source = fs::read(code.join("app.py")).expect("the code");
        std::io::Write::write_all(&mut package, &source).expect("it is written");
        let package = package.finish().expect("a package").into_inner();
        let update = self.client.update_function_code().function_name(FUNCTION);
        update.zip_file(package.into()).send().await.expect("UpdateFunctionCode");
        self.settled().await;
    }

    /// The function's configuration, after Lambda has finished the test's changes.
    async fn settled(&self) -> FunctionConfiguration {
        loop {
            let function = self.client.get_function().function_name(FUNCTION).send().await;
            let configuration = function.expect("GetFunction").configuration;
            let configuration = configuration.expect("a configuration");
            if configuration.last_update_status != Some(LastUpdateStatus::InProgress) {
                return configuration;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The state that a run must not change.
    pub(crate) async fn footprint(&self) -> Footprint {
        let mut configuration = self.settled().await;
        configuration.revision_id = None;
        configuration.last_modified = None;
        let versions = self.client.list_versions_by_function().function_name(FUNCTION).send().await;
        let versions = versions.expect("ListVersionsByFunction").versions.unwrap_or_default();
        let aliases = self.client.list_aliases().function_name(FUNCTION).send().await;
        let aliases = aliases.expect("ListAliases").aliases.unwrap_or_default();
        let tags = self.client.list_tags().resource(&self.arn).send().await.expect("ListTags");
        Footprint {
            configuration,
            versions: versions.into_iter().filter_map(|version| version.version).collect(),
            aliases: aliases
                .into_iter()
                .map(|alias| {
                    (alias.name.unwrap_or_default(), alias.function_version.unwrap_or_default())
                })
                .collect(),
            tags: tags.tags.unwrap_or_default(),
        }
    }
}

impl Footprint {
    /// The same without the versions of the aliases.
    pub(crate) fn without_aliases(&self) -> Self {
        Self { aliases: Vec::new(), ..self.clone() }
    }
}

/// A small request for the function under test, with these fields.
#[expect(clippy::needless_pass_by_value, reason = "every caller makes the fields in place")]
pub(crate) fn request(fields: Value) -> Request {
    let mut request = json!({ "lambdaARN": FUNCTION, "num": 5, "powerValues": [256, 512] });
    let all = request.as_object_mut().expect("an object");
    all.extend(fields.as_object().expect("an object").clone());
    parse(all).expect("a good request")
}

async fn drain(heard: &mut UnboundedReceiver<Event>) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = heard.recv().await {
        events.push(event);
    }
    events
}

fn write_handler(folder: &Path, body: &str) {
    let indented = body.replace('\n', "\n    ");
    let source = format!(
        "import os, time\ncalls = 0\ndef handler(event, context):\n    global calls\n    \
         calls += 1\n    {indented}\n"
    );
    fs::create_dir_all(folder).expect("a folder for the code");
    fs::write(folder.join("app.py"), source).expect("the code");
}

fn client(lambda: &LocalLambda) -> Client {
    let credentials = lambda.credentials();
    let credentials = Credentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        None,
        None,
        "test",
    );
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(lambda.endpoint_url())
        .credentials_provider(credentials)
        .build();
    Client::from_conf(config)
}

/// A handler body that writes its event to the file in its environment.
pub(crate) const LOGGING: &str =
    "import json\nwith open(os.environ['LOG'], 'a') as f: f.write(json.dumps(event) + '\\n')";

/// Sets the file that a function writes to.
pub(crate) async fn log_to(bench: &Bench, function: &str, path: &Path) {
    let variables = Environment::builder().variables("LOG", path.display().to_string()).build();
    let update = bench.client.update_function_configuration().function_name(function);
    update.environment(variables).send().await.expect("UpdateFunctionConfiguration");
    loop {
        let configuration =
            bench.client.get_function_configuration().function_name(function).send().await;
        let status = configuration.expect("a configuration").last_update_status;
        if status == Some(LastUpdateStatus::Successful) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
