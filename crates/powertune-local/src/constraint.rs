//! The constraints of Lambda's API model. AWS reports all violations of a request in one
//! `ValidationException`, in these words.

use std::fmt::Display;

use crate::exception::{Exception, ExceptionKind};

/// The violations of a request.
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<String>);

impl Violations {
    /// Adds a violation. `constraint` goes on after "Member must".
    pub(crate) fn add(&mut self, member: &str, value: impl Display, constraint: &str) {
        self.0.push(format!(
            "Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    pub(crate) fn missing(&mut self, member: &str) {
        self.0.push(format!(
            "Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ));
    }

    /// Checks a number, and returns it as the type of its range.
    pub(crate) fn number(&mut self, member: &str, value: i64, min: u32, max: u32) -> u32 {
        if value < i64::from(min) {
            self.add(member, value, &format!("have value greater than or equal to {min}"));
        } else if value > i64::from(max) {
            self.add(member, value, &format!("have value less than or equal to {max}"));
        }
        u32::try_from(value).unwrap_or(min)
    }

    /// Checks the length of a text in characters.
    pub(crate) fn length(&mut self, member: &str, value: &str, max: usize) {
        if value.chars().count() > max {
            self.add(member, value, &format!("have length less than or equal to {max}"));
        }
    }

    pub(crate) fn pattern(&mut self, member: &str, value: &str, pattern: &str) {
        self.add(member, value, &format!("satisfy regular expression pattern: {pattern}"));
    }

    /// Adds a violation by the values of a map. `constraints` lists all constraints of the values.
    pub(crate) fn map_value(&mut self, member: &str, value: &str, constraints: &str) {
        self.map(member, value, "value", constraints);
    }

    /// Adds a violation by the keys of a map. `constraints` lists all constraints of the keys.
    pub(crate) fn map_keys(&mut self, member: &str, value: &str, constraints: &str) {
        self.map(member, value, "keys", constraints);
    }

    fn map(&mut self, member: &str, value: &str, part: &str, constraints: &str) {
        self.0.push(format!(
            "Value '{value}' at '{member}' failed to satisfy constraint: Map {part} must satisfy \
             constraint: [{constraints}]"
        ));
    }

    /// Finds a text in a closed set, or adds a violation.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        member: &str,
        value: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let found = choices.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.add(member, value, &format!("satisfy enum value set: [{}]", names.join(", ")));
        }
        found
    }

    /// One exception for all violations.
    pub(crate) fn finish(self) -> Result<(), Exception> {
        match self.0.len() {
            0 => Ok(()),
            count => Err(Exception::new(
                ExceptionKind::Validation,
                format!(
                    "{count} validation error{} detected: {}",
                    if count == 1 { "" } else { "s" },
                    self.0.join("; ")
                ),
            )),
        }
    }
}

/// True if a text matches `[a-zA-Z0-9-_]+`, the pattern of functions' and aliases' names.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_aws() {
        let mut violations = Violations::default();
        violations.number("memorySize", 50, 128, 10_240);
        assert_eq!(
            violations.finish().unwrap_err().message,
            "1 validation error detected: Value '50' at 'memorySize' failed to satisfy constraint: \
             Member must have value greater than or equal to 128"
        );
    }

    #[test]
    fn all_violations_come_together() {
        let mut violations = Violations::default();
        violations.missing("role");
        violations.number("timeout", 901, 1, 900);
        violations.choice("logFormat", "XML", &[("JSON", 1), ("Text", 2)]);
        let message = violations.finish().unwrap_err().message;
        assert!(message.starts_with("3 validation errors detected: Value null at 'role'"));
        assert!(message.contains("; Value '901' at 'timeout'"));
        assert!(message.ends_with("satisfy enum value set: [JSON, Text]"));
    }

    #[test]
    fn nothing_wrong_is_no_exception() {
        let mut violations = Violations::default();
        assert_eq!(violations.number("timeout", 900, 1, 900), 900);
        assert_eq!(violations.finish(), Ok(()));
    }
}
