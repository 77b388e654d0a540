//! The division of the host's CPU between functions.

use powertune_local::CpuControl;
use serde_json::{Value, json};

use crate::{
    Add,
    stage::{HANDLER, Stage, block_on},
};

/// More than any host has, so that it takes the whole host.
const WHOLE_HOST_MB: u32 = 10_240;

pub(crate) fn trials(add: &mut Add<'_>) {
    add("shares in use never exceed the host", None, |cpu| block_on(never_exceed(cpu)));
    add("what waits for the CPU is not timed", None, |cpu| block_on(waiting(cpu)));
    add("a function that waits for another gives its share back", None, |cpu| {
        block_on(nested(cpu));
    });
    add("a share is back only when every open call has ended", None, |cpu| {
        block_on(nested_many(cpu));
    });
}

async fn never_exceed(cpu: CpuControl) {
    let stage = Stage::set(cpu).await;
    let cores = std::thread::available_parallelism().unwrap().get();
    stage.python("one", HANDLER, 1769, 60).await;
    stage.python("all", HANDLER, WHOLE_HOST_MB, 60).await;
    let event = json!({"do": "hold", "seconds": 0.05});
    let runs = (0..4 * cores).map(|n| {
        let name = if n % 4 == 3 { "all" } else { "one" };
        let answer = stage.invoke(name, event.clone());
        async move {
            let held = answer.await.result().clone();
            let share = if name == "all" { cores } else { 1 };
            (held[0].as_f64().unwrap(), held[1].as_f64().unwrap(), share)
        }
    });
    let runs = futures::future::join_all(runs).await;
    for (begin, _, _) in &runs {
        let at_once: usize =
            runs.iter().filter(|run| run.0 <= *begin && *begin < run.1).map(|run| run.2).sum();
        assert!(at_once <= cores, "{at_once} vCPUs of {cores} at {begin}: {runs:?}");
    }
}

async fn waiting(cpu: CpuControl) {
    // Four invocations take 6 s, one after the other. If the waiting were timed, the last would
    // time out.
    let stage = Stage::with_function(cpu, WHOLE_HOST_MB, 4).await;
    let hold = || stage.f(json!({"do": "hold", "seconds": 1.5}));
    let answers = tokio::join!(hold(), hold(), hold(), hold());
    let answers = [answers.0, answers.1, answers.2, answers.3];
    for answer in &answers {
        answer.result();
    }
    let colds = answers.iter().filter(|answer| answer.is_cold()).count();
    assert_eq!(colds, 1, "the others found the environment idle");
}

async fn nested(cpu: CpuControl) {
    // The caller waits longer than its time limit, for a function that needs the whole host.
    let stage = Stage::set(cpu).await;
    stage.python("caller", HANDLER, WHOLE_HOST_MB, 3).await;
    stage.python("target", HANDLER, WHOLE_HOST_MB, 30).await;
    let event =
        json!({"do": "invoke", "functions": ["target"], "event": {"do": "hold", "seconds": 4}});
    let answer = stage.invoke("caller", event).await;
    assert!(answer.result()[0]["result"][1].is_f64(), "{answer:?}");
}

async fn nested_many(cpu: CpuControl) {
    let stage = Stage::set(cpu).await;
    stage.python("caller", HANDLER, WHOLE_HOST_MB, 10).await;
    stage.python("target", HANDLER, WHOLE_HOST_MB, 30).await;
    let inner = json!({"do": "hold", "seconds": 0.05});
    let functions = ["target", "target", "target"];
    let event = json!({"do": "invoke", "functions": functions, "event": inner});
    // The second round shows that the caller has got its share back.
    for _ in 0..2 {
        let answer = stage.invoke("caller", event.clone()).await;
        assert_eq!(answer.result().as_array().map(Vec::len), Some(3));
    }
    // Three levels: the called function calls another function.
    stage.python("middle", HANDLER, WHOLE_HOST_MB, 10).await;
    let inner: Value = json!({"do": "invoke", "functions": ["target"], "event": inner});
    let event = json!({"do": "invoke", "functions": ["middle"], "event": inner});
    stage.invoke("caller", event).await.result();
}
