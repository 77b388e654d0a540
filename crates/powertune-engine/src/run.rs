//! A whole tuning run: prepare, announce, measure, analyse, apply, put back.
//!
//! Every ending puts the function back, even a panic or Ctrl-C. After the first invocation every
//! ending contains the measurements.

use std::time::{Duration, Instant};

pub use powertune_core::ending::Ending;
use powertune_core::{
    observation::Evidence,
    plan::{Decision, Planner},
    power::default_values,
    price::Prices,
    request::Request,
    result::{Applied, TuningResult},
    stopped::Stopped,
    warning::Warning,
};
use tokio_util::sync::CancellationToken;

use crate::{
    announce::{Announced, announce},
    apply::apply,
    baseline::{Baseline, changed},
    budget::Budget,
    error::{Cause, LeftBehind, TuneError, Unfinished},
    event::{Event, Events},
    findings::{Findings, Halted},
    gateway::Gateway,
    held::Held,
    journal::{Journal, Journals},
    keep::Keep,
    mark::Mark,
    measure::Measurer,
    prepare::{PreparedRun, deadline, milliseconds, prepare},
    processor,
    put_back::Basis,
    restore::{Undo, restore},
    round::{Rounds, panic_message},
};

/// The surroundings of a run.
#[derive(Debug, Clone)]
pub struct Context {
    /// The owner of the run, for its tags.
    pub by: String,
    /// The sender of the run's events.
    pub events: Events,
    /// Cancelled when the user stops the run.
    pub cancelled: CancellationToken,
    /// The folder of the run's journal.
    pub journals: Journals,
    /// Saves the result before anything is applied.
    pub keep: Keep,
    /// The prices to use.
    pub prices: Prices,
    /// The longest time to measure; `None` for no limit. Invocations in flight at the end are
    /// waited for.
    pub most_time: Option<Duration>,
}

/// Tunes a function.
///
/// # Errors
/// See [`TuneError`]. The function was put back as far as possible, and the error contains the
/// measurements.
pub async fn tune(
    gateway: &Gateway,
    request: &Request,
    context: &Context,
) -> Result<Ending, Unfinished> {
    let started = Instant::now();
    gateway.on_wait(context.events.tell_of_waits());
    let defaults = default_values();
    // Boxed: this future is large, and two others would contain it.
    let Context { journals, prices, .. } = context;
    let preparing = Box::pin(prepare(gateway, request, &defaults, journals, prices));
    let mut prepared = tokio::select! {
        prepared = gateway.patiently(preparing) => prepared?,
        () = context.cancelled.cancelled() => return Err(TuneError::Interrupted.into()),
    };
    prepared.keep_within_open_files(request);
    let arn = prepared.latest.arn.clone();
    let sets = Held::measured(prepared.powers.iter());
    let until = deadline(request, &prepared);
    let mark = Mark::new(prepared.latest.power, sets, &context.by, until);
    let journal = begin_journal(&context.journals, &arn, &mark, &mut prepared.plan.warnings);
    context.events.send(Event::Planned(prepared.plan.clone()));
    let announced = (&mark, &journal);
    let ended = tune_announced(gateway, request, context, prepared, announced, started).await;
    if !matches!(ended, Err(Unfinished { error: TuneError::LeftBehind { .. }, .. })) {
        journal.close();
    }
    let elapsed = started.elapsed();
    ended.map(|ending| after(ending, elapsed)).map_err(|unfinished| Unfinished {
        measured: unfinished.measured.map(|ending| after(ending, elapsed)),
        ..unfinished
    })
}

/// Opens the run's journal. Without a folder for it, only the tags say how to undo the run.
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

