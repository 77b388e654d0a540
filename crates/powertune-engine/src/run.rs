//! A tuning run from beginning to end: prepare, announce, measure, analyse, apply, put back.
//!
//! Putting back happens in every ending, panics and Ctrl-C included.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use powertune_core::{
    analysis::{Subject, analyse},
    dry_run::{DryRun, changes, trials},
    observation::Evidence,
    plan::{Planner, Step, Stopped},
    power::{Power, default_values},
    request::{Num, Pace, Request},
    result::TuningResult,
    warning::Warning,
};
use tokio_util::sync::CancellationToken;

use crate::{
    announce::{Announced, announce},
    apply::apply,
    budget::Budget,
    error::{Cause, LeftBehind, TuneError},
    event::{Event, Events, Plan},
    gate::Gate,
    gateway::Gateway,
    held::Held,
    journal::{Journal, Journals},
    mark::Mark,
    measure::Bench,
    prepare::{Prepared, before_changes, prepare},
    processor,
    publish::{Baseline, changed},
    put_back::Basis,
    restore::{Undo, restore},
    round::{Rounds, panic_message},
};

/// A run is announced for its longest possible course, but for no longer than this.
const LONGEST_RUN: Duration = Duration::from_hours(24);
/// What a run needs besides its invocations.
const OVERHEAD: Duration = Duration::from_mins(15);

/// What a run is given besides its request.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who runs it, for others to see in the tags.
    pub by: String,
    /// Where its events go.
    pub events: Events,
    /// Cancelled when the user wants it to stop.
    pub cancelled: CancellationToken,
    /// Where it writes down what it is about to change.
    pub journals: Journals,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ending {
    /// With a result.
    Tuned(Box<TuningResult>),
    /// As a dry run: with what would be done, and what came of one invocation a power.
    Dry(Box<DryRun>),
}

/// Tunes a function.
///
/// # Errors
/// See [`TuneError`]; whatever it is, the function was put back as far as that was possible.
pub async fn tune(
    gateway: &Gateway,
    request: &Request,
    context: &Context,
) -> Result<Ending, TuneError> {
    let started = Instant::now();
    let defaults = default_values();
    let mut prepared = tokio::select! {
        prepared = prepare(gateway, request, &defaults, &context.journals) => prepared?,
        () = context.cancelled.cancelled() => return Err(TuneError::Interrupted),
    };
    prepared.keep_within_open_files(request);
    let arn = prepared.latest.arn.clone();
    let sets = Held::measured(prepared.powers.iter());
    let until = deadline(request, &prepared);
    let mark = Mark::new(prepared.latest.power, sets, &context.by, until);
    let journal = begin_journal(&context.journals, &arn, &mark, &mut prepared.plan.warnings);
    context.events.send(Event::Planned(prepared.plan.clone()));
    let ended = tune_announced(gateway, request, context, prepared, &mark, &journal).await;
    if !matches!(ended, Err(TuneError::LeftBehind { .. })) {
        journal.close();
    }
    ended.map(|ending| ending.after(started.elapsed()))
}

/// The run's journal; where there can be none, the tags alone say what to undo.
fn begin_journal(
    journals: &Journals,
    arn: &str,
    mark: &Mark,
    warnings: &mut Vec<Warning>,
) -> Journal {
    journals.begin(arn, mark).unwrap_or_else(|error| {
        warnings.push(Warning::NoJournal { because: error.to_string() });
        Journal::in_memory(mark.clone())
    })
}

/// Announces the run, measures, and puts everything back.
async fn tune_announced(
    gateway: &Gateway,
    request: &Request,
    context: &Context,
    prepared: Prepared,
    mark: &Mark,
    journal: &Journal,
) -> Result<Ending, TuneError> {
    let arn = prepared.latest.arn.clone();
    let recording = gateway.with_journal(journal.clone());
    let baseline = Baseline::of(&prepared.latest);
    let first = prepared.plan.measurements.iter().map(|first| first.power);
    let target = first.filter(|&power| power != baseline.power).min();
    let announced = announce(&recording, &baseline, mark, target, &context.cancelled).await;
    let announced = match announced {
        Ok(Some(announced)) => announced,
        Ok(None) => return stopped(&recording, &arn, mark, journal).await,
        Err(cause) => return Err(not_begun(&recording, &arn, mark, journal, cause).await),
    };
    let run = Run::new(&recording, request, context, prepared, mark.clone(), announced);
    let outcome = tokio::spawn(run.finish()).await;
    let outcome = outcome.unwrap_or_else(|error| Err(Cause::Bug(panic_message(error))));

    context.events.send(Event::CleaningUp);
    let mut undo = Undo::of_run(mark, journal.unsettled().map(Basis::Journal));
    if matches!(&outcome, Ok(Done { not_applied: None, .. })) {
        // An alias points to what was chosen.
        undo.unapplied.clear();
    }
    let left = restore(&recording, &arn, &undo).await.left;
    context.events.send(Event::CleanedUp(left.clone()));
    conclude(outcome, left)
}

