//! Reads the fields of a request and collects every fault, to report all of them at once.

use std::fmt;

use serde_json::{Map, Value};

use crate::warning::Warning;

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The name of the field.
    pub field: String,
    /// The fault, and a correct form.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

/// All faults of a request, at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Faults(pub Vec<Fault>);

/// The fields of a request, and the faults and warnings found so far.
#[derive(Debug)]
pub(super) struct RequestFields<'a> {
    all: &'a Map<String, Value>,
    /// The fields that came from the command line.
    options: &'a [&'a str],
    faults: Vec<Fault>,
    warnings: Vec<Warning>,
}

impl<'a> RequestFields<'a> {
    pub(super) fn new(fields: &'a Map<String, Value>, options: &'a [&'a str]) -> Self {
        Self { all: fields, options, faults: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn get(&self, field: &str) -> Option<&'a Value> {
        self.all.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn fault(&mut self, field: &str, problem: impl Into<String>) {
        self.faults.push(Fault { field: field.to_owned(), problem: problem.into() });
    }

    pub(super) fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    /// Reports a field without effect: a fault for an option, otherwise a warning.
    pub(super) fn idle(&mut self, field: &'static str, because: &'static str) {
        if self.options.contains(&field) {
            self.fault(field, format!("has no effect: {because}"));
        } else {
            self.warn(Warning::Ignored { field, because });
        }
    }

    /// Clamps a number to its range: with a fault for an option, otherwise with a warning.
    pub(super) fn clamped(&mut self, field: &'static str, given: f64, low: f64, high: f64) -> f64 {
        let used = given.clamp(low, high);
        if used.total_cmp(&given).is_eq() {
            return given;
        }
        if self.options.contains(&field) {
            self.fault(field, out_of_range(&given.to_string(), low, high));
        } else {
            self.warn(Warning::Clamped { field, given, used });
        }
        used
    }

    pub(super) fn warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// Reads a field with `parse`. A faulty field reads as absent.
    pub(super) fn read<T>(
        &mut self,
        field: &str,
        parse: impl FnOnce(&'a Value) -> Result<T, String>,
    ) -> Option<T> {
        match parse(self.get(field)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.fault(field, problem);
                None
            }
        }
    }

    /// Reports every field that is not in `known`, with the most similar name.
    pub(super) fn reject_unknown(&mut self, known: &[&str]) {
        for field in self.all.keys().filter(|field| !known.contains(&field.as_str())) {
            let nearest = known
                .iter()
                .map(|known| {
                    (strsim::jaro_winkler(&field.to_lowercase(), &known.to_lowercase()), known)
                })
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let problem = match nearest {
                Some((similarity, nearest)) if similarity > 0.7 => {
                    format!("there is no such field; did you mean {nearest}?")
                }
                _ => format!("there is no such field; known are {}", known.join(", ")),
            };
            self.faults.push(Fault { field: field.clone(), problem });
        }
    }

    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Faults> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(Faults(self.faults)),
        }
    }
}

/// A boolean, or the command line's text `true` or `false`.
pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        other => Err(format!("{} is neither true nor false", shown(other))),
    }
}

pub(super) fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) if text.trim().is_empty() => Err("must not be empty".to_owned()),
        Value::String(text) => Ok(text),
        other => Err(format!("{} is not a string", shown(other))),
    }
}

/// A number, or a string with one, which aws-lambda-power-tuning accepts.
pub(super) fn number(value: &Value, range: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number
        .filter(|number| number.is_finite())
        .ok_or_else(|| format!("{} is not a number", shown(value)))?;
    if range.contains(&number) {
        return Ok(number);
    }
    // The text of the user, shortened: a number may have hundreds of digits.
    let given = match value {
        Value::String(text) => text.trim().chars().take(60).collect(),
        other => shown(other),
    };
    Err(out_of_range(&given, *range.start(), *range.end()))
}

pub(super) fn whole(value: &Value, range: std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    let number = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        other => return Err(format!("{} is not a whole number", shown(other))),
    };
    match number.parse::<i128>() {
        Ok(whole) if whole > i128::from(u64::MAX) => {
            Err(format!("{number} is too large; it must be at most {}", range.end()))
        }
        Ok(whole) => u64::try_from(whole)
            .ok()
            .filter(|whole| range.contains(whole))
            .ok_or_else(|| out_of_range(&number, *range.start() as f64, *range.end() as f64)),
        Err(_) => Err(format!("{} is not a whole number", shown(value))),
    }
}

fn out_of_range(given: &str, low: f64, high: f64) -> String {
    if high >= f64::MAX || high >= u64::MAX as f64 {
        format!("{given} is too small; it must be at least {low}")
    } else {
        format!("{given} is out of range; it must be from {low} to {high}")
    }
}

/// A list of strings, or the command line's `A,B`.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, String> {
    let items: Vec<&str> = match value {
        Value::Array(items) => items.iter().map(text).collect::<Result<_, _>>()?,
        Value::String(list) => list.split(',').map(str::trim).collect(),
        other => return Err(format!("{} is not a list of strings", shown(other))),
    };
    if items.iter().any(|item| item.is_empty()) {
        return Err("must not hold an empty name".to_owned());
    }
    Ok(items.into_iter().map(str::to_owned).collect())
}

/// A value for a message: short, and never a whole document.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => other.to_string().chars().take(60).collect(),
    }
}
