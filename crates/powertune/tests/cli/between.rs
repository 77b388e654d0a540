//! Programs between powertune and AWS that answer instead of AWS.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Command, Output, Stdio},
};

use crate::binary::{powertune, stderr};

/// Starts a server that answers each request in this way; returns its URL.
fn answering(answer: fn(&mut TcpStream) -> std::io::Result<()>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let head = client.try_clone().map(BufReader::new).expect("a duplicate").lines();
            // Requests that only read have no body.
            head.map_while(Result::ok).find(String::is_empty);
            // The client may have closed the connection.
            let _ = answer(&mut client);
        }
    });
    format!("http://{address}")
}

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
    let page = |client: &mut TcpStream| {
        let text = "<html>log in</html>";
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n";
        write!(client, "{head}content-length: {}\r\n\r\n{text}", text.len())
    };
    let redirect = |client: &mut TcpStream| {
        let head = "HTTP/1.1 301 Moved Permanently\r\nlocation: http://login.example/\r\n";
        write!(client, "{head}connection: close\r\ncontent-length: 0\r\n\r\n")
    };
    for (answer, status) in [(page as fn(&mut TcpStream) -> _, 200), (redirect, 301)] {
        let output = tune("AWS_ENDPOINT_URL", &answering(answer));
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
    let endless = |client: &mut TcpStream| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
        write!(client, "{head}transfer-encoding: chunked\r\n\r\n")?;
        let chunk = [b"100000\r\n", vec![b' '; 1 << 20].as_slice(), b"\r\n"].concat();
        loop {
            client.write_all(&chunk)?;
        }
    };
    let tuned = command("AWS_ENDPOINT_URL", &answering(endless));
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
