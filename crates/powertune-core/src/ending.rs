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
    /// The result of a tuning run.
    Tuned(Box<TuningResult>),
    /// The result of a dry run: one invocation per power, and the changes that the run would make.
    Dry(Box<DryRun>),
}

/// The facts from before the first invocation that the ending needs.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The checked request.
    pub request: Request,
    /// The function to analyse.
    pub subject: Subject,
    /// The power of `$LATEST` before the run.
    pub original: Power,
    /// The cost of the run if every invocation lasts until the timeout, in the currency of the
    /// price.
    pub worst_cost: f64,
    /// The warnings from before the first invocation.
    pub warnings: Vec<Warning>,
}

impl Setup {
    /// The ending of a run with this evidence and this reason to stop.
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
