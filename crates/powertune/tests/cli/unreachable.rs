//! Endpoints out of reach, and refused calls: every command gives the same message and exit code.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    process::Command,
    thread,
};

use crate::binary::{powertune, stderr};

const COMMANDS: [&[&str]; 5] = [
    &["tune", "fn"],
    &["clean", "fn"],
    &["run", "fn", "--state-machine", "arn:aws:states:us-east-1:123456789012:stateMachine:x"],
    &["run", "fn"],
    &["run", "fn", "--stack", "powertune"],
];

/// Names of layers below the message, which must not be in it.
const LAYERS: [&str; 6] =
    ["dispatch failure", "io error", "client error", "tcp connect", "os error", "service error"];

/// The URL of a port without a listener.
fn closed() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// A server that answers every connection with these bytes.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // The client may have closed the connection.
            let _ = client.read(&mut [0; 8192]).and_then(|_| client.write_all(answer.as_bytes()));
        }
    });
    address
}

fn command(arguments: &[&str], url: &str) -> Command {
    let mut command = powertune(arguments);
    command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret");
    command.env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL", url);
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

/// Checks that every command fails at this endpoint in this way.
fn all_fail(url: &str, code: i32, message: &str, change: impl Fn(&mut Command) + Sync) {
    thread::scope(|scope| {
        for arguments in COMMANDS {
            let change = &change;
            scope.spawn(move || {
                let mut command = command(arguments, url);
                change(&mut command);
                let output = command.output().expect("powertune runs");
                let said = stderr(&output);
                assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
                assert!(said.contains(message), "{arguments:?}: {said}");
                for layer in LAYERS {
                    assert!(!said.contains(layer), "{layer} in {said}");
                }
            });
        }
    });
}

#[test]
fn a_closed_port_is_named() {
    let address = closed();
    let message =
        format!(": cannot reach http://{address}: connection refused (check the region, ");
    all_fail(&format!("http://{address}"), 1, &message, |_| ());
}

#[test]
fn a_host_without_an_address_is_named() {
    let url = "http://host.invalid";
    let message = ": cannot reach http://host.invalid: its name can't be looked up (";
    all_fail(url, 1, message, |_| ());
}

#[test]
fn a_server_without_tls_is_named() {
    let address = server("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    let message = format!(
        ": cannot reach https://{address}: it does not speak TLS; its URL may have to begin with \
         http://"
    );
    all_fail(&format!("https://{address}"), 1, &message, |_| ());
}

#[test]
fn an_expired_token_is_a_refusal() {
    let address = server(
        "HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: ExpiredTokenException\r\n\
         connection: close\r\ncontent-length: 72\r\n\r\n\
         {\"__type\":\"ExpiredTokenException\",\"message\":\"The token has expired now\"}",
    );
    let message = ": ExpiredTokenException: The token has expired now (set AWS_PROFILE or ";
    all_fail(&format!("http://{address}"), 2, message, |_| ());
}

#[test]
fn no_credentials_are_a_refusal() {
    let url = format!("http://{}", closed());
    let message = ": no usable AWS credentials were found (set AWS_PROFILE or ";
    all_fail(&url, 2, message, |command| {
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    });
}

#[test]
fn an_execution_that_may_have_started_is_told_of() {
    let address = server("");
    let url = format!("http://{address}");
    let output = command(COMMANDS[2], &url).output().expect("powertune runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    let message = format!("StartExecution: the connection to {url} broke before the answer: ");
    assert!(said.contains(&message) && said.contains("it is not known whether"), "{said}");
}

#[test]
fn generate_says_that_nothing_was_written() {
    let output = powertune(&["generate", "asl", "--for", "tune"]).output().expect("it runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.ends_with("nothing was written; see powertune generate --help\n"), "{said}");
}
