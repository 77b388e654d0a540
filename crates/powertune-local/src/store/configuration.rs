//! The configuration of a function, and its updates.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{
    package::Package,
    reference::AwsAccount,
    runtimes::Runtime,
    version::{Architecture, FunctionVersion, LogFormat, Logging},
};

/// Code and configuration of one version.
///
/// `PublishVersion` compares them: equal configurations make no new version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Configuration {
    pub(crate) runtime: Runtime,
    pub(crate) handler: String,
    pub(crate) role: String,
    pub(crate) description: String,
    pub(crate) timeout_s: u32,
    pub(crate) memory_mb: u32,
    pub(crate) architecture: Architecture,
    pub(crate) environment: Option<BTreeMap<String, String>>,
    pub(crate) tracing: TracingMode,
    pub(crate) ephemeral_storage_mb: u32,
    pub(crate) logging: LoggingConfig,
    pub(crate) dead_letter_target: Option<String>,
    pub(crate) package: Arc<Package>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TracingMode {
    PassThrough,
    Active,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoggingConfig {
    pub(crate) format: LogFormat,
    /// With [`LogFormat::Json`] only.
    pub(crate) application_level: Option<ApplicationLogLevel>,
    /// With [`LogFormat::Json`] only.
    pub(crate) system_level: Option<SystemLogLevel>,
    /// `None` is the group with the function's name.
    pub(crate) group: Option<String>,
}

/// The level of the function's own logger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApplicationLogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

/// The level of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemLogLevel {
    Debug,
    Info,
    Warn,
}

/// The changes of an update. `None` is no change.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigurationChange {
    pub(crate) runtime: Option<Runtime>,
    pub(crate) handler: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) timeout_s: Option<u32>,
    pub(crate) memory_mb: Option<u32>,
    pub(crate) architecture: Option<Architecture>,
    pub(crate) environment: Option<BTreeMap<String, String>>,
    pub(crate) tracing: Option<TracingMode>,
    pub(crate) ephemeral_storage_mb: Option<u32>,
    pub(crate) logging: Option<LoggingConfig>,
    /// An empty target removes the dead-letter queue.
    pub(crate) dead_letter_target: Option<String>,
    pub(crate) package: Option<Arc<Package>>,
}

impl Configuration {
    /// A new function, with AWS's defaults for everything else.
    pub(crate) fn new(
        runtime: Runtime,
        handler: String,
        role: String,
        package: Arc<Package>,
    ) -> Self {
        Self {
            runtime,
            handler,
            role,
            description: String::new(),
            timeout_s: 3,
            memory_mb: 128,
            architecture: Architecture::X86_64,
            environment: None,
            tracing: TracingMode::PassThrough,
            ephemeral_storage_mb: 512,
            logging: LoggingConfig::default(),
            dead_letter_target: None,
            package,
        }
    }

    /// The configuration after a change.
    pub(crate) fn changed(&self, change: ConfigurationChange) -> Self {
        let dead_letter_target = match change.dead_letter_target {
            None => self.dead_letter_target.clone(),
            Some(target) => Some(target).filter(|target| !target.is_empty()),
        };
        Self {
            runtime: change.runtime.unwrap_or_else(|| self.runtime.clone()),
            handler: change.handler.unwrap_or_else(|| self.handler.clone()),
            role: change.role.unwrap_or_else(|| self.role.clone()),
            description: change.description.unwrap_or_else(|| self.description.clone()),
            timeout_s: change.timeout_s.unwrap_or(self.timeout_s),
            memory_mb: change.memory_mb.unwrap_or(self.memory_mb),
            architecture: change.architecture.unwrap_or(self.architecture),
            environment: change.environment.or_else(|| self.environment.clone()),
            tracing: change.tracing.unwrap_or(self.tracing),
            ephemeral_storage_mb: change.ephemeral_storage_mb.unwrap_or(self.ephemeral_storage_mb),
            logging: change.logging.unwrap_or_else(|| self.logging.clone()),
            dead_letter_target,
            package: change.package.unwrap_or_else(|| Arc::clone(&self.package)),
        }
    }

    /// A new snapshot of this configuration, for environments.
    pub(super) fn snapshot(
        &self,
        account: &AwsAccount,
        function_name: &str,
        version: &str,
    ) -> Arc<FunctionVersion> {
        Arc::new(FunctionVersion {
            snapshot: Uuid::new_v4(),
            region: account.region.clone(),
            function_name: function_name.to_owned(),
            version: version.to_owned(),
            runtime: self.runtime.clone(),
            handler: self.handler.clone(),
            memory_mb: self.memory_mb,
            timeout: Duration::from_secs(u64::from(self.timeout_s)),
            environment: self.environment.clone().unwrap_or_default(),
            logging: self.logging.platform(),
            code: Arc::clone(&self.package.code),
        })
    }
}

impl LoggingConfig {
    /// The platform's part of the log under this configuration.
    fn platform(&self) -> Logging {
        Logging {
            format: self.format,
            platform_reports: self.format == LogFormat::Text
                || self.system_level != Some(SystemLogLevel::Warn),
        }
    }
}

impl Default for LoggingConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, application_level: None, system_level: None, group: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_logs_can_lack_reports() {
        let logging = |format, system_level| {
            LoggingConfig { format, system_level, ..LoggingConfig::default() }
                .platform()
                .platform_reports
        };
        assert!(logging(LogFormat::Text, None));
        assert!(logging(LogFormat::Json, Some(SystemLogLevel::Info)));
        assert!(!logging(LogFormat::Json, Some(SystemLogLevel::Warn)));
    }
}
