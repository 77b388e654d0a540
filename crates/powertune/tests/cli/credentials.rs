//! The credentials that sign a call: wrong ones would tune a function of another account.

use std::{
    fs, io,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use hyper::{Response, StatusCode, header::AUTHORIZATION, http::request::Parts};
use powertune_testing::Server;
use serde_json::json;

use crate::binary::{powertune, stderr};

const COMMANDS: [&[&str]; 3] = [
    &["tune", "fn", "--dry-run"],
    &["clean", "fn"],
    &["run", "fn", "--state-machine", "arn:aws:states:us-east-1:123456789012:stateMachine:x"],
];

const FILE: &str = "\
[profile other]
aws_access_key_id = AKIAOTHER
aws_secret_access_key = other
[profile role]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = other
[profile process]
credential_process = echo '{\"Version\":1,\"AccessKeyId\":\"AKIAPROCESS\",\"SecretAccessKey\":\"s\"}'
[profile empty]
region = eu-west-1
";

/// A part of AWS that gives a role's credentials. It refuses all other calls, and repeats the
/// session token.
struct Endpoint {
    server: Server,
    /// The access keys that signed the requests, in order.
    keys: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    fn start() -> Self {
        let keys = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&keys);
        let server = Server::alone(move |head, body| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).extend(key(&head));
            async move { answer(&head, &body) }
        });
        Self { server, keys }
    }

    /// A command that calls this endpoint with the keys of the environment.
    fn powertune(&self, arguments: &[&str]) -> Command {
        let mut command = powertune(arguments);
        command.env("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT").env("AWS_SECRET_ACCESS_KEY", "secret");
        command.env("AWS_ENDPOINT_URL", self.server.url()).env("AWS_REGION", "us-east-1");
        command
    }

    /// The access keys that sign the requests of this command.
    fn keys_of(&self, arguments: &[&str], profile: &str) -> Vec<String> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config");
        fs::write(&config, FILE).expect("a configuration");
        let mut command = self.powertune(&[arguments, &["--profile", profile]].concat());
        command.env("AWS_CONFIG_FILE", config).env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        let output = command.output().expect("powertune runs");
        assert!(!output.status.success(), "{}", stderr(&output));
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The access key that signed a request.
fn key(head: &Parts) -> Option<String> {
    let signature = head.headers.get(AUTHORIZATION)?.to_str().ok()?;
    signature.split_once("Credential=")?.1.split('/').next().map(str::to_owned)
}

fn answer(head: &Parts, body: &Bytes) -> io::Result<Response<String>> {
    if String::from_utf8_lossy(body).contains("Action=AssumeRole") {
        let role = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
                    <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                    <SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
                    </Credentials></AssumeRoleResult></AssumeRoleResponse>";
        return Ok(Response::new(role.to_owned()));
    }
    let token = head.headers.get("x-amz-security-token").and_then(|token| token.to_str().ok());
    let token = token.map_or_else(String::new, |token| format!("x-amz-security-token: {token}"));
    let refused = json!({ "__type": "ValidationException", "message": token, "Message": token });
    let answer = Response::builder().status(StatusCode::BAD_REQUEST).body(refused.to_string());
    answer.map_err(io::Error::other)
}

#[test]
fn a_profile_that_is_named_goes_before_the_keys_of_the_environment() {
    let endpoint = Endpoint::start();
    for command in COMMANDS {
        assert_eq!(endpoint.keys_of(command, "other"), ["AKIAOTHER"], "{command:?}");
        assert_eq!(endpoint.keys_of(command, "process"), ["AKIAPROCESS"], "{command:?}");
        let [first, then] = ["AKIAOTHER", "ASIAROLE"];
        assert_eq!(endpoint.keys_of(command, "role"), [first, then], "{command:?}");
        // A profile without credentials does not make powertune use the environment's.
        assert_eq!(endpoint.keys_of(command, "empty"), [""; 0], "{command:?}");
    }
}

#[test]
fn a_session_token_that_aws_repeats_is_not_printed() {
    let endpoint = Endpoint::start();
    let token = "IQoJb3JpZ2luX2VjEXAMPLETOKEN";
    for command in COMMANDS {
        let output = endpoint.powertune(command).env("AWS_SESSION_TOKEN", token).output();
        let said = stderr(&output.expect("powertune runs"));
        assert!(said.to_lowercase().contains("x-amz-security-token: (secret)"), "{said}");
        assert!(!said.contains(token), "{said}");
    }
}