async fn tune_announced(
    gateway: &Gateway,
    request: &Request,
    context: &Context,
    prepared: PreparedRun,
    (mark, journal): (&Mark, &Journal),
    started: Instant,
) -> Result<Ending, Unfinished> {
    let arn = prepared.latest.arn.clone();
    let recording = gateway.with_journal(journal.clone());
    let baseline = Baseline::of(&prepared.latest);
    let first = prepared.plan.measurements.iter().map(|first| first.power);
    let target = first.filter(|&power| power != baseline.power).min();
    let announced = announce(&recording, &baseline, mark, target, &context.cancelled).await;
    let announced = match announced {
        Ok(Some(announced)) => announced,
        Ok(None) => return Err(stopped(&recording, &arn, mark, journal).await.into()),
        Err(cause) => return Err(not_begun(&recording, &arn, mark, journal, cause).await.into()),
    };

    let (events, record) = context.events.recorded();
    let recorded = Context { events, ..context.clone() };
    let findings = Findings::new(request, &prepared, record, started);
    let marked = (mark.clone(), announced);
    let run = AnnouncedRun::new(&recording, request, &recorded, prepared, marked, findings.clone());
    let outcome = tokio::spawn(run.finish()).await;
    let outcome = outcome
        .unwrap_or_else(|error| Err(findings.halted(Some(Cause::Bug(panic_message(error))))));
    if let Err(Halted { measured: Some(Ending::Tuned(result)), .. }) = &outcome {
        // Putting back can take long, so save the result now. The caller saves it again and reports
        // an error.
        let _ = context.keep.keep(result).await;
    }

    context.events.send(Event::CleaningUp);
    let mut undo = Undo::of_run(mark, journal.unsettled().map(Basis::Journal));
    if matches!(&outcome, Ok(Done { not_applied: None, .. })) {
        // The alias points to the choice.
        undo.unapplied.clear();
    }
    let left = restore(&recording, &arn, &undo).await.left;
    context.events.send(Event::CleanedUp(left.clone()));
    conclude(outcome, left)
}

/// The error of a run that the user stopped during the announcement.
async fn stopped(gateway: &Gateway, arn: &str, mark: &Mark, journal: &Journal) -> TuneError {
    let undo = Undo::of_run(mark, journal.unsettled().map(Basis::Journal));
    let left = restore(gateway, arn, &undo).await.left;
    if left.is_empty() {
        return TuneError::Interrupted;
    }
    TuneError::LeftBehind { cause: None, left }
}

/// The error of a run that failed during the announcement. It removes everything of the run from
/// the function.
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
        cause if !left.is_empty() => TuneError::LeftBehind { cause: Some(cause), left },
        Cause::Api(error) if is_untouched => TuneError::before_changes(error),
        cause if is_untouched => TuneError::NotBegun(cause),
        cause => TuneError::Failed(cause),
    }
}

/// The outcome of the run after its clean-up, which left `left`.
fn conclude(outcome: Result<Done, Halted>, left: Vec<LeftBehind>) -> Result<Ending, Unfinished> {
    let (measured, error) = match outcome {
        Ok(Done { ending, not_applied: None }) if left.is_empty() => return Ok(ending),
        Ok(Done { ending, not_applied }) => (Some(ending), not_applied.map(not_applied_error)),
        Err(Halted { cause: Some(cause), measured }) => (measured, Some(TuneError::Failed(cause))),
        Err(Halted { cause: None, measured }) => (measured, Some(TuneError::Interrupted)),
    };
    let error = match error {
        Some(error) if left.is_empty() => error,
        Some(TuneError::Outdated(cause) | TuneError::Failed(cause)) => {
            TuneError::LeftBehind { cause: Some(cause), left }
        }
        _ => TuneError::LeftBehind { cause: None, left },
    };
    Err(Unfinished { error, measured })
}

/// The error of a run that finished but did not apply its choice.
fn not_applied_error(cause: Cause) -> TuneError {
    match cause {
        Cause::Changed { .. } => TuneError::Outdated(cause),
        cause => TuneError::Failed(cause),
    }
}

/// Sets the ending's time to that of the whole run.
fn after(mut ending: Ending, elapsed: Duration) -> Ending {
    if let Ending::Tuned(result) = &mut ending {
        result.elapsed_ms = milliseconds(elapsed);
    }
    ending
}

#[derive(Debug)]
struct Done {
    ending: Ending,
    /// The reason why the choice was not applied or is outdated.
    not_applied: Option<Cause>,
}

/// The measuring and applying part of a run.
#[derive(Debug)]
struct AnnouncedRun {
    request: Request,
    planner: Planner,
    rounds: Rounds,
    findings: Findings,
    keep: Keep,
    alias_at: Option<String>,
}

