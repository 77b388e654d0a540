//! One crash point: a run is killed there, and the function is checked.

use std::fmt;

use crate::crash::{
    bench::Bench,
    kind::{Kind, POWERS},
    operation::Operation,
    process::{Ended, Host, finish, powertune, said},
    proxy::Proxy,
    trap::{Moment, Trap},
};

/// The point at which a run is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) kind: &'static Kind,
    /// The number of the change, from 1.
    pub(crate) nth: usize,
    pub(crate) moment: Moment,
}

/// The outcome of a point, with the problem if there is one.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The run was killed there.
    Crashed(Result<(), String>),
    /// The run ended before it.
    Over(Result<(), String>),
}

const UPDATE: Operation = Operation::UpdateFunctionConfiguration;

/// The point at which `tune` is killed to test `clean`: two versions are published, and `$LATEST`
/// is at another size than its own.
const MIDDLE: Trap = Trap::Crash { nth: 6, moment: Moment::After };

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::Before => "before",
            Moment::After => "after",
        };
        write!(f, "killed {moment} change {}", self.nth)
    }
}

impl Point {
    /// Kills a run here, cleans, and checks the function.
    pub(crate) async fn outcome(self, bench: &Bench) -> (Self, Outcome) {
        let outcome = self.crash(bench).await;
        (self, outcome.unwrap_or_else(|problem| Outcome::Over(Err(problem))))
    }

    async fn crash(self, bench: &Bench) -> Result<Outcome, String> {
        let host = Host::new();
        let function = bench.function(self.kind.is_published).await;
        let before = bench.footprint(&function).await;
        let tune = ["tune", &function, "--power-values", POWERS, "--quiet"];
        let mut victim = [&tune, self.kind.arguments].concat();
        if self.kind.kills_clean {
            kill_in_the_middle(&host, bench, &victim).await?;
            victim = vec!["clean", &function];
        }
        let crash = Trap::Crash { nth: self.nth, moment: self.moment };
        let proxy = Proxy::start(bench, &[crash]);
        if let Ended::ByItself(output) = powertune(&host, &proxy, &victim).await? {
            if host.journals() > 0 {
                return Err("a run that is over has left its journal".to_owned());
            }
            if !output.status.success() {
                return Err(format!("not reached, and {victim:?} ended with {}", said(&output)));
            }
            let after = bench.footprint(&function).await;
            return Ok(Outcome::Over(self.kind.applies.check_end(&before, &after)));
        }
        let changes = proxy.changes();
        let survived = async {
            self.clean(&host, bench, &function, is_unproven(&changes)).await?;
            let after = bench.footprint(&function).await;
            self.kind.applies.check_cleaned(&before, &after, proxy.may_have_applied(POWERS))
        };
        let survived = survived.await;
        let survived = survived.map_err(|problem| format!("after {changes:?}: {problem}"));
        Ok(Outcome::Crashed(survived))
    }

    /// Cleans up on the host of the run, or on another one.
    async fn clean(
        self,
        host: &Host,
        bench: &Bench,
        function: &str,
        is_unproven: bool,
    ) -> Result<(), String> {
        let is_there = self.nth.is_multiple_of(2) == (self.moment == Moment::Before);
        if is_there {
            clean_there(host, bench, function).await
        } else {
            clean_elsewhere(bench, function, is_unproven).await
        }
    }
}

/// True if only a journal can prove that the memory size is the run's: it was set, or is being set,
/// and no version has it yet.
pub(crate) fn is_unproven(changes: &[Operation]) -> bool {
    let publishing = changes.last() == Some(&Operation::PublishVersion);
    let before = changes.iter().rev().nth(usize::from(publishing));
    before == Some(&UPDATE)
}

/// Kills `tune` in the middle of publishing.
pub(crate) async fn kill_in_the_middle(
    host: &Host,
    bench: &Bench,
    arguments: &[&str],
) -> Result<(), String> {
    let proxy = Proxy::start(bench, &[MIDDLE]);
    match powertune(host, &proxy, arguments).await? {
        Ended::Killed => Ok(()),
        Ended::ByItself(output) => Err(format!("it was not killed: {}", said(&output))),
    }
}

/// Cleans up on the host with the run's journal, which proves that the run is dead.
pub(crate) async fn clean_there(host: &Host, bench: &Bench, function: &str) -> Result<(), String> {
    succeed(host, bench, &["clean", function]).await?;
    if host.journals() > 0 {
        return Err("clean has left the journal".to_owned());
    }
    clean_again(host, bench, function).await
}

/// Cleans up on another host, with only tags and versions: first without `--force`, which refuses
/// while the run may be alive; then with it.
pub(crate) async fn clean_elsewhere(
    bench: &Bench,
    function: &str,
    is_unproven: bool,
) -> Result<(), String> {
    let host = Host::new();
    let announced = bench.footprint(function).await.is_announced();
    let proxy = Proxy::start(bench, &[]);
    let output = finish(&host, &proxy, &["clean", function]).await?;
    let refused = output.status.code() == Some(1) && said(&output).contains("add --force");
    let as_it_should =
        if refused { announced && proxy.changes().is_empty() } else { output.status.success() };
    if !as_it_should {
        return Err(format!("clean made {:?}, ended with {}", proxy.changes(), said(&output)));
    }
    let output = finish(&host, &proxy, &["clean", function, "--force"]).await?;
    if is_unproven && output.status.code() == Some(4) {
        decide(bench, function, &said(&output)).await?;
        succeed(&host, bench, &["clean", function, "--force"]).await?;
    } else if !output.status.success() {
        return Err(format!("clean --force ended with {}", said(&output)));
    }
    clean_again(&host, bench, function).await
}

/// Decides whose the memory size is, like a person who knows it, and types the first command.
pub(crate) async fn decide(bench: &Bench, function: &str, left: &str) -> Result<(), String> {
    let by_hand = left.split_once("--memory-size ").map(|(_, rest)| rest);
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let memory_mb = by_hand.and_then(|text| digits(text).parse().ok());
    match memory_mb {
        Some(memory_mb) if left.contains("if so, keep it with: aws lambda untag-") => {
            bench.set_memory(function, memory_mb).await;
            Ok(())
        }
        _ => Err(format!("it does not name both commands: {left}")),
    }
}

/// Checks that cleaning again changes nothing.
async fn clean_again(host: &Host, bench: &Bench, function: &str) -> Result<(), String> {
    let changes = succeed(host, bench, &["clean", function]).await?;
    if changes.is_empty() { Ok(()) } else { Err(format!("clean again made {changes:?}")) }
}

/// Runs a command that has to succeed; returns its changes.
async fn succeed(host: &Host, bench: &Bench, arguments: &[&str]) -> Result<Vec<Operation>, String> {
    let proxy = Proxy::start(bench, &[]);
    let output = finish(host, &proxy, arguments).await?;
    if output.status.success() {
        return Ok(proxy.changes());
    }
    Err(format!("{arguments:?} ended with {}", said(&output)))
}
