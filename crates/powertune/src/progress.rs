//! The progress of a run on stderr: bars on a terminal, a few plain lines elsewhere.

mod bars;
mod lines;
mod tally;

use std::{env, time::Instant};

use powertune_engine::{
    event::{Event, Plan},
    gateway::Wait,
};
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinHandle};

use self::{bars::Bars, lines::Stall, tally::Tally};
use crate::console::say;
use crate::output::{Charset, SIMULATED, function_name, is_simulated, message, spent};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressMode {
    /// A bar for each memory size, redrawn in place.
    Bars { color: bool },
    /// Plain lines.
    Lines {
        /// True if each invocation gets a line.
        verbose: bool,
    },
    /// Nothing.
    Quiet,
}

impl ProgressMode {
    /// The mode for the options and the terminal.
    #[expect(clippy::fn_params_excessive_bools, reason = "three flags and a terminal")]
    pub(crate) fn choose(
        quiet: bool,
        verbose: bool,
        no_progress: bool,
        stderr_is_terminal: bool,
    ) -> Self {
        let dumb = env::var("TERM").is_ok_and(|term| term == "dumb");
        Self::chosen(quiet, verbose, stderr_is_terminal && !dumb && !no_progress)
    }

    fn chosen(quiet: bool, verbose: bool, redraw: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if redraw && !verbose {
            Self::Bars { color: true }
        } else {
            Self::Lines { verbose }
        }
    }
}

/// Shows events until their sender is gone. This needs a thread of its own: a terminal that takes
/// nothing (Ctrl-S) must not stop the run.
pub(crate) fn show(mut events: UnboundedReceiver<Event>, mode: ProgressMode) -> JoinHandle<()> {
    let charset = Charset::of_environment();
    tokio::task::spawn_blocking(move || {
        let mut display = Renderer::new(mode, charset);
        while let Some(event) = events.blocking_recv() {
            display.show(&event);
        }
        display.end();
    })
}

enum Renderer {
    Bars(Bars),
    Lines { tally: Tally, stall: Stall, verbose: bool, charset: Charset },
    Quiet,
}

impl Renderer {
    fn new(mode: ProgressMode, charset: Charset) -> Self {
        match mode {
            ProgressMode::Bars { color } => Self::Bars(Bars::new(charset, color)),
            ProgressMode::Lines { verbose } => {
                let (tally, stall) = (Tally::default(), Stall::default());
                Self::Lines { tally, stall, verbose, charset }
            }
            ProgressMode::Quiet => Self::Quiet,
        }
    }

    fn show(&mut self, event: &Event) {
        match self {
            Self::Bars(bars) => bars.show(event),
            Self::Lines { tally, stall, verbose, charset } => {
                let ended = tally.take(event);
                let lines = lines::told(event, tally, ended, *verbose, *charset);
                for line in lines.into_iter().chain(stall.told(event, Instant::now())) {
                    say(&line);
                }
            }
            Self::Quiet => {}
        }
    }

    fn end(self) {
        match self {
            Self::Bars(bars) => bars.end(),
            Self::Lines { .. } | Self::Quiet => {}
        }
    }
}

/// The plan of the run, and its warnings.
fn plan_lines(plan: &Plan, charset: Charset) -> Vec<String> {
    let name = message(function_name(&plan.function_arn));
    let most = spent(plan.worst_cost, plan.price.currency, charset);
    let sizes = counted(plan.powers.len() as u64, "memory size");
    let simulated = if is_simulated(&plan.function_arn) { SIMULATED } else { "" };
    let each = plan.measurements.iter().map(|planned| planned.invocations).max().unwrap_or(0);
    let invocations = match plan.most_invocations {
        Some(most) => format!("as many invocations as the answer needs, {most} each at most"),
        None => format!("{} each", counted(u64::from(each), "invocation")),
    };
    let mut lines = vec![format!(
        "{name}: {sizes}, {invocations}; costs {most} at most{simulated}, if every invocation \
         lasts until the timeout"
    )];
    let warning = |text: &str| format!("warning: {}", message(text));
    lines.extend(plan.warnings.iter().map(|text| warning(&text.to_string())));
    lines
}

/// `1 power`, `2 powers`.
fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn applied(event: &Event) -> Option<String> {
    match event {
        Event::Applied { power, alias: None } => Some(format!("the function has {power} now")),
        Event::Applied { power, alias: Some((alias, version)) } => {
            let (alias, version) = (message(alias), message(version));
            Some(format!("the alias {alias} points to version {version}, which has {power}"))
        }
        _ => None,
    }
}

fn waiting(wait: &Wait) -> String {
    format!("waiting: {}", message(&wait.to_string()))
}

const STOPPING: &str = "stopping the execution and putting the function back";

fn cleaning_up(tally: &Tally) -> &'static str {
    if tally.has_applied() {
        "deleting the test versions"
    } else {
        "putting the function back as it was"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_terminal_choose_the_mode() {
        assert_eq!(ProgressMode::chosen(false, false, true), ProgressMode::Bars { color: true });
        assert_eq!(
            ProgressMode::chosen(false, false, false),
            ProgressMode::Lines { verbose: false }
        );
        assert_eq!(ProgressMode::chosen(false, true, true), ProgressMode::Lines { verbose: true });
        assert_eq!(ProgressMode::chosen(true, true, true), ProgressMode::Quiet);
        // Not even a terminal gets bars that nobody wants.
        let unwanted = ProgressMode::choose(false, false, true, true);
        assert_eq!(unwanted, ProgressMode::Lines { verbose: false });
    }

    #[tokio::test]
    async fn the_display_ends_with_its_events() {
        for mode in [
            ProgressMode::Bars { color: true },
            ProgressMode::Lines { verbose: true },
            ProgressMode::Quiet,
        ] {
            let (sender, events) = tokio::sync::mpsc::unbounded_channel();
            let shown = show(events, mode);
            sender.send(Event::CleaningUp).unwrap();
            drop(sender);
            shown.await.unwrap();
        }
    }
}
