//! Saves a result as soon as it exists.

use std::{fmt, io, sync::Arc};

use powertune_core::result::TuningResult;

use crate::error::Cause;

type Write = dyn Fn(&TuningResult) -> io::Result<()> + Send + Sync;

/// Saves the result of a run before anything is applied or put back, because both can fail and the
/// measurements are paid for. The default saves nothing.
#[derive(Clone, Default)]
pub struct Keep(Option<Arc<Write>>);

impl Keep {
    /// Saves results with this function. It may block. It is called again when the result has
    /// changed.
    pub fn by(write: impl Fn(&TuningResult) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(write)))
    }

    pub(crate) async fn keep(&self, result: &TuningResult) -> Result<(), Cause> {
        let Some(write) = self.0.clone() else { return Ok(()) };
        let result = result.clone();
        let kept = tokio::task::spawn_blocking(move || write(&result)).await;
        let kept = kept.unwrap_or_else(|error| Err(io::Error::other(error)));
        kept.map_err(|error| Cause::NotKept(error.to_string()))
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keep").field(&self.0.is_some()).finish()
    }
}
