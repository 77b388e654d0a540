//! AWS's identifiers of runtimes, and the identifiers that a request can name here.

use crate::{
    exception::Exception,
    runtimes::{Runtime, RuntimeKind},
};

/// AWS's runtimes at the end of 2025, in the order of its error message. A newer runtime is refused
/// until it is added here, because its behaviour is not known yet.
const RUNTIMES: [&str; 25] = [
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
];

/// AWS refuses to create functions with these runtimes.
const RETIRED_RUNTIMES: [&str; 21] = [
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "dotnet5.0",
    "dotnet7",
    "go1.x",
    "java8",
    "nodejs",
    "nodejs4.3",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "provided",
    "python2.7",
    "python3.6",
    "python3.7",
    "ruby2.5",
    "ruby2.7",
];

/// The runtimes that AWS accepts and that run here, by AWS's identifiers. Oldest first within a
/// language.
pub fn runtimes() -> Vec<&'static str> {
    let mut here: Vec<(&str, u8, &str)> = RUNTIMES
        .into_iter()
        .filter_map(|identifier| match Runtime::parse(identifier)?.kind {
            RuntimeKind::Interpreted { family, number } => Some((family.name, number, identifier)),
            RuntimeKind::Provided => Some(("Provided", 0, identifier)),
        })
        .collect();
    here.sort_unstable();
    here.into_iter().map(|(.., identifier)| identifier).collect()
}

pub(super) fn supported_runtime(identifier: &str) -> Result<Runtime, Exception> {
    if RETIRED_RUNTIMES.contains(&identifier) {
        return Err(Exception::invalid_parameter(format!(
            "The runtime parameter of {identifier} is no longer supported for creating or updating \
             AWS Lambda functions. We recommend you use a supported runtime while creating or \
             updating functions."
        )));
    }
    if !RUNTIMES.contains(&identifier) {
        return Err(Exception::invalid_parameter(format!(
            "Value {identifier} at 'runtime' failed to satisfy constraint: Member must satisfy enum \
             value set: [{}] or be a valid ARN",
            RUNTIMES.join(", ")
        )));
    }
    Runtime::parse(identifier).ok_or_else(|| {
        Exception::invalid_parameter(format!(
            "Value {identifier} at 'runtime' is not a runtime that runs here: use one of {}.",
            runtimes().join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runtimes_of_awss_are_taken() {
        for name in runtimes() {
            assert_eq!(supported_runtime(name).map(|taken| taken.identifier), Ok(name.to_owned()));
        }
        let families = ["nodejs16.x", "nodejs24.x", "provided.al2", "provided.al2023", "python3.8"];
        assert!(families.iter().all(|name| runtimes().contains(name)), "{:?}", runtimes());
        for (name, why) in [
            ("python3.99", "failed to satisfy constraint: Member must satisfy enum value set: ["),
            ("python3.08", "enum value set"),
            ("nodejs23.x", "enum value set"),
            ("cobol", "enum value set"),
            ("java21", "is not a runtime that runs here"),
            ("python3.7", "is no longer supported"),
            ("provided", "is no longer supported"),
        ] {
            let refusal = supported_runtime(name).expect_err(name);
            assert!(refusal.message.contains(why), "{name}: {}", refusal.message);
        }
    }
}
