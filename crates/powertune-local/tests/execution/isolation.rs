//! The parts of the machine that a function can see.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use powertune_local::{CpuControl, Credentials, Settings};
use serde_json::{Value, json};

use crate::{
    Add, SERVE,
    bed::{Bed, Draft, send},
    stage::{HANDLER, Stage, block_on, ended},
};

pub(crate) fn trials(add: &mut Add<'_>) {
    add("a function has Lambda's variables and none of ours", None, |cpu| {
        block_on(variables(cpu));
    });
    add("environments have folders and credentials of their own", None, |cpu| {
        block_on(of_their_own(cpu));
    });
    add("a function's key is good here, as long as its environment lives", None, |cpu| {
        block_on(key_of_its_own(cpu));
    });
    add("web pages are kept from the Runtime API", None, |cpu| block_on(runtime_api(cpu)));
    add("what whoever started the server gave it is not the function's", None, secret);
}

/// Python or the system may add these names to any process.
const FOREIGN: [&str; 2] = ["LC_CTYPE", "__CF_USER_TEXT_ENCODING"];

async fn variables(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 512, 30).await;
    let answer = stage.f(json!({"do": "environment"})).await;
    let found: BTreeMap<String, String> = serde_json::from_value(answer.result().clone()).unwrap();
    let names = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL_LAMBDA",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_FORMAT",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "HOME",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "OWN",
        "PATH",
        "TMPDIR",
        "TZ",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    ];
    let seen: Vec<&str> =
        found.keys().map(String::as_str).filter(|name| !FOREIGN.contains(name)).collect();
    assert_eq!(seen, names);
    let expected = [
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_ENDPOINT_URL_LAMBDA", &stage.bed.lambda.endpoint_url()),
        ("AWS_REGION", stage.bed.lambda.region()),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11"),
        ("_HANDLER", "app.handler"),
        ("TZ", ":UTC"),
        ("OWN", "value"),
    ];
    for (name, value) in expected {
        assert_eq!(found[name], value, "{name}");
    }
}

async fn of_their_own(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 256, 30).await;
    stage.python("g", HANDLER, 256, 30).await;
    let (f, g) = tokio::join!(
        stage.invoke("f", json!({"do": "environment"})),
        stage.invoke("g", json!({"do": "environment"})),
    );
    let (f, g) = (f.result(), g.result());
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TMPDIR", "AWS_LAMBDA_RUNTIME_API"] {
        assert_ne!(f[name], g[name], "{name}");
    }
    assert_ne!(f["AWS_ACCESS_KEY_ID"], json!(stage.bed.lambda.credentials().access_key_id));
    assert!(Path::new(f["TMPDIR"].as_str().unwrap()).is_dir());
    let place = stage.f(json!({"do": "where"})).await;
    assert_eq!(place.result()[0], f["LAMBDA_TASK_ROOT"]);
    for name in ["TMPDIR", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"] {
        let mode = std::fs::metadata(f[name].as_str().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{name}");
    }
}

/// The key pair of an environment.
fn key_in(environment: &Value) -> Credentials {
    let text = |name: &str| environment[name].as_str().unwrap().to_owned();
    Credentials {
        access_key_id: text("AWS_ACCESS_KEY_ID"),
        secret_access_key: text("AWS_SECRET_ACCESS_KEY"),
        session_token: Some(text("AWS_SESSION_TOKEN")),
    }
}

async fn key_of_its_own(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 256, 30).await;
    let told = stage.f(json!({"do": "environment"})).await;
    let environment = told.result();
    let draft = |bed: &Bed, token: bool| {
        let mut key = key_in(environment);
        key.session_token = key.session_token.filter(|_| token);
        Draft { key, ..bed.draft("GET", "/2015-03-31/functions", "") }.signed()
    };
    let answer = stage.bed.send(&draft(&stage.bed, true)).await;
    assert_eq!(answer.status, 200);
    let answer = stage.bed.send(&draft(&stage.bed, false)).await;
    assert_eq!(answer.error_type(), "UnrecognizedClientException", "without the token");
    let other = Bed::start(Settings { cpu, ..Settings::default() }).await;
    let answer = other.send(&draft(&other, true)).await;
    assert_eq!(answer.error_type(), "UnrecognizedClientException", "on another server");

    stage.bed.client.delete_function().function_name("f").send().await.unwrap();
    ended(told.pid()).await;
    while stage.bed.send(&draft(&stage.bed, true)).await.status == 200 {
        tokio::task::yield_now().await;
    }
    let answer = stage.bed.send(&draft(&stage.bed, true)).await;
    assert_eq!(answer.error_type(), "UnrecognizedClientException", "after its end");
}

async fn runtime_api(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 256, 30).await;
    let environment = stage.f(json!({"do": "environment"})).await.result().clone();
    let address = environment["AWS_LAMBDA_RUNTIME_API"].as_str().unwrap();
    let next = Draft {
        host: address.to_owned(),
        ..stage.bed.draft("GET", "/2018-06-01/runtime/invocation/next", "")
    };
    let rebound = Draft { host: "rebound.example".to_owned(), ..next.clone() };
    let origin = ("origin".to_owned(), "http://page.example".to_owned());
    let page = Draft { headers: vec![origin], ..next };
    for request in [rebound, page] {
        let answer = send(address, &request.unsigned()).await;
        assert_eq!((answer.status, &answer.json()["errorType"]), (403, &json!("AccessDenied")));
    }
    let answer = stage.f(json!({})).await;
    assert_eq!(answer.error, None, "its events are still its own");
}

/// Starts a server with secrets in its environment and in an open file, and checks that its
/// function can't find them.
fn secret(cpu: CpuControl) {
    const SECRET: &str = "not-for-functions";

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(SECRET);
    std::fs::write(&file, "").unwrap();
    // A file that the shell opens stays open in the program after `exec`.
    let server = Command::new("sh")
        .args(["-c", "exec 9<\"$1\"; exec \"$0\""])
        .args([std::env::current_exe().unwrap(), file])
        .env(SERVE, format!("{cpu:?} environment"))
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_PROFILE", SECRET)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", SECRET)
        .env("DATABASE_PASSWORD", SECRET)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let told = String::from_utf8(server.stdout).unwrap();
    assert!(told.contains("AWS_SECRET_ACCESS_KEY") && told.contains("/dev/null"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
}
