//! The kinds of executions that get a fault at every point.

use serde_json::{Map, Value, json};

use crate::crash::kind::{KINDS, Kind, POWERS};

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    /// The name of the same kind of run.
    run: &'static str,
    /// The fields of its request beyond the function and its sizes.
    request: &'static str,
    /// True if every invocation of the function fails.
    pub(crate) fails: bool,
}

pub(crate) const MACHINES: &[Machine] = &[
    Machine { name: "fixed", run: "fixed", request: r#"{"num": 5}"#, fails: false },
    Machine { name: "auto", run: "auto", request: r#"{"num": "auto"}"#, fails: false },
    Machine {
        name: "only_cold_starts",
        run: "only_cold_starts",
        request: r#"{"num": 5, "onlyColdStarts": true}"#,
        fails: false,
    },
    Machine {
        name: "parallel",
        run: "parallel",
        request: r#"{"num": 5, "parallelInvocation": true}"#,
        fails: false,
    },
    Machine {
        name: "auto_optimize",
        run: "auto_optimize",
        request: r#"{"num": 5, "autoOptimize": true}"#,
        fails: false,
    },
    Machine {
        name: "auto_optimize_alias",
        run: "auto_optimize_alias",
        request: r#"{"num": 5, "autoOptimize": true, "autoOptimizeAlias": "live"}"#,
        fails: false,
    },
    Machine {
        name: "auto_optimize_new_alias",
        run: "auto_optimize_new_alias",
        request: r#"{"num": 5, "autoOptimize": true, "autoOptimizeAlias": "tuned"}"#,
        fails: false,
    },
    // The kind that comes to CleanAfterFailure by itself.
    Machine {
        name: "failing",
        run: "auto_optimize",
        request: r#"{"num": 5, "autoOptimize": true, "payload": {"fail": true}}"#,
        fails: true,
    },
];

impl Machine {
    /// The same kind of run, with its allowed leftovers.
    pub(crate) fn run(&self) -> &'static Kind {
        KINDS.iter().find(|kind| kind.name == self.run).expect("a kind of run")
    }

    /// The input of an execution that tunes `function`.
    pub(crate) fn input(&self, function: &str) -> Value {
        let powers: Value = POWERS.split(',').filter_map(|mb| mb.parse::<u32>().ok()).collect();
        let mut input: Map<String, Value> =
            serde_json::from_str(self.request).expect("a JSON object");
        input.insert("lambdaARN".to_owned(), json!(function));
        input.insert("powerValues".to_owned(), powers);
        Value::Object(input)
    }
}