/// The end of a run that the user has stopped before it could go on.
async fn stopped(
    gateway: &Gateway,
    arn: &str,
    mark: &Mark,
    journal: &Journal,
) -> Result<Ending, TuneError> {
    let undo = Undo::of_run(mark, journal.unsettled().map(Basis::Journal));
    let left = restore(gateway, arn, &undo).await.left;
    conclude(Ok(Done { ending: None, not_applied: None }), left)
}

/// The end of a run that has not come to go on: what it has put on the function goes.
async fn not_begun(
    gateway: &Gateway,
    arn: &str,
    mark: &Mark,
    journal: &Journal,
    cause: Cause,
) -> TuneError {
    let unsettled = journal.unsettled();
    let is_untouched = unsettled.is_none();
    let undo = Undo::of_run(mark, unsettled.map(Basis::Journal));
    let left = restore(gateway, arn, &undo).await.left;
    match cause {
        cause if !left.is_empty() => {
            TuneError::LeftBehind { cause: Some(cause), left, result: None }
        }
        Cause::Api(error) if is_untouched => before_changes(error),
        cause if is_untouched => TuneError::NotBegun(cause),
        cause => TuneError::Failed(cause),
    }
}

/// What the run comes to, after everything, or all but `left`, was put back.
fn conclude(outcome: Result<Done, Cause>, left: Vec<LeftBehind>) -> Result<Ending, TuneError> {
    let ending = match outcome {
        Ok(Done { not_applied: Some(cause), ending: Some(Ending::Tuned(result)), .. }) => {
            return Err(match cause {
                _ if !left.is_empty() => {
                    TuneError::LeftBehind { cause: Some(cause), left, result: Some(result) }
                }
                Cause::Changed { .. } => TuneError::Outdated { cause, result },
                _ => TuneError::NotApplied { cause, result },
            });
        }
        Ok(done) => Ok(done.ending),
        Err(cause) => Err(cause),
    };
    match (ending, left.is_empty()) {
        (Ok(Some(ending)), true) => Ok(ending),
        (Ok(None), true) => Err(TuneError::Interrupted),
        (Err(cause), true) => Err(TuneError::Failed(cause)),
        (Ok(Some(Ending::Tuned(result))), false) => {
            Err(TuneError::LeftBehind { cause: None, left, result: Some(result) })
        }
        (ending, false) => Err(TuneError::LeftBehind { cause: ending.err(), left, result: None }),
    }
}

impl Plan {
    /// A dry run of it, in which this was seen.
    fn dry_run(&self, request: &Request, original: Power, seen: &Evidence) -> DryRun {
        DryRun {
            dry_run: true,
            function_arn: self.function_arn.clone(),
            current_power: self.current,
            currency: self.price.currency,
            worst_cost: self.worst_cost,
            changes: changes(request, original, &self.powers),
            warnings: self.warnings.iter().map(ToString::to_string).collect(),
            stats: trials(seen),
        }
    }
}

