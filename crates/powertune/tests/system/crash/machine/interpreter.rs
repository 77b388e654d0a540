//! An interpreter of state machines by others: aws-local-stepfunctions, in a process that runs many
//! executions at a time (`peers/executions.cjs`).

use std::{
    collections::HashMap,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{self, oneshot},
};

use crate::bootstrap::workspace;

#[derive(Debug, Deserialize)]
pub(crate) struct Ended {
    id: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) output: Value,
    #[serde(default)]
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) cause: String,
}

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Box<Ended>>>>>;

#[derive(Debug)]
pub(crate) struct Interpreter {
    _process: Child,
    orders: sync::Mutex<ChildStdin>,
    waiting: Waiting,
}

/// The missing requirement of the interpreter, if any.
pub(crate) fn missing() -> Option<&'static str> {
    let installed = python().exists() && peers().join("npm/installed-from.txt").exists();
    (!installed).then_some("the peers are not installed: run `cargo xtask peers`")
}

impl Interpreter {
    /// Starts it with the environment variables that lead to the functions of the steps.
    pub(crate) fn start(environment: &[(&'static str, String)]) -> Self {
        let mut process = Command::new(python())
            .arg(workspace().join("peers/executions.py"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the interpreter starts");
        let orders = process.stdin.take().expect("it is piped");
        let waiting = Waiting::default();
        let answers = process.stdout.take().expect("it is piped");
        tokio::spawn(listen(answers, Arc::clone(&waiting)));
        Self { _process: process, orders: sync::Mutex::new(orders), waiting }
    }

    /// Starts an execution; the returned future ends with it.
    pub(crate) async fn execute(
        &self,
        id: &str,
        definition: &Value,
        input: &Value,
    ) -> oneshot::Receiver<Box<Ended>> {
        let (ended, end) = oneshot::channel();
        waiting(&self.waiting).insert(id.to_owned(), ended);
        let start = json!({ "definition": definition, "input": input });
        self.order(&json!({ "id": id, "start": start })).await;
        end
    }

    /// Aborts an execution, as StopExecution does.
    pub(crate) async fn abort(&self, id: &str) {
        self.order(&json!({ "id": id, "abort": {} })).await;
    }

    async fn order(&self, order: &Value) {
        let line = format!("{order}\n");
        let written = self.orders.lock().await.write_all(line.as_bytes()).await;
        written.expect("the interpreter runs");
    }
}

async fn listen(answers: ChildStdout, waiting: Waiting) {
    let mut lines = BufReader::new(answers).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let ended: Ended = serde_json::from_str(&line).expect("an end of an execution");
        let waits = self::waiting(&waiting).remove(&ended.id);
        if let Some(waits) = waits {
            // The receiver may have stopped waiting.
            let _ = waits.send(Box::new(ended));
        }
    }
    // Nothing more comes from an interpreter that has ended.
    self::waiting(&waiting).clear();
}

fn waiting(waiting: &Waiting) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Box<Ended>>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn python() -> PathBuf {
    peers().join("venv/bin/python")
}

fn peers() -> PathBuf {
    workspace().join("target/peers")
}
