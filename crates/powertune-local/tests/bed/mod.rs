//! A local Lambda with an AWS client, for tests that call it as its users do.

#![allow(dead_code, reason = "every test program uses another part")]
#![allow(clippy::unwrap_used, reason = "a test whose bed fails has failed")]

mod sign;

use std::{collections::BTreeMap, io, path::Path, time::SystemTime};

use aws_sdk_lambda::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::{FunctionCode, Runtime},
};
use powertune_local::{LocalLambda, NewFunction, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) use self::sign::{Draft, Wire};

/// Signs the requests of functions.
pub(crate) const SIGV4: &str = include_str!("sigv4.py");

/// Follows its event: sleeps, fails, waits for a file, writes a file, returns a long answer.
pub(crate) const HANDLER: &str = include_str!("handler.py");

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/test";

pub(crate) struct Bed {
    pub(crate) lambda: LocalLambda,
    pub(crate) client: Client,
    pub(crate) folder: tempfile::TempDir,
}

impl Bed {
    pub(crate) async fn start(settings: Settings) -> Self {
        let lambda = LocalLambda::start(settings).await.unwrap();
        let pair = lambda.credentials();
        let (id, secret) = (&pair.access_key_id, &pair.secret_access_key);
        let credentials = Credentials::new(id, secret, pair.session_token.clone(), None, "test");
        let config = aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(lambda.endpoint_url())
            .region(Region::new(lambda.region().to_owned()))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .build();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.py"), HANDLER).unwrap();
        std::fs::write(folder.path().join("sigv4.py"), SIGV4).unwrap();
        Self { lambda, client: Client::from_conf(config), folder }
    }

    /// Creates an active Python function without HTTP.
    pub(crate) async fn function(&self, name: &str, memory_mb: u32) -> String {
        self.lambda.create_function(self.new_function(name, memory_mb)).await.unwrap()
    }

    pub(crate) fn new_function(&self, name: &str, memory_mb: u32) -> NewFunction {
        NewFunction {
            name: name.to_owned(),
            code: self.folder.path().to_owned(),
            runtime: "python3.11".to_owned(),
            handler: "app.handler".to_owned(),
            memory_mb,
            timeout_s: 30,
            environment: BTreeMap::new(),
            architecture: None,
        }
    }

    /// A complete `CreateFunction` call.
    pub(crate) fn create(
        &self,
        name: &str,
    ) -> aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder {
        self.client
            .create_function()
            .function_name(name)
            .runtime(Runtime::from("python3.11"))
            .handler("app.handler")
            .role(ROLE)
            .code(FunctionCode::builder().zip_file(Blob::new(zip_of("app.py", HANDLER))).build())
    }

    /// Waits until a change of the function is in effect.
    pub(crate) async fn settled(&self, name: &str) {
        loop {
            let read = self.client.get_function_configuration().function_name(name);
            let read = read.send().await.unwrap();
            let update = read.last_update_status().map(|status| status.as_str().to_owned());
            if update.as_deref() == Some("Successful") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// An unsigned request with the server's own key.
    pub(crate) fn draft(&self, method: &str, path: &str, body: &str) -> Draft {
        Draft {
            method: method.to_owned(),
            path: path.to_owned(),
            host: self.lambda.endpoint_url().replace("http://", ""),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            key: self.lambda.credentials().clone(),
            region: self.lambda.region().to_owned(),
            service: "lambda".to_owned(),
            time: SystemTime::now(),
        }
    }

    /// Sends a request unchanged, over a new connection.
    pub(crate) async fn send(&self, request: &Wire) -> RawResponse {
        send(&self.lambda.endpoint_url(), request).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> RawResponse {
        self.send(&self.draft(method, path, body).signed()).await
    }
}

pub(crate) async fn send(url: &str, request: &Wire) -> RawResponse {
    let mut stream = TcpStream::connect(url.replace("http://", "")).await.unwrap();
    stream.write_all(&request.bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    RawResponse::parse(&response)
}

#[derive(Debug)]
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl RawResponse {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn error_type(&self) -> &str {
        self.headers.get("x-amzn-errortype").map_or("", String::as_str)
    }
}

pub(crate) fn zip_of(name: &str, content: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::DEFAULT).unwrap();
    io::Write::write_all(&mut zip, content.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

/// The name of the exception of a refused call.
pub(crate) fn code<T: std::fmt::Debug, E, R>(result: Result<T, SdkError<E, R>>) -> String
where
    E: ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    let error = result.expect_err("the call was meant to be refused");
    error.code().unwrap_or_else(|| panic!("no exception: {error:?}")).to_owned()
}

/// Waits for a file that a function writes.
pub(crate) async fn appears(path: &Path) {
    while !path.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
