//! Values that a shell may complete an option with, without a limit to them: what an option can't be
//! is told with all other faults of a request.

use std::ffi::OsStr;

use clap::{
    Arg, Command, Error,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};

/// Takes any text, and offers these.
#[derive(Debug, Clone)]
pub(super) struct Suggested(Vec<&'static str>);

impl Suggested {
    pub(super) fn of(values: impl IntoIterator<Item = &'static str>) -> Self {
        Self(values.into_iter().collect())
    }
}

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|value| PossibleValue::new(*value))))
    }
}
