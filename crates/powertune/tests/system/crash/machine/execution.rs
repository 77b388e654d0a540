//! One execution of the state machine on a function of its own.

use std::{sync::Arc, time::Duration};

use powertune_core::workflow::Step;
use serde_json::{Value, json};
use tokio::sync::oneshot::Receiver;

use super::{
    interpreter::Ended,
    kind::Machine,
    stage::Stage,
    watch::{Trap, Watch},
};
use crate::crash::{
    bench::Bench,
    footprint::Footprint,
    point::{clean_elsewhere, decide, is_unproven},
    process::{Host, finish, said},
    proxy::Proxy,
};

/// The longest time of an execution that does not hang.
const LONGEST: Duration = Duration::from_mins(2);
/// The time that a step is held while Clean is at work: shorter than Clean's wait before its second
/// look.
const HELD: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(10);

pub(crate) struct Execution<'a> {
    stage: &'a Stage,
    pub(crate) function: String,
    pub(crate) before: Footprint,
    pub(crate) watch: Arc<Watch>,
    id: String,
    input: Value,
    end: Receiver<Box<Ended>>,
}

/// The cleaner after an execution that was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cleaner {
    /// The rule on the end of executions, while the step that was running is still at work.
    Rule,
    /// The user, by `powertune clean`, once nothing of the execution runs.
    User,
}

impl<'a> Execution<'a> {
    /// Starts an execution. `silence` is the timeout of a task without an answer. It has to be
    /// longer than any step takes, as on AWS.
    pub(crate) async fn start(
        stage: &'a Stage,
        machine: &Machine,
        trap: Option<Trap>,
        silence: Duration,
    ) -> Self {
        let function = stage.bench.function(machine.run().is_published).await;
        let before = stage.bench.footprint(&function).await;
        let watch = Arc::new(Watch::new(trap));
        stage.door.watch(&function, &watch);
        let definition = match trap {
            Some(trap) if trap.is_silent() => stage.definition(trap.step(), silence),
            _ => stage.definition.clone(),
        };
        let id = format!("arn:aws:states:us-east-1:123456789012:execution:powertune:{function}");
        let input = machine.input(&function);
        let end = stage.interpreter.execute(&id, &definition, &input).await;
        Self { stage, function, before, watch, id, input, end }
    }

    /// Waits for its end, and until nothing of it runs.
    pub(crate) async fn end(&mut self) -> Result<Box<Ended>, String> {
        let ended = tokio::time::timeout(LONGEST, &mut self.end).await;
        let ended = ended.map_err(|_| "the execution does not end")?;
        let ended = ended.map_err(|_| "the interpreter has ended")?;
        self.idle().await?;
        Ok(ended)
    }

    async fn idle(&self) -> Result<(), String> {
        let idle = async {
            while self.watch.seen().running > 0 {
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(LONGEST, idle).await.map_err(|_| "a step does not end".to_owned())
    }

    /// Aborts it at its trap, and cleans up. Without the trap it comes to its end.
    pub(crate) async fn abort(&mut self, cleaner: Cleaner) -> Result<Box<Ended>, String> {
        tokio::select! {
            () = self.watch.sprung.cancelled() => {}
            () = tokio::time::sleep(LONGEST) => return Err("it hangs".to_owned()),
            ended = &mut self.end => return ended.map_err(|_| "the interpreter has ended".to_owned()),
        }
        self.stage.interpreter.abort(&self.id).await;
        let ended = (&mut self.end).await.map_err(|_| "the interpreter has ended")?;
        match cleaner {
            Cleaner::Rule => {
                let held = async {
                    tokio::time::sleep(HELD).await;
                    self.watch.released.cancel();
                };
                let (cleaned, ()) = tokio::join!(self.rule(&ended.status), held);
                self.idle().await?;
                if let Err(left) = cleaned {
                    self.decide(&left).await?;
                    self.rule(&ended.status).await?;
                }
            }
            Cleaner::User => {
                self.watch.released.cancel();
                self.idle().await?;
                let is_unproven = self.is_unproven();
                clean_elsewhere(&self.stage.bench, &self.function, is_unproven).await?;
            }
        }
        Ok(ended)
    }

    /// True if no version has the memory size that a step has set last.
    fn is_unproven(&self) -> bool {
        let seen = self.watch.seen();
        let by_steps = seen.made.iter().filter(|(step, _)| *step != Step::Clean);
        is_unproven(&by_steps.map(|(_, made)| *made).collect::<Vec<_>>())
    }

    /// Decides by hand whose the memory size is, which Clean can't know.
    pub(crate) async fn decide(&self, left: &str) -> Result<(), String> {
        if !self.is_unproven() {
            return Err(format!("a version shows the memory size, and yet: {left}"));
        }
        decide(self.bench(), &self.function, left).await
    }

    /// Calls Clean, as the rule on the end of executions does.
    pub(crate) async fn rule(&self, status: &str) -> Result<(), String> {
        let (arn, input) = (&self.id, self.input.to_string());
        let detail = json!({ "executionArn": arn, "status": status, "input": input });
        let event = json!({ "detail": detail }).to_string();
        let answer = self.bench().invoke("clean", event.as_bytes()).await;
        answer.map(|_| ()).map_err(|error| format!("the rule's call of Clean: {error}"))
    }

    /// Checks that cleaning again, in each way, changes nothing.
    pub(crate) async fn clean_again(&self, ended: &Ended) -> Result<(), String> {
        let before = self.bench().footprint(&self.function).await;
        let changes = self.watch.seen().made.len();
        let cleaned = self.watch.seen().cleaned.clone();
        if let Some(payload) = cleaned {
            let answer = self.bench().invoke("clean", &payload).await;
            answer.map_err(|error| format!("Clean once more: {error}"))?;
        }
        if ended.status != "SUCCEEDED" {
            self.rule(&ended.status).await?;
        }
        let proxy = Proxy::start(self.bench(), &[]);
        let output = finish(&Host::new(), &proxy, &["clean", &self.function]).await?;
        if !output.status.success() || !proxy.changes().is_empty() {
            return Err(format!("clean once more made {:?}: {}", proxy.changes(), said(&output)));
        }
        let made = self.watch.seen().made.split_off(changes);
        if !made.is_empty() {
            return Err(format!("Clean once more made {made:?}"));
        }
        let after = self.bench().footprint(&self.function).await;
        after.must_be(&before).map_err(|problem| format!("after cleaning once more: {problem}"))
    }

    pub(crate) async fn footprint(&self) -> Footprint {
        self.bench().footprint(&self.function).await
    }

    pub(crate) async fn close(self) {
        self.bench().delete(&self.function).await;
    }

    fn bench(&self) -> &Bench {
        &self.stage.bench
    }
}
