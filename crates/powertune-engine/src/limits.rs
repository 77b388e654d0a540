//! Limits the invocations in flight by the account's concurrency and by this process's open files.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use powertune_core::{
    request::{Pace, Request},
    warning::Warning,
};

/// The part of the available concurrency that a run uses; the rest is for others.
const SHARE: (u32, u32) = (4, 5);
/// The concurrency of a new account, assumed if GetAccountSettings is not allowed.
pub(crate) const SMALLEST_ACCOUNT: u32 = 10;

/// The most open files of a process on macOS (`OPEN_MAX`), even if the hard limit is higher.
const OPEN_MAX: u64 = 10_240;
/// The open files of a run beside its connections.
const OTHER_FILES: u64 = 32;
/// The open files of a connection that is being made: a socket, and a second one for the name
/// lookup or for the endpoint's other address.
const FILES_EACH: u64 = 2;

/// Raises this process's soft limit of open files to the hard limit. If that fails, the limit
/// stays, and runs make fewer connections.
pub fn raise_open_files() {
    // An infinite limit is the largest number.
    let Ok((current, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    for limit in [hard, hard.min(OPEN_MAX)] {
        if limit > current && setrlimit(Resource::RLIMIT_NOFILE, limit, hard).is_ok() {
            return;
        }
    }
}

/// The most invocations in flight that the limit of open files allows.
pub(crate) fn most_connections() -> u32 {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((RLIM_INFINITY, _)) | Err(_) => u32::MAX,
        Ok((open_files, _)) => connections(open_files),
    }
}

fn connections(open_files: u64) -> u32 {
    let each = open_files.saturating_sub(OTHER_FILES) / FILES_EACH;
    u32::try_from(each).unwrap_or(u32::MAX).max(1)
}

/// Limits `concurrency` to the connections of this process. The warning says so, if a run of
/// `powers` powers would use more.
pub(crate) fn within_open_files(
    concurrency: u32,
    request: &Request,
    powers: usize,
) -> (u32, Option<Warning>) {
    let most = most_connections();
    let in_series = matches!(request.pace, Pace::Series { .. }) && !request.only_cold_starts;
    let powers = u32::try_from(powers).unwrap_or(u32::MAX);
    let wanted = if in_series { concurrency.min(powers) } else { concurrency };
    let warning = (wanted > most).then(|| {
        Warning::Note(format!(
            "parallel: {most} instead of {wanted} at the same time, because this process may not \
             open more files (`ulimit -n` and `ulimit -Hn` show the limits), and each new \
             connection needs {FILES_EACH}; raise the limit for more"
        ))
    });
    (concurrency.min(most), warning)
}

/// The most invocations in flight, with a warning if that is less than the request or is assumed.
pub(crate) fn concurrency(
    unreserved: Option<u32>,
    reserved: Option<u32>,
    asked: Option<u32>,
) -> (u32, Option<Warning>) {
    let known = reserved.or(unreserved);
    let share = |available: u32| {
        (available / SHARE.1 * SHARE.0 + available % SHARE.1 * SHARE.0 / SHARE.1).max(1)
    };
    match (known, asked) {
        (Some(available), Some(asked)) if asked > share(available) => {
            let allowed = share(available);
            let of = if reserved.is_some() { "the function's reserved" } else { "the account's" };
            let text = format!(
                "parallel: {allowed} instead of {asked} at the same time, which leaves a fifth of \
                 {of} concurrency of {available} to others"
            );
            (allowed, Some(Warning::Note(text)))
        }
        (Some(_) | None, Some(asked)) => (asked, None),
        (Some(available), None) => (share(available), None),
        (None, None) => {
            let allowed = share(SMALLEST_ACCOUNT);
            let text = format!(
                "the account's concurrency could not be read (lambda:GetAccountSettings); at most \
                 {allowed} invocations run at the same time, --parallel sets another number"
            );
            (allowed, Some(Warning::Note(text)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_is_left_to_others() {
        assert_eq!(concurrency(Some(1000), None, None), (800, None));
        assert_eq!(concurrency(Some(10), None, Some(4)), (4, None));
        let (allowed, warning) = concurrency(Some(10), None, Some(50));
        assert_eq!(allowed, 8);
        assert!(warning.is_some());
    }

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(connections(256), 112);
        assert_eq!(connections(1024), 496);
        assert_eq!((connections(0), connections(33), connections(36)), (1, 1, 2));
        assert_eq!(connections(u64::MAX), u32::MAX);
    }

    #[test]
    fn reserved_concurrency_comes_first_and_one_is_the_least() {
        assert_eq!(concurrency(Some(1000), Some(5), None), (4, None));
        assert_eq!(concurrency(Some(1000), Some(1), None), (1, None));
        assert_eq!(concurrency(Some(u32::MAX), None, None).0, u32::MAX / 5 * 4);
    }

    #[test]
    fn an_unknown_account_is_taken_for_a_new_one() {
        assert_eq!(concurrency(None, None, None).0, 8);
        assert_eq!(concurrency(None, None, Some(100)), (100, None));
    }
}
