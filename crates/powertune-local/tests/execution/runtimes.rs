//! The runtimes beside Python, and the styles of handlers.

use powertune_local::CpuControl;
use serde_json::{Value, json};

use crate::{
    Add, program,
    stage::{Stage, block_on},
};

pub(crate) fn trials(add: &mut Add<'_>) {
    let node = program("node").is_none().then_some("no node in PATH");
    add("a bootstrap speaks the Runtime API", None, |cpu| block_on(bootstrap(cpu)));
    add("Node.js handlers of every style", node, |cpu| block_on(node_styles(cpu)));
    add("Node.js modules of every kind", node, |cpu| block_on(node_modules(cpu)));
    add("Node.js errors of every kind", node, |cpu| block_on(node_errors(cpu)));
}

/// Streams its answers in chunks.
const BOOTSTRAP: &str = r#"#!/usr/bin/env python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    body, request_id = event.read(), event.headers["Lambda-Runtime-Aws-Request-Id"]
    pieces = iter([body[:3], body[3:]])
    headers = {"Lambda-Runtime-Function-Response-Mode": "streaming"}
    path = f"/2018-06-01/runtime/invocation/{request_id}/response"
    api.request("POST", path, pieces, headers, encode_chunked=True)
    api.getresponse().read()
"#;

async fn bootstrap(cpu: CpuControl) {
    let stage = Stage::set(cpu).await;
    let function = stage.function("f", "provided.al2023", "unused", 512, 30);
    stage.create(function, &[("bootstrap", BOOTSTRAP)]).await;
    for n in 0..3 {
        let event = json!({"n": n, "text": "x".repeat(10_000)});
        let answer = stage.f(event.clone()).await;
        assert_eq!((&answer.error, &answer.payload), (&None, &event));
        assert_eq!(answer.is_cold(), n == 0);
    }
}

const STYLES: &str = r#"
console.log("loaded");
exports.promise = async (event, context) => [event, context.awsRequestId, context.memoryLimitInMB];
exports.callback = (event, context, callback) => setTimeout(() => callback(null, event), 5);
exports.early = (event, context, callback) => {
  setTimeout(() => console.log("the loop is empty now"), 20);
  callback(null, event);
};
exports.done = (event, context) => context.succeed(event);
exports.nothing = () => {};
exports.stream = awslambda.streamifyResponse(async (event, stream) => {
  stream.write("[1,");
  await new Promise((resolve) => setTimeout(resolve, 5));
  stream.end("2]");
});
exports.inside = { deeper: async () => "found" };
"#;

async fn node_styles(cpu: CpuControl) {
    let event = json!({"a": [1, null]});
    let stage = Stage::set(cpu).await;
    for (export, result) in [
        ("callback", event.clone()),
        ("early", event.clone()),
        ("done", event.clone()),
        ("nothing", Value::Null),
        ("stream", json!([1, 2])),
        ("inside.deeper", json!("found")),
    ] {
        let name = export.replace('.', "-");
        let handler = format!("app.{export}");
        let function = stage.function(&name, "nodejs22.x", &handler, 512, 30);
        stage.create(function, &[("app.js", STYLES)]).await;
        for cold in [true, false] {
            let answer = stage.invoke(&name, event.clone()).await;
            assert_eq!((&answer.error, &answer.payload), (&None, &result), "{export}: {answer:?}");
            assert_eq!(answer.is_cold(), cold);
            assert_eq!(answer.log.contains("INFO\tloaded\n"), cold, "{}", answer.log);
            assert_eq!(answer.log.contains("the loop is empty now\n"), export == "early");
        }
    }
    let function = stage.function("promise", "nodejs22.x", "app.promise", 512, 30);
    stage.create(function, &[("app.js", STYLES)]).await;
    let answer = stage.invoke("promise", event.clone()).await;
    assert_eq!(answer.payload, json!([event, answer.request_id(), "512"]));
}

async fn node_modules(cpu: CpuControl) {
    let stage = Stage::set(cpu).await;
    let esm = "import os from 'node:os'; export const handler = async () => typeof os.cpus;";
    let cjs = "const os = require('node:os'); exports.handler = async () => typeof os.cpus;";
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("mjs", &[("app.mjs", esm)]),
        ("cjs", &[("app.cjs", cjs)]),
        ("js", &[("app.js", cjs)]),
        ("js-module", &[("app.js", esm), ("package.json", r#"{"type":"module"}"#)]),
    ];
    for (name, files) in cases {
        let function = stage.function(name, "nodejs22.x", "app.handler", 512, 30);
        stage.create(function, files).await;
        let answer = stage.invoke(name, json!({})).await;
        assert_eq!((&answer.error, &answer.payload), (&None, &json!("function")), "{name}");
    }
}

const ERRORS: &str = r#"
const pause = () => new Promise((resolve) => setTimeout(resolve, 200));
exports.handler = async (event) => {
  if (event.do === "throw") throw new TypeError("as asked");
  if (event.do === "late") setTimeout(() => { throw new RangeError("as asked"); }, 1);
  if (event.do === "reject") Promise.reject(new Error("as asked"));
  if (event.do === "exit") process.exit(4);
  await pause();
};
"#;

async fn node_errors(cpu: CpuControl) {
    let stage = Stage::set(cpu).await;
    let function = stage.function("f", "nodejs22.x", "app.handler", 512, 30);
    stage.create(function, &[("app.js", ERRORS)]).await;
    for (what, kind, message) in [
        ("throw", "TypeError", "as asked"),
        ("late", "RangeError", "as asked"),
        ("reject", "Runtime.UnhandledPromiseRejection", "Error: as asked"),
    ] {
        let answer = stage.f(json!({"do": what})).await;
        assert_eq!(answer.failure(), (kind, message), "{what}: {answer:?}");
    }
    let answer = stage.f(json!({"do": "exit"})).await;
    assert_eq!(answer.failure().0, "Runtime.ExitError");

    let function = stage.function("g", "nodejs22.x", "app.missing", 512, 30);
    stage.create(function, &[("app.js", ERRORS)]).await;
    let answer = stage.invoke("g", json!({})).await;
    assert_eq!(
        answer.failure(),
        ("Runtime.HandlerNotFound", "app.missing is undefined or not exported")
    );
}
