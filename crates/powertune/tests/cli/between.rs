//! Programs between powertune and AWS that answer instead of AWS.

use std::{
    io,
    process::{Command, Output, Stdio},
};

use bytes::Bytes;
use futures::stream;
use http_body_util::StreamBody;
use hyper::{
    Response,
    body::Frame,
    header::{CONTENT_TYPE, LOCATION},
};
use powertune_testing::Server;

use crate::binary::{powertune, stderr};

/// `powertune tune` with this variable.
fn command(name: &str, value: &str) -> Command {
    let mut command = powertune(&["tune", "fn", "--num", "5"]);
    command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret");
    command.env("AWS_REGION", "us-east-1").env("NO_PROXY", "").env(name, value);
    command
}

fn tune(name: &str, value: &str) -> Output {
    command(name, value).output().expect("powertune runs")
}

#[test]
fn a_login_page_and_a_redirect_are_not_aws() {
    let page = (200, CONTENT_TYPE, "text/html", "<html>log in</html>");
    let redirect = (301, LOCATION, "http://login.example/", "");
    for (status, header, value, body) in [page, redirect] {
        let server = Server::alone(move |_, _| {
            let answer =
                Response::builder().status(status).header(&header, value).body(body.to_owned());
            async { answer.map_err(io::Error::other) }
        });
        let output = tune("AWS_ENDPOINT_URL", &server.url());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let words = format!("the answer (HTTP status {status}) does not come from AWS");
        assert!(said.contains(&words) && said.contains("--endpoint-url"), "{said}");
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named_without_its_password() {
    let output = tune("HTTPS_PROXY", "http://user:s3cr3t@127.0.0.1:1/");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("HTTPS_PROXY names the proxy 127.0.0.1:1"), "{said}");
    assert!(!said.contains("s3cr3t"), "{said}");
}

#[test]
fn an_answer_without_an_end_does_not_fill_the_memory() {
    let server = Server::alone(|_, _| async {
        let blanks = Bytes::from(vec![b' '; 1 << 20]);
        let blanks = stream::repeat_with(move || Ok::<_, io::Error>(Frame::data(blanks.clone())));
        let answer = Response::builder().header(CONTENT_TYPE, "application/json");
        answer.body(StreamBody::new(blanks)).map_err(io::Error::other)
    });
    let tuned = command("AWS_ENDPOINT_URL", &server.url());
    let mut shell = Command::new("sh");
    // In kB of addresses; the threads' stacks are among them.
    shell.args(["-c", "ulimit -v 2000000 && exec \"$0\" \"$@\""]);
    shell.arg(tuned.get_program()).args(tuned.get_args()).stdin(Stdio::null());
    shell.env_clear().envs(tuned.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.output().expect("a shell");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("GetFunction") && said.contains("nothing was changed"), "{said}");
}
