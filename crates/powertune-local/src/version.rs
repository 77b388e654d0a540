//! What an execution environment runs: an immutable snapshot of a function's code and
//! configuration.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use tempfile::TempDir;
use uuid::Uuid;

use crate::runtimes::Runtime;

/// One snapshot of a function: a published version, or `$LATEST` as it was at one moment.
///
/// Environments are pooled by [`FunctionVersion::snapshot`]; every change of code or configuration
/// makes a new snapshot, so that no environment ever serves another configuration than its own.
#[derive(Debug)]
pub(crate) struct FunctionVersion {
    /// Identity of this snapshot; changes with every change of `$LATEST`.
    pub(crate) snapshot: Uuid,
    pub(crate) region: String,
    pub(crate) function_name: String,
    /// `$LATEST` or a number.
    pub(crate) version: String,
    pub(crate) runtime: Runtime,
    pub(crate) handler: String,
    pub(crate) memory_mb: u32,
    pub(crate) timeout: Duration,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) logging: Logging,
    pub(crate) code: Arc<Code>,
}

/// Instruction set architecture, as in a function's `Architectures`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    X86_64,
    Arm64,
}

/// What the platform writes into a function's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logging {
    pub(crate) format: LogFormat,
    /// With [`LogFormat::Json`] only: whether the system log level sends `platform.*` records at
    /// INFO (start and report). Text format always does.
    pub(crate) platform_reports: bool,
}

/// A function's `LoggingConfig.LogFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A function's code, unpacked; the folder goes when the last version that uses it goes.
#[derive(Debug)]
pub(crate) struct Code {
    folder: TempDir,
}

impl Code {
    /// Takes over `folder`, which holds the unpacked deployment package.
    pub(crate) fn new(folder: TempDir) -> Self {
        Self { folder }
    }

    /// Where the code lies: the function's `LAMBDA_TASK_ROOT`.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}
