//! A function on the test's own local Lambda, behind a proxy that spoils answers.

use std::{
    collections::BTreeMap,
    fs,
    future::pending,
    io,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, http::request::Parts};
use powertune_local::{LocalLambda, NewFunction, Settings};
use powertune_testing::{Server, Upstream};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::binary;

/// The function under test, and the memory size that it is created with.
pub(crate) const FUNCTION: &str = "fn";
const ORIGINAL_MB: u32 = 512;

/// The fault of a request, which is not passed on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spoilt {
    /// Lambda refuses it with this status and this exception.
    Refused(u16, &'static str),
    /// Lambda refuses it with this status, exception and message.
    Said(u16, &'static str, &'static str),
    /// There is never an answer.
    Silent,
}

/// Decides on the last of these requests, each a method, path and query.
pub(crate) type Rule = Arc<dyn Fn(&[String]) -> Option<Spoilt> + Send + Sync>;

/// A local Lambda, and a host on which `powertune` runs.
pub(crate) struct Stage {
    runtime: Runtime,
    lambda: LocalLambda,
    proxies: Mutex<Vec<Server>>,
    pub(crate) folder: TempDir,
}

impl Stage {
    /// A stage with a Python function whose handler has this body, and a function `post` that
    /// returns 1.
    pub(crate) fn new(body: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let lambda = runtime.block_on(LocalLambda::start(Settings::default()));
        let lambda = lambda.expect("the local Lambda starts");
        let stage = Self { runtime, lambda, proxies: Mutex::default(), folder };
        stage.create(FUNCTION, body);
        stage.create("post", "return 1");
        stage
    }

    fn create(&self, name: &str, body: &str) {
        let code = self.folder.path().join(name);
        fs::create_dir(&code).expect("a folder");
        let source = format!("import time\ndef handler(event, context):\n    {body}\n");
        fs::write(code.join("app.py"), source).expect("the code");
        let function = NewFunction {
            name: name.to_owned(),
            code,
            runtime: "python3.11".to_owned(),
            handler: "app.handler".to_owned(),
            memory_mb: ORIGINAL_MB,
            timeout_s: 30,
            environment: BTreeMap::new(),
            architecture: None,
        };
        let created = self.runtime.block_on(self.lambda.create_function(function));
        created.expect("the function is created");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The environment variables for a process that calls the local Lambda.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.lambda.environment();
        environment.push(("XDG_STATE_HOME", self.path("state").display().to_string()));
        environment
    }

    pub(crate) fn powertune(&self, arguments: &[&str]) -> Command {
        let mut command = binary::powertune(arguments);
        command.envs(self.environment());
        command
    }

    /// `powertune` behind a proxy with this rule.
    pub(crate) fn spoilt(&self, arguments: &[&str], rule: Rule) -> Command {
        let environment = self.environment();
        let upstream = Upstream::of(&environment);
        let front = Arc::new(Front { upstream, rule, seen: Mutex::default() });
        let _entered = self.runtime.enter();
        let proxy = Server::start(move |head, body| Arc::clone(&front).answer(head, body));
        let mut command = self.powertune(arguments);
        command.envs(proxy.in_front_of(environment));
        self.proxies.lock().unwrap_or_else(PoisonError::into_inner).push(proxy);
        command
    }

    /// Checks that `powertune clean` finds nothing to put back.
    pub(crate) fn must_be_clean(&self) {
        let cleaned = self.powertune(&["clean", FUNCTION]).output().expect("powertune runs");
        let said = binary::stdout(&cleaned);
        assert!(said.contains("nothing to clean up"), "{said} {}", binary::stderr(&cleaned));
        assert_eq!(self.memory_mb(), ORIGINAL_MB);
    }

    pub(crate) fn memory_mb(&self) -> u32 {
        let arguments = ["tune", FUNCTION, "--dry-run", "--output", "json", "--quiet"];
        let few = ["--power-values", "512"];
        let output = self.powertune(&[&arguments[..], &few].concat()).output();
        let output = output.expect("powertune runs");
        let plan: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
                panic!("{error}: {}", binary::stderr(&output));
            });
        let mb = plan["currentPower"].as_u64().and_then(|mb| u32::try_from(mb).ok());
        mb.expect("the plan has the function's power")
    }
}

struct Front {
    upstream: Upstream,
    rule: Rule,
    seen: Mutex<Vec<String>>,
}

impl Front {
    async fn answer(
        self: Arc<Self>,
        head: Parts,
        body: Bytes,
    ) -> io::Result<Response<Full<Bytes>>> {
        let spoilt = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(format!("{} {}", head.method, head.uri));
            (self.rule)(&seen)
        };
        match spoilt {
            None => Ok(self.upstream.call(head, body).await?.map(Full::new)),
            Some(Spoilt::Silent) => pending().await,
            Some(Spoilt::Refused(status, exception)) => {
                refusal(status, exception, "as the test wants it")
            }
            Some(Spoilt::Said(status, exception, message)) => refusal(status, exception, message),
        }
    }
}

fn refusal(status: u16, exception: &str, message: &str) -> io::Result<Response<Full<Bytes>>> {
    Response::builder()
        .status(status)
        .header("x-amzn-errortype", exception)
        .header("content-type", "application/json")
        .body(Full::new(serde_json::json!({ "message": message }).to_string().into()))
        .map_err(io::Error::other)
}

/// The number of these requests that invoke a version.
pub(crate) fn invocations(seen: &[String]) -> usize {
    let invokes = |request: &&String| {
        request.starts_with("POST") && request.contains("/invocations?Qualifier=")
    };
    seen.iter().filter(invokes).count()
}
