//! Changes that meet another one: Lambda makes one change of a function at a time.

use std::time::Duration;

use crate::gateway::{ApiError, ErrorKind};

/// How often a change that met another one is tried again.
pub(crate) const ATTEMPTS: u32 = 5;
/// The first wait between two tries; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Whether a change met another one.
pub(crate) fn is_meeting(error: &ApiError) -> bool {
    matches!(error.kind, ErrorKind::Conflict | ErrorKind::PreconditionFailed)
}

/// Makes a change that may be made whatever the other one was; again, where it met one.
pub(crate) async fn repeated<F>(change: impl Fn() -> F) -> Result<(), ApiError>
where
    F: Future<Output = Result<(), ApiError>>,
{
    let mut wait = FIRST_WAIT;
    for _ in 1..ATTEMPTS {
        match change().await {
            Err(error) if is_meeting(&error) => tokio::time::sleep(wait).await,
            other => return other,
        }
        wait *= 2;
    }
    change().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn tries(kinds: &[ErrorKind]) -> (usize, bool) {
        let made = Cell::new(0);
        let change = || {
            let kind = kinds.get(made.get()).copied();
            made.set(made.get() + 1);
            let error = |kind| ApiError { operation: "UpdateAlias", kind, message: String::new() };
            std::future::ready(kind.map_or(Ok(()), |kind| Err(error(kind))))
        };
        let ended = repeated(change).await;
        (made.get(), ended.is_ok())
    }

    #[tokio::test]
    async fn conflicts_alone_are_tried_again_and_not_for_ever() {
        assert_eq!(tries(&[]).await, (1, true));
        assert_eq!(tries(&[ErrorKind::Conflict, ErrorKind::PreconditionFailed]).await, (3, true));
        assert_eq!(tries(&[ErrorKind::Denied]).await, (1, false));
        assert_eq!(tries(&[ErrorKind::Conflict; 9]).await, (ATTEMPTS as usize, false));
    }
}
