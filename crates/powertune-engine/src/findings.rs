//! Makes the ending of a run from its record, even if the run ended early.

use std::time::Instant;

use powertune_core::{
    analysis::NothingMeasured,
    ending::{Ending, Setup},
    observation::Evidence,
    power::Power,
    request::Request,
    stopped::Stopped,
};

use crate::{
    error::Cause,
    event::EvidenceRecord,
    prepare::{PreparedRun, milliseconds},
};

/// Everything that an ending needs. It is separate from the measuring task, so that an error or
/// panic there does not lose it.
#[derive(Debug, Clone)]
pub(crate) struct Findings {
    setup: Setup,
    planned: Vec<Power>,
    record: EvidenceRecord,
    started: Instant,
}

/// A run that ended early, or that could not apply its result.
#[derive(Debug)]
pub(crate) struct Halted {
    /// The reason; `None` if the user stopped it.
    pub(crate) cause: Option<Cause>,
    pub(crate) measured: Option<Ending>,
}

impl Findings {
    pub(crate) fn new(
        request: &Request,
        prepared: &PreparedRun,
        record: EvidenceRecord,
        started: Instant,
    ) -> Self {
        let plan = &prepared.plan;
        let setup = Setup {
            request: request.clone(),
            subject: prepared.subject.clone(),
            original: prepared.latest.power,
            worst_cost: plan.worst_cost,
            warnings: plan.warnings.clone(),
        };
        let planned = plan.measurements.iter().map(|planned| planned.power).collect();
        Self { setup, planned, record, started }
    }

    pub(crate) fn ending(
        &self,
        seen: &Evidence,
        stopped: Stopped,
    ) -> Result<Ending, NothingMeasured> {
        let mut ending = self.setup.ending(seen, stopped)?;
        if let Ending::Tuned(result) = &mut ending {
            result.elapsed_ms = milliseconds(self.started.elapsed());
        }
        Ok(ending)
    }

    pub(crate) fn halted(&self, cause: Option<Cause>) -> Halted {
        let stopped = if cause.is_some() { Stopped::Failed } else { Stopped::Interrupted };
        let mut seen = self.record.seen();
        if seen.observations.is_empty() {
            return Halted { cause, measured: None };
        }
        seen.skip_unseen(self.planned.iter().copied());
        Halted { cause, measured: self.ending(&seen, stopped).ok() }
    }
}
