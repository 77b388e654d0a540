//! What a function sees of the machine.

use std::{collections::BTreeMap, path::Path};

use powertune_local::CpuControl;
use serde_json::json;

use crate::{
    Add,
    stage::{Stage, block_on},
};

pub(crate) fn trials(add: &mut Add<'_>) {
    add("a function has Lambda's variables and none of ours", None, |cpu| {
        block_on(variables(cpu));
    });
    add("environments have folders and credentials of their own", None, |cpu| {
        block_on(of_their_own(cpu));
    });
}

/// Names that Python or the system may add to any process.
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
    stage.python("g", crate::stage::HANDLER, 256, 30).await;
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
}
