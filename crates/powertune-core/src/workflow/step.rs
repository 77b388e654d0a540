//! The steps that the state machine calls.

/// A step: one Lambda function of the deployment. All of them use the same binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Checks the request, reads the function, and refuses a run that can't work. Changes nothing.
    Initialize,
    /// Publishes a version for each power that needs one, and restores `$LATEST`.
    Publish,
    /// Sends as many of one power's invocations as its time allows.
    Measure,
    /// Takes in the measurements, and returns the next step or the result.
    Decide,
    /// Gives the function the chosen power.
    Apply,
    /// Restores the function.
    Clean,
}

impl Step {
    /// All steps, in the order of their first call.
    pub const ALL: [Self; 6] =
        [Self::Initialize, Self::Publish, Self::Measure, Self::Decide, Self::Apply, Self::Clean];

    /// The name in the state machine and in templates.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialize => "Initialize",
            Self::Publish => "Publish",
            Self::Measure => "Measure",
            Self::Decide => "Decide",
            Self::Apply => "Apply",
            Self::Clean => "Clean",
        }
    }

    /// The `Handler` of the Lambda function, which tells the binary its step.
    pub const fn handler(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Publish => "publish",
            Self::Measure => "measure",
            Self::Decide => "decide",
            Self::Apply => "apply",
            Self::Clean => "clean",
        }
    }

    /// The step with this handler.
    pub fn of_handler(handler: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.handler() == handler)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_names_its_step() {
        for step in Step::ALL {
            assert_eq!(Step::of_handler(step.handler()), Some(step));
        }
        assert_eq!(Step::of_handler("Initialize"), None);
    }
}
