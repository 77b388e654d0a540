//! The state machine, with its functions on a local Lambda, the door between them, and an
//! interpreter.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use powertune_core::workflow::{self, Step};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{door::Door, interpreter::Interpreter};
use crate::crash::bench::Bench;

pub(crate) struct Stage {
    pub(crate) bench: Bench,
    pub(crate) door: Door,
    pub(crate) interpreter: Interpreter,
    pub(crate) definition: Value,
    _code: TempDir,
}

impl Stage {
    /// Deploys the functions of the steps, whose binary is `bootstrap`.
    pub(crate) async fn start(bootstrap: &Path) -> Self {
        let bench = Bench::start().await;
        let environment = bench.environment();
        let door = Door::open(&environment);
        let code = code(bootstrap, &door.server.url());
        let mut arns = BTreeMap::new();
        for step in Step::ALL {
            arns.insert(step, bench.create_step(step, code.path()).await);
        }
        let definition = workflow::definition(|step| arns[&step].clone());
        let interpreter = Interpreter::start(&door.server.in_front_of(environment));
        Self { bench, door, interpreter, definition, _code: code }
    }

    pub(crate) async fn stop(self) {
        drop(self.interpreter);
        self.bench.stop().await;
    }

    /// The state machine with this timeout of the tasks of one step.
    pub(crate) fn definition(&self, step: Step, timeout: Duration) -> Value {
        let mut definition = self.definition.clone();
        each_task(&mut definition, &mut |task| {
            if is_of(task, step) {
                task["TimeoutSeconds"] = json!(timeout.as_secs());
            }
        });
        definition
    }

    /// True if the state machine retries a step after this error.
    pub(crate) fn retries(&self, step: Step, error: &str) -> bool {
        let mut found = false;
        each_task(&mut self.definition.clone(), &mut |task| {
            let retriers = task["Retry"].as_array().into_iter().flatten();
            let mut names =
                retriers.filter_map(|retrier| retrier["ErrorEquals"].as_array()).flatten();
            found |= is_of(task, step) && names.any(|name| name == error || name == "States.ALL");
        });
        found
    }
}

fn is_of(task: &Value, step: Step) -> bool {
    let resource = task["Resource"].as_str().unwrap_or_default();
    resource.ends_with(&format!(":{}", step.handler()))
}

/// Every Task state, inside of a Map too.
fn each_task(machine: &mut Value, act: &mut impl FnMut(&mut Value)) {
    let states = machine["States"].as_object_mut().into_iter().flatten();
    for (_, state) in states {
        if state["Type"] == "Task" {
            act(state);
        }
        if let Some(processor) = state.get_mut("ItemProcessor") {
            each_task(processor, act);
        }
    }
}

/// A `bootstrap` that tells the door its step and its process.
fn code(bootstrap: &Path, door: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!(
        "#!/bin/sh\n\
         export AWS_ENDPOINT_URL_LAMBDA=\"{door}/$_HANDLER/$$\"\n\
         exec '{}'\n",
        bootstrap.display()
    );
    let path = folder.path().join("bootstrap");
    fs::write(&path, script).expect("the code");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    folder
}
