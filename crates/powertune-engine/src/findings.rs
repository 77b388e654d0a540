//! From what a run has seen to what it ends with, also where it ends before its time.

use std::time::Instant;

use powertune_core::{
    analysis::{NothingMeasured, Subject, analyse},
    dry_run::{DryRun, changes, expected_cost, trials},
    observation::Evidence,
    plan::Stopped,
    power::Power,
    request::Request,
};

use crate::{
    error::Cause,
    event::{Plan, Record},
    prepare::Prepared,
    run::{Ending, milliseconds},
};

/// What it takes to say what was measured. It is kept apart from what measures, so that an error or
/// a panic there does not lose it.
#[derive(Debug, Clone)]
pub(crate) struct Findings {
    request: Request,
    subject: Subject,
    plan: Plan,
    /// The power that `$LATEST` had.
    original: Power,
    record: Record,
    started: Instant,
}

/// A run that ended before its time, or could not apply what it had found.
#[derive(Debug)]
pub(crate) struct Halted {
    /// Why; `None` where the user stopped it.
    pub(crate) cause: Option<Cause>,
    pub(crate) measured: Option<Ending>,
}

impl Findings {
    pub(crate) fn new(
        request: &Request,
        prepared: &Prepared,
        record: Record,
        started: Instant,
    ) -> Self {
        Self {
            request: request.clone(),
            subject: prepared.subject.clone(),
            plan: prepared.plan.clone(),
            original: prepared.latest.power,
            record,
            started,
        }
    }

    /// What a run ends with that has seen this.
    pub(crate) fn ending(
        &self,
        seen: &Evidence,
        stopped: Stopped,
    ) -> Result<Ending, NothingMeasured> {
        let mut warnings = self.plan.warnings.clone();
        warnings.extend(stopped.warning(self.request.max_cost, self.plan.price.currency));
        if self.request.dry_run {
            return Ok(Ending::Dry(Box::new(DryRun {
                dry_run: true,
                function_arn: self.plan.function_arn.clone(),
                current_power: self.plan.current,
                currency: self.plan.price.currency,
                expected_cost: expected_cost(&self.request, &self.plan.price, seen),
                worst_cost: self.plan.worst_cost,
                changes: changes(&self.request, self.original, &self.plan.powers),
                warnings: warnings.iter().map(ToString::to_string).collect(),
                stats: trials(seen),
            })));
        }
        let mut result = analyse(&self.request, &self.subject, seen, stopped, warnings)?;
        result.elapsed_ms = milliseconds(self.started.elapsed());
        Ok(Ending::Tuned(Box::new(result)))
    }

    /// Ends the run before its time, with what was seen until now.
    pub(crate) fn halted(&self, cause: Option<Cause>) -> Halted {
        let stopped = if cause.is_some() { Stopped::Failed } else { Stopped::Interrupted };
        let mut seen = self.record.seen();
        if seen.observations.is_empty() {
            return Halted { cause, measured: None };
        }
        seen.skip_unseen(self.plan.measurements.iter().map(|planned| planned.power));
        Halted { cause, measured: self.ending(&seen, stopped).ok() }
    }
}
