//! Which runtimes a request may name: those that run here, of those that AWS takes.

use crate::{exception::Exception, store::RuntimeIdentifier, version::Runtime};

/// The runtimes that AWS had at the end of 2025, in the order in which it told them. One that is
/// newer is refused until it is added here: nothing says what it will be like.
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

/// Runtimes that AWS takes no new functions of.
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

/// Every runtime that AWS takes and that runs here, by AWS's identifier, oldest first.
pub fn runtimes() -> Vec<&'static str> {
    let mut here: Vec<(&str, u8, &str)> = RUNTIMES
        .into_iter()
        .filter_map(|name| match RuntimeIdentifier::parse(name)?.family {
            Runtime::Node { major } => Some(("nodejs", major, name)),
            Runtime::Python { minor } => Some(("python", minor, name)),
            Runtime::Provided => Some(("provided", 0, name)),
        })
        .collect();
    here.sort_unstable();
    here.into_iter().map(|(.., name)| name).collect()
}

/// The runtime that a request names, or why it may not.
pub(super) fn supported_runtime(name: &str) -> Result<RuntimeIdentifier, Exception> {
    if RETIRED_RUNTIMES.contains(&name) {
        return Err(Exception::invalid_parameter(format!(
            "The runtime parameter of {name} is no longer supported for creating or updating AWS \
             Lambda functions. We recommend you use a supported runtime while creating or updating \
             functions."
        )));
    }
    let known = RUNTIMES.contains(&name).then(|| RuntimeIdentifier::parse(name)).flatten();
    known.ok_or_else(|| {
        Exception::invalid_parameter(if RUNTIMES.contains(&name) {
            format!(
                "Value {name} at 'runtime' is not a runtime that runs here: use one of \
                 provided.al2023, provided.al2, python3.x (as in python3.13) or nodejsN.x (as in \
                 nodejs22.x)."
            )
        } else {
            format!(
                "Value {name} at 'runtime' failed to satisfy constraint: Member must satisfy enum \
                 value set: [{}] or be a valid ARN",
                RUNTIMES.join(", ")
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runtimes_of_awss_are_taken() {
        for name in runtimes() {
            assert_eq!(supported_runtime(name).map(|taken| taken.name), Ok(name.to_owned()));
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
