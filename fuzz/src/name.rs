//! Names of functions and powers.

use powertune_core::{
    architecture::Architecture,
    arn::{FunctionRef, Qualifier},
    power::{Power, PowerValues},
    region::Region,
};

use super::text;

/// The name, partial ARN or ARN of a function.
pub(super) fn arn(bytes: &[u8]) {
    let text = text(bytes);
    match text.parse::<FunctionRef>() {
        Ok(function) => {
            assert_eq!(function.to_string(), text, "{function:?}");
            let unqualified = function.unqualified();
            assert_eq!(unqualified.qualifier, None);
            assert_eq!(unqualified.to_string().parse(), Ok(unqualified));
            assert_eq!(function.partition(), function.region.as_ref().map(Region::partition));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    shown_as_written::<Qualifier>(&text);
    shown_as_written::<Region>(&text);
    shown_as_written::<Architecture>(&text);
}

fn shown_as_written<T: std::str::FromStr + ToString>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string(), text);
    }
}

/// Powers as an option has them.
pub(super) fn power_values(bytes: &[u8]) {
    let text = text(bytes);
    match text.parse::<PowerValues>() {
        Ok(values) => {
            let sizes: Vec<u32> = values.iter().map(Power::mb).collect();
            assert!(!sizes.is_empty());
            assert!(sizes.is_sorted_by(|one, other| one < other), "{sizes:?}");
            assert!(sizes.iter().all(|mb| (128..=10_240).contains(mb)), "{sizes:?}");
            let list: Vec<String> = sizes.iter().map(u32::to_string).collect();
            assert_eq!(list.join(",").parse(), Ok(values));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
