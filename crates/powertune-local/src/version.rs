//! The immutable snapshot of a function's code and configuration that an execution environment
//! runs.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use tempfile::TempDir;
use uuid::Uuid;

use crate::runtimes::Runtime;

/// A snapshot of a function: a published version, or `$LATEST` at one moment.
///
/// Environments are pooled by [`FunctionVersion::snapshot`]. Every change of code or configuration
/// makes a new snapshot, so that an environment never serves another configuration.
#[derive(Debug)]
pub(crate) struct FunctionVersion {
    /// The identity of this snapshot.
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

/// An element of a function's `Architectures`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    X86_64,
    Arm64,
}

/// The platform's part of a function's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logging {
    pub(crate) format: LogFormat,
    /// False if the log format is JSON and the system log level hides `platform.*` records of the
    /// level INFO (start and report).
    pub(crate) platform_reports: bool,
}

/// `LoggingConfig.LogFormat` of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// The unpacked code of a function. The folder is removed with the last version that uses it.
#[derive(Debug)]
pub(crate) struct Code {
    folder: TempDir,
}

impl Code {
    /// `folder` holds the unpacked deployment package.
    pub(crate) fn new(folder: TempDir) -> Self {
        Self { folder }
    }

    /// The function's `LAMBDA_TASK_ROOT`.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}
