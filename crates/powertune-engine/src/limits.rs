//! How many invocations may run at the same time.

use powertune_core::warning::Warning;

/// Of the concurrency that is there, a run takes so much and leaves the rest to others.
const SHARE: (u32, u32) = (4, 5);
/// What a new account has; assumed where the account may not be asked.
pub(crate) const SMALLEST_ACCOUNT: u32 = 10;

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
