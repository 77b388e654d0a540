//! The function as the run found it, and checks for changes by others.

use std::time::Duration;

use jiff::Timestamp;
use powertune_core::power::Power;
use tokio::time::Instant;

use crate::{
    error::Cause,
    gateway::{ApiError, ErrorKind, FunctionConfig, Gateway, Readiness},
};

/// The longest wait for an update or a version. With SnapStart a version takes minutes.
const PATIENCE: Duration = Duration::from_mins(15);
const FIRST_POLL: Duration = Duration::from_millis(25);
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// The state of `$LATEST` at the beginning of a run. Any other difference comes from somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Baseline {
    /// The unqualified ARN.
    pub(crate) arn: String,
    pub(crate) power: Power,
    pub(crate) code_sha256: Option<String>,
    pub(crate) fingerprint: String,
    /// LastModified, if the endpoint returns it.
    pub(crate) last_modified: Option<Timestamp>,
}

impl Baseline {
    pub(crate) fn of(latest: &FunctionConfig) -> Self {
        Self {
            arn: latest.arn.clone(),
            power: latest.power,
            code_sha256: latest.code_sha256.clone(),
            fingerprint: latest.fingerprint.clone(),
            last_modified: latest.last_modified,
        }
    }
}

/// The behaviour of LastModified at this endpoint. A run learns it from its own first calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ModifiedClock {
    /// Tags and versions do not change LastModified; so a new value means an update.
    pub(crate) is_moved_by_updates_alone: bool,
    /// The answer to an update already contains the final LastModified.
    pub(crate) is_told_at_once: bool,
}

/// An error if the code or configuration has changed, or if the memory size is not in `powers`.
pub(crate) fn changed(
    latest: &FunctionConfig,
    baseline: &Baseline,
    powers: &[Power],
) -> Result<(), Cause> {
    let what = if latest.code_sha256 != baseline.code_sha256 {
        "its code".to_owned()
    } else if latest.fingerprint != baseline.fingerprint {
        "its configuration".to_owned()
    } else if !powers.contains(&latest.power) {
        format!("its memory size, now {}", latest.power)
    } else {
        return Ok(());
    };
    Err(Cause::Changed { what })
}

/// Polls until `$LATEST` or a version is ready.
pub(crate) async fn wait(
    gateway: &Gateway,
    arn: &str,
    version: Option<&str>,
) -> Result<FunctionConfig, Cause> {
    let what = || version.map_or("the update".to_owned(), |version| format!("version {version}"));
    let started = Instant::now();
    let mut poll = FIRST_POLL;
    loop {
        let function = gateway.function(arn, version).await?;
        match function.readiness {
            Readiness::Ready => return Ok(function),
            Readiness::Failed(reason) => return Err(Cause::NotReady { what: what(), reason }),
            Readiness::Busy if started.elapsed() > PATIENCE => {
                return Err(Cause::TooSlow { what: what(), minutes: PATIENCE.as_secs() / 60 });
            }
            Readiness::Busy => tokio::time::sleep(poll).await,
        }
        poll = poll.mul_f64(1.5).min(LONGEST_POLL);
    }
}

/// True if Lambda refused an update because the account does not allow that much memory.
pub(crate) fn beyond_account(error: &ApiError) -> bool {
    // AWS writes both MemorySize and memorySize.
    error.kind == ErrorKind::Invalid
        && error.message.to_ascii_lowercase().contains("memorysize")
        && error.message.contains("less than or equal to")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: ErrorKind, message: &str) -> bool {
        let message = message.to_owned();
        beyond_account(&ApiError { operation: "UpdateFunctionConfiguration", kind, message })
    }

    #[test]
    fn an_account_says_in_either_spelling_that_it_stops() {
        // AWS's documentation and most reports write a capital M; messages that quote the value
        // write a small one. Most accounts stop at 3,008 MB, some at 512 MB.
        for message in [
            "InvalidParameterValueException: 'MemorySize' value failed to satisfy constraint: \
             Member must have value less than or equal to 3008",
            "'MemorySize' value failed to satisfy constraint: Member must have value less than or \
             equal to 512",
            "ValidationException: 1 validation error detected: Value '4096' at 'memorySize' failed \
             to satisfy constraint: Member must have value less than or equal to 3008",
        ] {
            assert!(refused(ErrorKind::Invalid, message), "{message}");
        }
        let length = "Value '...' at 'handler' failed to satisfy constraint: Member must have \
                      length less than or equal to 128";
        assert!(!refused(ErrorKind::Invalid, length));
        let small = "'MemorySize' value failed to satisfy constraint: Member must have value \
                     greater than or equal to 128";
        assert!(!refused(ErrorKind::Invalid, small));
        assert!(!refused(ErrorKind::Denied, "not allowed on MemorySize less than or equal to"));
    }
}
