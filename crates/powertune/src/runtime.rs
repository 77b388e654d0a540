//! The threads that a command runs on.

use std::time::Duration;

use tokio::runtime::Builder;

use crate::error::CommandError;

/// The time that threads have to end after the command has ended.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// Runs a command to its end.
pub(crate) fn block_on(
    command: impl Future<Output = Result<(), CommandError>>,
) -> Result<(), CommandError> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::Other(format!("no threads to run on: {error}")))?;
    let ended = runtime.block_on(command);
    // Nobody needs the work that is still going on there, such as the lookup of a name.
    runtime.shutdown_timeout(SHUTDOWN);
    ended
}