impl Ending {
    /// With the time that the whole run took.
    fn after(mut self, elapsed: Duration) -> Self {
        if let Self::Tuned(result) = &mut self {
            result.elapsed_ms = milliseconds(elapsed);
        }
        self
    }
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// When the run will be over at the latest.
pub(crate) fn deadline(request: &Request, prepared: &Prepared) -> Timestamp {
    let sleeps = match request.pace {
        Pace::Series { sleep_ms } => Duration::from_millis(sleep_ms),
        Pace::Parallel { .. } => Duration::ZERO,
    };
    // Where the number is found out in the run, not all powers are measured side by side.
    let rounds = if request.num == Num::Auto { 2 } else { 1 };
    let invocations = request.most_invocations().saturating_mul(rounds);
    let processors: Duration = prepared.processors.iter().map(|processor| processor.timeout).sum();
    let each = prepared.latest.timeout + processors + sleeps;
    let longest = each.saturating_mul(invocations) + OVERHEAD;
    let longest = i64::try_from(longest.min(LONGEST_RUN).as_secs()).unwrap_or(i64::MAX);
    let now = Timestamp::now().as_second();
    Timestamp::from_second(now + longest).unwrap_or(Timestamp::MAX)
}

/// How the part of a run that changes things ended.
#[derive(Debug)]
struct Done {
    /// `None` where the user stopped it.
    ending: Option<Ending>,
    /// Why the choice was not applied, or is outdated, where that is so.
    not_applied: Option<Cause>,
}

/// The part of a run that changes things.
#[derive(Debug)]
struct Run {
    request: Request,
    subject: Subject,
    planner: Planner,
    rounds: Rounds,
    alias_at: Option<String>,
    plan: Plan,
}

impl Run {
    fn new(
        gateway: &Gateway,
        request: &Request,
        context: &Context,
        prepared: Prepared,
        mark: Mark,
        announced: Announced,
    ) -> Self {
        let baseline = Baseline::of(&prepared.latest);
        let has_processors = !prepared.processors.is_empty();
        let timeout = if has_processors { processor::LONGEST } else { prepared.latest.timeout };
        let payloads = prepared.payloads.expand(request.most_invocations() as usize);
        let bench = Bench {
            invoker: gateway.invoker(timeout),
            function_arn: prepared.latest.arn.clone(),
            request: request.clone(),
            payloads: payloads.expect("the payloads were expanded when they were checked"),
            gate: Gate::new(prepared.concurrency),
            concurrency: prepared.concurrency,
            budget: Budget::new(request.max_cost, prepared.tariff),
            events: context.events.clone(),
            cancelled: context.cancelled.clone(),
            last_start: None,
        };
        Self {
            request: request.clone(),
            subject: prepared.subject,
            planner: prepared.planner,
            rounds: Rounds::new(gateway.clone(), baseline, mark, bench, announced),
            alias_at: prepared.alias_at,
            plan: prepared.plan,
        }
    }

    async fn finish(mut self) -> Result<Done, Cause> {
        let original = self.rounds.baseline.power;
        let mut seen = Evidence::default();
        let Some(stopped) = self.measure(&mut seen).await? else {
            return Ok(Done { ending: None, not_applied: None });
        };
        let warning = stopped.warning(self.request.max_cost, self.plan.price.currency);
        self.plan.warnings.extend(warning);
        if self.request.dry_run {
            let dry_run = Box::new(self.plan.dry_run(&self.request, original, &seen));
            let ending = Some(Ending::Dry(dry_run));
            return Ok(Done { ending, not_applied: None });
        }
        let result =
            analyse(&self.request, &self.subject, &seen, stopped, self.plan.warnings.clone())?;
        let not_applied = match self.outdated().await? {
            None => self.apply(&result).await.err(),
            Some(outdated) => Some(outdated),
        };
        Ok(Done { ending: Some(Ending::Tuned(Box::new(result))), not_applied })
    }

    /// What has become of the function since its versions were published, where that is somebody
    /// else's doing.
    async fn outdated(&self) -> Result<Option<Cause>, Cause> {
        let Rounds { gateway, baseline, .. } = &self.rounds;
        let latest = gateway.function(&baseline.arn, None).await?;
        Ok(changed(&latest, baseline, &[baseline.power]).err())
    }

    /// Asks the planner and measures, until there is nothing more to measure; `None` where the user
    /// has stopped it.
    async fn measure(&mut self, seen: &mut Evidence) -> Result<Option<Stopped>, Cause> {
        loop {
            let round = match self.planner.next(seen) {
                Step::Done(stopped) => return Ok(Some(stopped)),
                Step::Measure(round) => round,
            };
            let measured = self.rounds.measure(&round).await?;
            seen.observations.extend(measured.observations);
            seen.skipped.extend(measured.skipped);
            seen.rounds += 1;
            let bench = &self.rounds.bench;
            if bench.cancelled.is_cancelled() {
                return Ok(None);
            }
            if bench.budget.is_used_up() {
                return Ok(Some(Stopped::CostReached));
            }
        }
    }

    /// Applies the choice, if that was asked for and there is one.
    async fn apply(&self, result: &TuningResult) -> Result<(), Cause> {
        let Some(optimize) = &self.request.auto_optimize else { return Ok(()) };
        if !result.is_applicable() {
            return Ok(());
        }
        let Rounds { gateway, baseline, mark, bench, .. } = &self.rounds;
        let alias_at = self.alias_at.as_deref();
        let alias = apply(gateway, baseline, mark, optimize, alias_at, result.power).await?;
        bench.events.send(Event::Applied { power: result.power, alias });
        Ok(())
    }
}
