//! What the state machine calls.

/// A step: one Lambda function of the deployed edition, all of them the same binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Checks the request, reads the function, and refuses what can't work; changes nothing.
    Initialize,
    /// Publishes a version for each power that needs one, and puts `$LATEST` back.
    Publish,
    /// Sends one power's invocations, as many as its time allows.
    Measure,
    /// Takes in what was measured, and says what comes next or what the result is.
    Decide,
    /// Gives the function the chosen power.
    Apply,
    /// Puts the function back as it was.
    Clean,
}

impl Step {
    /// All of them, in the order in which a run comes to them first.
    pub const ALL: [Self; 6] =
        [Self::Initialize, Self::Publish, Self::Measure, Self::Decide, Self::Apply, Self::Clean];

    /// Its name in the state machine and in templates.
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

    /// The `Handler` of its Lambda function, by which the binary knows what to do.
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
