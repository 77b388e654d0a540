//! The credentials that sign a call: wrong ones would tune a function of another account.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

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
    url: String,
    /// The access keys that signed the requests, in order.
    keys: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let keys = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&keys);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // The client may have closed the connection.
                let _ = answer(client, &seen);
            }
        });
        Self { url, keys }
    }

    /// A command that calls this endpoint with the keys of the environment.
    fn powertune(&self, arguments: &[&str]) -> Command {
        let mut command = powertune(arguments);
        command.env("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT").env("AWS_SECRET_ACCESS_KEY", "secret");
        command.env("AWS_ENDPOINT_URL", &self.url).env("AWS_REGION", "us-east-1");
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

fn answer(client: TcpStream, keys: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let (mut length, mut token) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let lower = line.to_ascii_lowercase();
        if let Some(given) = lower.strip_prefix("content-length: ") {
            length = given.trim().parse().unwrap_or(0);
        }
        if lower.starts_with("x-amz-security-token: ") {
            line.trim_end().clone_into(&mut token);
        }
        if let Some((_, signed)) = line.split_once("Credential=") {
            let key = signed.split('/').next().unwrap_or_default().to_owned();
            keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        }
        if line.trim_end().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let role = "<AssumeRoleResponse><AssumeRoleResult><Credentials>\
                <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                <SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>\
                </Credentials></AssumeRoleResult></AssumeRoleResponse>";
    let refused = json!({ "__type": "ValidationException", "message": token, "Message": token });
    let (status, text) = if String::from_utf8_lossy(&body).contains("Action=AssumeRole") {
        ("200 OK", role.to_owned())
    } else {
        ("400 Bad Request", refused.to_string())
    };
    let length = text.len();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n");
    write!(reader.get_mut(), "{head}\r\n{text}")
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
