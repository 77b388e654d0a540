//! The end of a run: its result, or the findings of a dry run.

use crate::{
    analysis::{NothingMeasured, Subject, analyse},
    dry_run::{DryRun, changes, expected_cost, trials},
    observation::Evidence,
    power::Power,
    request::Request,
    result::TuningResult,
    stopped::Stopped,
    warning::Warning,
};

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// A result.
    Tuned(Box<TuningResult>),
    /// The findings of a dry run: one invocation a power, and what the run would change.
    Dry(Box<DryRun>),
}

/// A run's setup, as far as its ending depends on it.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The request.
    pub request: Request,
    /// The function.
    pub subject: Subject,
    /// The power of `$LATEST` before the run.
    pub original: Power,
    /// The cost of the run if every invocation lasts until the timeout, in the price's currency.
    pub worst_cost: f64,
    /// Warnings from before the first invocation.
    pub warnings: Vec<Warning>,
}

impl Setup {
    /// The ending of a run that has seen this, and stopped measuring for this reason.
    ///
    /// # Errors
    /// When no power could be measured. A dry run has no such error.
    pub fn ending(&self, seen: &Evidence, stopped: Stopped) -> Result<Ending, NothingMeasured> {
        let Self { request, subject, .. } = self;
        let price = &subject.price;
        let mut warnings = self.warnings.clone();
        warnings.extend(stopped.warning(request.max_cost, price.currency));
        if !request.dry_run {
            let result = analyse(request, subject, seen, stopped, warnings)?;
            return Ok(Ending::Tuned(Box::new(result)));
        }
        Ok(Ending::Dry(Box::new(DryRun {
            dry_run: true,
            function_arn: subject.function_arn.clone(),
            current_power: subject.current,
            currency: price.currency,
            expected_cost: expected_cost(request, price, seen),
            worst_cost: self.worst_cost,
            changes: changes(request, self.original, &subject.powers),
            warnings: warnings.iter().map(ToString::to_string).collect(),
            stats: trials(seen),
        })))
    }
}
