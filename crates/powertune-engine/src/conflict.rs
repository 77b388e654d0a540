//! Retries calls that conflict with another change or that Lambda throttles.

use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::ApiError;

/// The wait before the second try; each wait is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Exponential back-off until a deadline.
#[derive(Debug)]
pub(crate) struct Backoff {
    deadline: Instant,
    next: Duration,
}

impl Backoff {
    pub(crate) fn until(deadline: Instant) -> Self {
        Self { deadline, next: FIRST_WAIT }
    }

    /// Sleeps before the next try. Returns `false` if the deadline leaves no time for one.
    pub(crate) async fn wait(&mut self) -> bool {
        let again = Instant::now() + self.next;
        if again > self.deadline {
            return false;
        }
        tokio::time::sleep_until(again).await;
        self.next = (self.next * 2).min(LONGEST_WAIT);
        true
    }
}

/// Repeats an idempotent call until it succeeds, fails for a lasting reason, or reaches the
/// deadline.
pub(crate) async fn repeated<T, F>(deadline: Instant, call: impl Fn() -> F) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, ApiError>>,
{
    let mut backoff = Backoff::until(deadline);
    loop {
        match call().await {
            Err(error) if error.may_pass() => {
                if !backoff.wait().await {
                    return Err(error);
                }
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::gateway::ErrorKind;

    /// Fails with these kinds, one a try. Returns the number of tries and whether the call
    /// succeeded.
    async fn tries(kinds: &[ErrorKind]) -> (usize, bool) {
        let made = Cell::new(0);
        let call = || {
            let kind = kinds.get(made.get()).copied();
            made.set(made.get() + 1);
            let error = |kind| ApiError { operation: "UpdateAlias", kind, message: String::new() };
            std::future::ready(kind.map_or(Ok(()), |kind| Err(error(kind))))
        };
        let ended = repeated(Instant::now() + Duration::from_mins(1), call).await;
        (made.get(), ended.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_until_the_deadline() {
        assert_eq!(tries(&[]).await, (1, true));
        assert_eq!(tries(&[ErrorKind::Conflict, ErrorKind::Throttled]).await, (3, true));
        assert_eq!(tries(&[ErrorKind::Denied]).await, (1, false));
        assert_eq!(tries(&[ErrorKind::Conflict, ErrorKind::Denied]).await, (2, false));
        let (made, succeeded) = tries(&[ErrorKind::Throttled; 99]).await;
        assert!(!succeeded && (8..20).contains(&made), "{made}");
    }
}