impl AnnouncedRun {
    fn new(
        gateway: &Gateway,
        request: &Request,
        context: &Context,
        prepared: PreparedRun,
        (mark, announced): (Mark, Announced),
        findings: Findings,
    ) -> Self {
        let baseline = Baseline::of(&prepared.latest);
        let has_processors = !prepared.processors.is_empty();
        let timeout = if has_processors { processor::LONGEST } else { prepared.latest.timeout };
        let measurer = Measurer {
            events: context.events.clone(),
            cancelled: context.cancelled.clone(),
            last_start: context.most_time.map(|most| tokio::time::Instant::now() + most),
            ..Measurer::new(
                gateway.invoker(timeout),
                prepared.latest.arn.clone(),
                request,
                &prepared.payloads,
                prepared.concurrency,
                Budget::new(request.max_cost, prepared.tariff),
            )
        };
        Self {
            request: request.clone(),
            planner: prepared.planner,
            rounds: Rounds::new(gateway.clone(), baseline, mark, measurer, announced),
            alias_at: prepared.alias_at,
            findings,
            keep: context.keep.clone(),
        }
    }

    async fn finish(mut self) -> Result<Done, Halted> {
        let mut seen = Evidence::default();
        let stopped = match self.measure(&mut seen).await {
            Ok(Some(stopped)) => stopped,
            Ok(None) => return Err(self.findings.halted(None)),
            Err(cause) => return Err(self.findings.halted(Some(cause))),
        };
        match self.findings.ending(&seen, stopped) {
            Ok(Ending::Tuned(result)) => self.put_to_use(result).await,
            Ok(ending @ Ending::Dry(_)) => Ok(Done { ending, not_applied: None }),
            Err(nothing) => Err(Halted { cause: Some(nothing.into()), measured: None }),
        }
    }

    /// Saves the result, and applies it if requested.
    async fn put_to_use(&self, mut result: Box<TuningResult>) -> Result<Done, Halted> {
        let not_applied = self.use_choice(&mut result).await.err();
        Ok(Done { ending: Ending::Tuned(result), not_applied })
    }

    /// Applies the choice and records this in the result.
    ///
    /// # Errors
    /// The reason why nothing was applied, or why the result is outdated.
    async fn use_choice(&self, result: &mut TuningResult) -> Result<(), Cause> {
        self.keep.keep(result).await?;
        self.still_current().await?;
        result.applied = self.apply(result).await?;
        Ok(())
    }

    /// An error if somebody else has changed the function since its versions were published.
    async fn still_current(&self) -> Result<(), Cause> {
        let Rounds { gateway, baseline, .. } = &self.rounds;
        let latest = gateway.function(&baseline.arn, None).await?;
        changed(&latest, baseline, &[baseline.power])
    }

    /// Measures until the planner ends; `None` if the user stopped the run.
    async fn measure(&mut self, seen: &mut Evidence) -> Result<Option<Stopped>, Cause> {
        loop {
            let round = match self.planner.next(seen) {
                Decision::Done(stopped) => return Ok(Some(stopped)),
                Decision::Measure(_) if self.rounds.measurer.is_late() => {
                    return Ok(Some(Stopped::TimeReached));
                }
                Decision::Measure(round) => round,
            };
            let measured = self.rounds.measure(&round).await?;
            seen.observations.extend(measured.observations);
            seen.skipped.extend(measured.skipped);
            seen.rounds += 1;
            let measurer = &self.rounds.measurer;
            if let Some(standing) = self.planner.standing(seen) {
                measurer.events.send(Event::Standing(standing));
            }
            if measurer.cancelled.is_cancelled() {
                return Ok(None);
            }
            if measurer.budget.is_used_up() {
                return Ok(Some(Stopped::CostReached));
            }
            if measurer.is_out_of_time() {
                return Ok(Some(Stopped::TimeReached));
            }
        }
    }

    async fn apply(&self, result: &TuningResult) -> Result<Option<Applied>, Cause> {
        let Some(optimize) = &self.request.auto_optimize else { return Ok(None) };
        if !result.is_applicable() {
            return Ok(None);
        }
        let Rounds { gateway, baseline, mark, measurer, .. } = &self.rounds;
        let alias_at = self.alias_at.as_deref();
        let alias = apply(gateway, baseline, mark, optimize, alias_at, result.power).await?;
        measurer.events.send(Event::Applied { power: result.power, alias: alias.clone() });
        let (alias, version) = alias.unzip();
        Ok(Some(Applied { power: result.power, alias, version }))
    }
}
