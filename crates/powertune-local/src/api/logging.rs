//! `LoggingConfig` in requests and answers.

use serde::{Deserialize, Serialize};

use crate::{
    constraint::Violations,
    exception::Exception,
    store::{ApplicationLogLevel, LoggingConfig, SystemLogLevel},
    version::LogFormat,
};

const FORMATS: [(&str, LogFormat); 2] = [("JSON", LogFormat::Json), ("Text", LogFormat::Text)];

const APPLICATION_LEVELS: [(&str, ApplicationLogLevel); 6] = [
    ("TRACE", ApplicationLogLevel::Trace),
    ("DEBUG", ApplicationLogLevel::Debug),
    ("INFO", ApplicationLogLevel::Info),
    ("WARN", ApplicationLogLevel::Warn),
    ("ERROR", ApplicationLogLevel::Error),
    ("FATAL", ApplicationLogLevel::Fatal),
];

const SYSTEM_LEVELS: [(&str, SystemLogLevel); 3] = [
    ("DEBUG", SystemLogLevel::Debug),
    ("INFO", SystemLogLevel::Info),
    ("WARN", SystemLogLevel::Warn),
];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct LoggingConfigInput {
    log_format: Option<String>,
    application_log_level: Option<String>,
    system_log_level: Option<String>,
    log_group: Option<String>,
}

impl LoggingConfigInput {
    pub(crate) fn check(self, violations: &mut Violations) -> Result<LoggingConfig, Exception> {
        let format = self
            .log_format
            .and_then(|name| violations.choice("loggingConfig.logFormat", &name, &FORMATS))
            .unwrap_or(LogFormat::Text);
        let application_level = self.application_log_level.and_then(|name| {
            violations.choice("loggingConfig.applicationLogLevel", &name, &APPLICATION_LEVELS)
        });
        let system_level = self.system_log_level.and_then(|name| {
            violations.choice("loggingConfig.systemLogLevel", &name, &SYSTEM_LEVELS)
        });
        let group = self.log_group.filter(|group| !group.is_empty());
        match format {
            LogFormat::Text if application_level.is_some() || system_level.is_some() => {
                Err(Exception::invalid_parameter(
                    "To use ApplicationLogLevel and/or SystemLogLevel, set LogFormat to JSON; \
                     with Text leave both out.",
                ))
            }
            LogFormat::Text => {
                Ok(LoggingConfig { format, application_level: None, system_level: None, group })
            }
            LogFormat::Json => Ok(LoggingConfig {
                format,
                application_level: application_level.or(Some(ApplicationLogLevel::Info)),
                system_level: system_level.or(Some(SystemLogLevel::Info)),
                group,
            }),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LoggingConfigOutput {
    log_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_log_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_log_level: Option<&'static str>,
    log_group: String,
}

impl LoggingConfigOutput {
    pub(crate) fn new(config: &LoggingConfig, function_name: &str) -> Self {
        Self {
            log_format: name_of(config.format, &FORMATS),
            application_log_level: config
                .application_level
                .map(|level| name_of(level, &APPLICATION_LEVELS)),
            system_log_level: config.system_level.map(|level| name_of(level, &SYSTEM_LEVELS)),
            log_group: config
                .group
                .clone()
                .unwrap_or_else(|| format!("/aws/lambda/{function_name}")),
        }
    }
}

fn name_of<T: Copy + PartialEq>(value: T, names: &'static [(&'static str, T)]) -> &'static str {
    let found = names.iter().find(|(_, named)| *named == value);
    found.map(|(name, _)| *name).expect("every value has its name in the list")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(body: Value) -> Result<Value, Exception> {
        let input: LoggingConfigInput = serde_json::from_value(body).unwrap();
        let mut violations = Violations::default();
        let config = input.check(&mut violations)?;
        violations.finish()?;
        Ok(serde_json::to_value(LoggingConfigOutput::new(&config, "f")).unwrap())
    }

    #[test]
    fn levels_exist_with_json_alone() {
        assert_eq!(
            check(json!({"LogFormat": "JSON"})),
            Ok(json!({
                "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO",
                "LogGroup": "/aws/lambda/f",
            }))
        );
        assert_eq!(
            check(json!({"LogGroup": "mine"})),
            Ok(json!({"LogFormat": "Text", "LogGroup": "mine"}))
        );
        assert!(check(json!({"LogFormat": "Text", "SystemLogLevel": "WARN"})).is_err());
        assert!(check(json!({"LogFormat": "XML"})).is_err());
    }
}
