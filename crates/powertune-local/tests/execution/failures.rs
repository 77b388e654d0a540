//! Functions that crash, hang, use up their memory, or do not start.

use powertune_local::CpuControl;
use serde_json::{Value, json};

use crate::{
    Add,
    stage::{Stage, block_on, ended},
};

pub(crate) fn trials(add: &mut Add<'_>) {
    add("a timeout ends the environment", None, |cpu| block_on(timeout(cpu)));
    add("a crash ends the environment", None, |cpu| block_on(crashes(cpu)));
    add("a function that uses up its memory is killed", None, |cpu| {
        block_on(out_of_memory(cpu));
    });
    add("errors of a handler leave the environment as it is", None, |cpu| {
        block_on(handler_errors(cpu));
    });
    add("a failed init is begun again inside the invocation", None, |cpu| {
        block_on(failed_init(cpu));
    });
    add("an init within the limit of the invocation only is a timeout", None, |cpu| {
        block_on(slow_init(cpu));
    });
    add("a package without a bootstrap has no entry point", None, |cpu| {
        block_on(no_bootstrap(cpu));
    });
}

async fn timeout(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 512, 3).await;
    let pid = stage.f(json!({})).await.pid();
    let answer = stage.f(json!({"do": "hold", "seconds": 1000})).await;
    let message =
        format!("RequestId: {} Error: Task timed out after 3.00 seconds", answer.request_id());
    assert_eq!(answer.failure(), ("Sandbox.Timedout", &*message));
    let report = answer.report();
    assert_eq!(
        (report["Duration"], report["Billed Duration"], report["Status"]),
        ("3000.00 ms", "3000 ms", "timeout")
    );
    ended(pid).await;
    assert!(stage.f(json!({})).await.is_cold());
}

async fn crashes(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 512, 30).await;
    let cases = [
        (json!({"do": "exit", "status": 7}), "Runtime exited with error: exit status 7"),
        (json!({"do": "exit", "status": 0}), "Runtime exited without providing a reason"),
        (json!({"do": "kill"}), "Runtime exited with error: signal: killed"),
        (json!({"do": "crash"}), "Runtime exited with error: signal: segmentation fault"),
    ];
    for (event, reason) in cases {
        let answer = stage.f(event).await;
        let message = format!("RequestId: {} Error: {reason}", answer.request_id());
        assert_eq!(answer.failure(), ("Runtime.ExitError", &*message));
        let report = answer.report();
        assert_eq!((report["Status"], report["Error Type"]), ("error", "Runtime.ExitError"));
        assert!(answer.is_cold(), "each comes after a crash: {}", answer.log);
    }
}

async fn out_of_memory(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 256, 60).await;
    let answer = stage.f(json!({"do": "fill"})).await;
    let reason = "Runtime exited with error: signal: killed";
    let message = format!("RequestId: {} Error: {reason}", answer.request_id());
    assert_eq!(answer.failure(), ("Runtime.OutOfMemory", &*message));
    let report = answer.report();
    assert_eq!(
        (report["Max Memory Used"], report["Status"], report["Error Type"]),
        ("256 MB", "error", "Runtime.OutOfMemory")
    );
}

async fn handler_errors(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 512, 30).await;
    let pid = stage.f(json!({})).await.pid();
    let failed = stage.f(json!({"do": "fail"})).await;
    assert_eq!(failed.failure(), ("ValueError", "as asked"));
    assert_eq!(failed.payload["requestId"], json!(failed.request_id()));
    let trace = failed.payload["stackTrace"].as_array().unwrap();
    assert!(trace.iter().all(|frame| frame.as_str().unwrap().contains("app.py")), "{trace:?}");
    assert!(failed.log.contains("[ERROR] ValueError: as asked"), "{}", failed.log);
    assert!(!failed.report().contains_key("Status"), "{}", failed.log);

    let unencodable = stage.f(json!({"do": "unencodable"})).await;
    let (kind, message) = unencodable.failure();
    assert_eq!(kind, "Runtime.MarshalError");
    assert!(message.starts_with("Unable to marshal response: "), "{message}");
    assert_eq!(stage.f(json!({})).await.pid(), pid);
}

async fn failed_init(cpu: CpuControl) {
    let cases = [
        ("import nothing_of_that_name", "Runtime.ImportModuleError"),
        ("def handler(", "Runtime.UserCodeSyntaxError"),
        ("other = 1", "Runtime.HandlerNotFound"),
        ("raise OSError('no')", "OSError"),
        ("import os; os._exit(5)", "Runtime.ExitError"),
    ];
    let stage = Stage::set(cpu).await;
    for (number, (code, kind)) in cases.into_iter().enumerate() {
        let name = format!("f{number}");
        stage.python(&name, code, 1024, 30).await;
        let answer = stage.invoke(&name, Value::Null).await;
        assert_eq!(answer.failure().0, kind, "{answer:?}");
        let lines: Vec<&str> =
            answer.log.lines().filter(|line| line.starts_with("INIT_REPORT ")).collect();
        let [init, again] = lines[..] else { panic!("{}", answer.log) };
        let ending = format!("\tStatus: error\tError Type: {kind}");
        assert!(init.ends_with(&format!("\tPhase: init{ending}")), "{init}");
        assert!(again.ends_with(&format!("\tPhase: invoke{ending}")), "{again}");
        assert!(!answer.is_cold() && answer.report()["Error Type"] == kind, "{}", answer.log);
    }
}

async fn slow_init(cpu: CpuControl) {
    let stage = Stage::set(cpu).await;
    stage.python("f", "import time; time.sleep(1000)", 512, 1).await;
    let answer = stage.f(json!({})).await;
    assert_eq!(answer.failure().0, "Sandbox.Timedout");
    assert!(
        answer
            .log
            .contains("INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\n"),
        "{}",
        answer.log
    );
    assert_eq!(answer.report()["Duration"], "1000.00 ms");
}

async fn no_bootstrap(cpu: CpuControl) {
    let stage = Stage::set(cpu).await;
    let function = stage.function("f", "provided.al2023", "unused", 256, 30);
    stage.create(function, &[("readme", "nothing to run")]).await;
    let (kind, message) = (stage.f(json!({})).await, "Couldn't find valid bootstrap(s): [");
    let (kind, told) = kind.failure();
    assert_eq!(kind, "Runtime.InvalidEntrypoint");
    assert!(told.contains(message), "{told}");
}
