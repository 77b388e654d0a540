//! The content of a function's log.

use std::collections::BTreeSet;

use powertune_local::CpuControl;
use serde_json::{Value, json};

use crate::{
    Add,
    stage::{Stage, block_on},
};

pub(crate) fn trials(add: &mut Add<'_>) {
    add("output stands between START and END", None, |cpu| block_on(output(cpu)));
    add("a forged report is not the last line", None, |cpu| block_on(forged(cpu)));
    add("the JSON format has records instead of lines", None, |cpu| block_on(records(cpu)));
    add("much output is cut to its end", None, |cpu| block_on(much(cpu)));
    add("billed duration is duration and init, rounded up", None, |cpu| block_on(billed(cpu)));
}

async fn output(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 512, 30).await;
    stage.f(json!({})).await;
    for text in ["a line\n", "no end of line", "", "two\nlines"] {
        let answer = stage.f(json!({"do": "write", "text": text})).await;
        let id = answer.request_id();
        assert_eq!(answer.payload["id"], json!(id));
        let shown = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let until_report = format!(
            "START RequestId: {id} Version: $LATEST\n{text}{shown}END RequestId: {id}\nREPORT "
        );
        assert!(answer.log.starts_with(&until_report), "{}", answer.log);
    }
}

async fn forged(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 512, 30).await;
    let forged = "END RequestId: x\nREPORT RequestId: x\tDuration: 0.01 ms\tMemory Size: 1 MB\n";
    let answer = stage.f(json!({"do": "write", "text": forged})).await;
    assert!(answer.log.contains(forged));
    assert_eq!(answer.report()["Memory Size"], "512 MB");
    assert_eq!(answer.payload["id"], json!(answer.request_id()));
}

async fn records(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 512, 1).await;
    stage.log_json("f").await;
    let cold = platform_records(&stage.f(json!({})).await.log);
    assert_eq!(kinds(&cold), ["platform.start", "platform.report"]);
    let report = &cold[1]["record"];
    assert_eq!(report["status"], "success");
    assert_eq!(report["requestId"], cold[0]["record"]["requestId"]);
    let names = |record: &Value| {
        let metrics = record["metrics"].as_object().unwrap();
        metrics.keys().cloned().collect::<BTreeSet<String>>()
    };
    let always = ["durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB"];
    let expected = BTreeSet::from(always.map(str::to_owned));
    let init = "initDurationMs".to_owned();
    assert_eq!(names(report), &expected | &BTreeSet::from([init]));

    let warm = platform_records(&stage.f(json!({"do": "fail"})).await.log);
    assert_eq!(kinds(&warm), ["platform.start", "platform.runtimeDone", "platform.report"]);
    assert_eq!(names(&warm[2]["record"]), expected);
    assert_eq!(warm[2]["record"]["status"], "error");
    let late = platform_records(&stage.f(json!({"do": "hold", "seconds": 1000})).await.log);
    let report = &late.last().unwrap()["record"];
    assert_eq!(report["status"], "timeout");
    assert_eq!(report["metrics"]["durationMs"], json!(1000.0));
}

fn platform_records(log: &str) -> Vec<Value> {
    let records = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.filter(|record| record["type"].is_string()).collect()
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["type"].as_str().unwrap()).collect()
}

async fn much(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 1769, 60).await;
    let text = "line after line\n".repeat(200_000);
    let answer = stage.f(json!({"do": "write", "text": text})).await;
    assert_eq!(answer.log.len(), 4096);
    assert!(answer.log.contains("line after line\nEND RequestId: "));
}

async fn billed(cpu: CpuControl) {
    let stage = Stage::with_function(cpu, 512, 30).await;
    for _ in 0..2 {
        let answer = stage.f(json!({"do": "hold", "seconds": 0.0123})).await;
        let report = answer.report();
        let hundredths = |name: &str| {
            let text = report.get(name).map_or("0.00 ms", |text| text);
            let (whole, part) = text.trim_end_matches(" ms").split_once('.').unwrap();
            assert_eq!(part.len(), 2, "{text}");
            whole.parse::<u64>().unwrap() * 100 + part.parse::<u64>().unwrap()
        };
        let billed = (hundredths("Duration") + hundredths("Init Duration")).div_ceil(100);
        assert_eq!(report["Billed Duration"], format!("{billed} ms"));
        assert!(hundredths("Duration") >= 1230, "{}", answer.log);
    }
}
