//! How many invocations may run at the same time: what the account lets run, and how many
//! connections this process may have.

use powertune_core::{
    request::{Pace, Request},
    warning::Warning,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Of the concurrency that is there, a run takes so much and leaves the rest to others.
const SHARE: (u32, u32) = (4, 5);
/// What a new account has; assumed where the account may not be asked.
pub(crate) const SMALLEST_ACCOUNT: u32 = 10;

/// What macOS lets a process have open, whatever its hard limit says (`OPEN_MAX`).
const OPEN_MAX: u64 = 10_240;
/// Files that a run has open beside its invocations' connections.
const OTHER_FILES: u64 = 32;
/// Files that an invocation needs while its connection is being made: a socket, and another one for
/// the lookup of the name or for the endpoint's other address.
const FILES_EACH: u64 = 2;

/// Raises this process's soft limit of open files to what it is allowed to have. Where that fails,
/// the limit stays what it was, and runs have as many connections as it leaves room for.
pub fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    for limit in [maximum, maximum.map_or(Some(OPEN_MAX), |hard| Some(hard.min(OPEN_MAX)))] {
        let is_more = match (current, limit) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(current), Some(limit)) => limit > current,
        };
        if is_more && setrlimit(Resource::Nofile, Rlimit { current: limit, maximum }).is_ok() {
            return;
        }
    }
}

/// How many invocations may be in flight with the files that this process may have open.
pub(crate) fn most_connections() -> u32 {
    getrlimit(Resource::Nofile).current.map_or(u32::MAX, connections)
}

fn connections(open_files: u64) -> u32 {
    let each = open_files.saturating_sub(OTHER_FILES) / FILES_EACH;
    u32::try_from(each).unwrap_or(u32::MAX).max(1)
}

/// No more than `concurrency` at the same time, and no more than this process may have connections;
/// what is to be said about that where a run of `powers` powers would have more.
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
            "parallel: {most} instead of {wanted} at the same time, since this process may have no \
             more files open at the same time (`ulimit -n` and `ulimit -Hn` show how many), and \
             each connection takes {FILES_EACH} while it is made; raise the limit for more"
        ))
    });
    (concurrency.min(most), warning)
}

/// The most invocations at the same time, and what is to be said about it.
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
