//! The Runtime API and the platform's lines, compared with AWS's own runtime interface emulator.
//! The same bootstrap runs on both and prints the answers.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use libtest_mimic::Trial;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use powertune_local::CpuControl;
use serde_json::{Value, json};

use crate::{
    stage::{Stage, block_on},
    trial,
};

/// Path of the emulator, if it is not among the peers.
const EMULATOR: &str = "POWERTUNE_RIE";
/// The path in which `cargo xtask peers` installs it.
const PEER: &str = "../../target/peers/aws-lambda-rie";

pub(crate) fn trials() -> Vec<Trial> {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join(PEER);
    let path = std::env::var_os(EMULATOR).map_or(peer, PathBuf::from);
    let missing = (!path.is_file())
        .then(|| format!("AWS's emulator is not installed: cargo xtask peers, or {EMULATOR}"));
    vec![trial("lines and Runtime API are the emulator's", missing.as_deref(), move || {
        block_on(agrees(&path));
    })]
}

/// Misuses the Runtime API before and after a correct answer, and prints the answers.
const BOOTSTRAP: &str = r#"#!/usr/bin/env python3
import http.client, os
def call(method, path, body=None, headers={}):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request(method, "/2018-06-01/runtime" + path, body, headers)
    response = api.getresponse()
    return response.status, response.headers, response.read()
def tell(what, method, path, *args):
    status, headers, body = call(method, path, *args)
    print("TOLD", what, status, headers["Content-Type"], body, flush=True)
tell("response without an event", "POST", "/invocation/none/response", b"1")
while True:
    status, headers, event = call("GET", "/invocation/next")
    known = ["Content-Type", "Lambda-Runtime-Aws-Request-Id", "Lambda-Runtime-Deadline-Ms",
             "Lambda-Runtime-Invoked-Function-Arn"]
    print("TOLD event", status, [name for name in known if name in headers], event, flush=True)
    path = "/invocation/" + headers["Lambda-Runtime-Aws-Request-Id"]
    tell("init error while running", "POST", "/init/error", b"{}")
    tell("next while running", "GET", "/invocation/next")
    tell("response of another", "POST", "/invocation/other/response", b"1")
    if b"fail" in event:
        error = {"Lambda-Runtime-Function-Error-Type": "My.Error"}
        tell("error", "POST", path + "/error", b'{"errorType":"My.Error","errorMessage":"m"}', error)
    elif b"large" in event:
        tell("too large", "POST", path + "/response", b"x" * 6291557)
    else:
        tell("response", "POST", path + "/response", b'{"fine":true}')
    tell("a second response", "POST", path + "/response", b"2")
    tell("a second error", "POST", path + "/error", b"{}")
    tell("no such call", "POST", "/nowhere", b"")
"#;

const EVENTS: [&str; 4] = ["{}", r#"{"n":1}"#, r#""fail""#, r#""large""#];

async fn agrees(emulator: &Path) {
    let stage = Stage::set(CpuControl::Signals).await;
    let function = stage.function("f", "provided.al2023", "unused", 3008, 30);
    let bootstrap = function.code.join("bootstrap");
    stage.create(function, &[("bootstrap", BOOTSTRAP)]).await;
    let mut theirs = Emulator::start(emulator, &bootstrap);
    for event in EVENTS {
        let (their_payload, their_log) = theirs.invoke(event);
        let ours = stage.f(serde_json::from_str(event).unwrap()).await;
        assert_eq!(ours.payload, their_payload, "{event}");
        assert_eq!(shape(&ours.log), shape(&their_log), "{event}");
    }
}

/// The lines to compare: without ids and figures, and with the fields of a report in one order.
fn shape(log: &str) -> Vec<String> {
    let known = ["START ", "END ", "REPORT ", "TOLD "];
    let lines = log.lines().filter(|line| known.iter().any(|known| line.starts_with(known)));
    let mut shape: Vec<String> = lines.map(shape_of_line).collect();
    // The emulator writes START before the init, Lambda and we after it.
    if let Some(start) = shape.iter().position(|line| line.starts_with("START ")) {
        shape[..=start].rotate_right(1);
    }
    shape
}

fn shape_of_line(line: &str) -> String {
    if line.starts_with("TOLD ") {
        return line.to_owned();
    }
    let mut fields: Vec<String> = line.split('\t').map(blank).collect();
    fields.sort_unstable();
    fields.join("\t")
}

/// Digits become one `0`, ids become `ID`.
fn blank(field: &str) -> String {
    let words = field.split(' ').map(|word| {
        if word.len() == 36 && word.matches('-').count() == 4 {
            return "ID".to_owned();
        }
        let mut blanked = String::new();
        for c in word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }) {
            if c != '0' || !blanked.ends_with('0') {
                blanked.push(c);
            }
        }
        blanked
    });
    words.collect::<Vec<String>>().join(" ")
}

struct Emulator {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    port: u16,
}

impl Emulator {
    fn start(program: &Path, bootstrap: &Path) -> Self {
        let [port, runtime_port] = free_ports();
        let mut process = Command::new(program)
            .arg("--runtime-interface-emulator-address")
            .arg(format!("127.0.0.1:{port}"))
            .arg("--runtime-api-address")
            .arg(format!("127.0.0.1:{runtime_port}"))
            .arg(bootstrap)
            .env("AWS_LAMBDA_FUNCTION_NAME", "f")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output, port }
    }

    /// The answer, and the output until the report.
    fn invoke(&mut self, event: &str) -> (Value, String) {
        let payload = self.post(event);
        let mut log = String::new();
        while !log.lines().last().is_some_and(|line| line.starts_with("REPORT ")) {
            assert_ne!(self.output.read_line(&mut log).unwrap(), 0, "it has ended: {log}");
        }
        (serde_json::from_str(&payload).unwrap_or_else(|_| json!(payload)), log)
    }

    fn post(&self, event: &str) -> String {
        let mut stream = loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                break stream;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        let path = "/2015-03-31/functions/function/invocations";
        let length = event.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: \
             {length}\r\n\r\n{event}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let group = Pid::from_raw(self.process.id().try_into().unwrap());
        killpg(group, Signal::SIGKILL).unwrap();
        self.process.wait().unwrap();
    }
}

fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
