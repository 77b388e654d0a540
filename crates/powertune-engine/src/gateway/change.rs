//! Control-plane calls: reading functions, and every change that a run makes.

use std::collections::HashMap;

use aws_config::retry::RetryConfig;
use aws_sdk_lambda::{config::Builder, types::FunctionConfiguration};
use jiff::Timestamp;
use powertune_core::power::Power;

use super::{
    Gateway,
    error::{ApiError, ErrorKind},
    function::{Function, timestamp},
};
use crate::{
    journal::{Entry, Journal, Read},
    mark::Mark,
};

/// What an account lets run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountConcurrency {
    /// Not reserved by any function.
    pub unreserved: u32,
}

/// A version's number, and what its publisher said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// A number, as a string.
    pub version: String,
    /// Its description.
    pub description: String,
    /// Its memory size.
    pub power: Option<Power>,
}

impl Gateway {
    /// GetFunction: `$LATEST`, or what `qualifier` names.
    pub async fn function(
        &self,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Function, ApiError> {
        let answer = self
            .control
            .get_function()
            .function_name(name)
            .set_qualifier(qualifier.map(str::to_owned))
            .send()
            .await
            .map_err(|error| ApiError::from_sdk("GetFunction", &error, &self.called))?;
        let reserved = answer
            .concurrency
            .and_then(|concurrency| concurrency.reserved_concurrent_executions)
            .and_then(|reserved| u32::try_from(reserved).ok());
        let configuration = answer.configuration.ok_or_else(|| ApiError {
            operation: "GetFunction",
            kind: ErrorKind::Unknown,
            message: "the answer has no Configuration".to_owned(),
        })?;
        Function::read(configuration, reserved, answer.tags)
    }

    /// `$LATEST` with the function's tags: of one moment, where GetFunction answers with both.
    pub(crate) async fn function_and_tags(
        &self,
        name: &str,
    ) -> Result<(Function, HashMap<String, String>), ApiError> {
        let function = self.function(name, None).await?;
        let tags = self.tags_of(&function).await?;
        Ok((function, tags))
    }

    /// The tags of a function that was read.
    ///
    /// GetFunction leaves the tags out where there are none, or where the caller may not see them;
    /// ListTags tells the two apart. It is asked second, so that a tag set in between is seen.
    pub(crate) async fn tags_of(
        &self,
        function: &Function,
    ) -> Result<HashMap<String, String>, ApiError> {
        match &function.tags {
            Some(tags) => Ok(tags.clone()),
            None => self.tags(&function.arn).await,
        }
    }

    /// GetFunction of a version; `None` where there is none.
    pub(crate) async fn version(
        &self,
        arn: &str,
        version: &str,
    ) -> Result<Option<Function>, ApiError> {
        match self.function(arn, Some(version)).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// Writes down what was read of `$LATEST` with a change of the run's in force.
    pub(crate) async fn record_read(&self, latest: &Function) -> Result<(), ApiError> {
        let has_changed = self.journal.as_ref().and_then(Journal::unsettled).is_some();
        if !has_changed {
            return Ok(());
        }
        self.record("GetFunction", Entry::Read(latest.into())).await
    }

    /// Writes down that tags and versions do not move LastModified here.
    pub(crate) async fn record_updates_alone_modify(&self) -> Result<(), ApiError> {
        self.record("GetFunction", Entry::UpdatesAloneModify).await
    }

    /// Writes down that `$LATEST` has its own memory size again.
    pub(crate) async fn record_memory_back(&self) -> Result<(), ApiError> {
        self.record("GetFunction", Entry::MemoryBack).await
    }

    /// GetAccountSettings.
    pub async fn account_concurrency(&self) -> Result<AccountConcurrency, ApiError> {
        let answer = self
            .control
            .get_account_settings()
            .send()
            .await
            .map_err(|error| ApiError::from_sdk("GetAccountSettings", &error, &self.called))?;
        let limit = answer.account_limit;
        let unreserved = limit.and_then(|limit| {
            let executions =
                limit.unreserved_concurrent_executions.unwrap_or(limit.concurrent_executions);
            u32::try_from(executions).ok()
        });
        unreserved.map(|unreserved| AccountConcurrency { unreserved }).ok_or_else(|| ApiError {
            operation: "GetAccountSettings",
            kind: ErrorKind::Unknown,
            message: "the answer has no AccountLimit".to_owned(),
        })
    }

    /// ListTags.
    pub async fn tags(&self, arn: &str) -> Result<HashMap<String, String>, ApiError> {
        let answer = self.control.list_tags().resource(arn).send().await;
        let answer =
            answer.map_err(|error| ApiError::from_sdk("ListTags", &error, &self.called))?;
        Ok(answer.tags.unwrap_or_default())
    }

    /// TagResource.
    pub async fn tag(&self, arn: &str, tags: HashMap<String, String>) -> Result<(), ApiError> {
        self.record("TagResource", Entry::Tag).await?;
        let answer = self.control.tag_resource().resource(arn).set_tags(Some(tags)).send().await;
        answer.map_err(|error| ApiError::from_sdk("TagResource", &error, &self.called)).map(|_| ())
    }

    /// UntagResource.
    pub async fn untag(&self, arn: &str, keys: Vec<String>) -> Result<(), ApiError> {
        let answer =
            self.control.untag_resource().resource(arn).set_tag_keys(Some(keys)).send().await;
        answer
            .map_err(|error| ApiError::from_sdk("UntagResource", &error, &self.called))
            .map(|_| ())
    }

    /// UpdateFunctionConfiguration of the memory size alone, if nothing about `latest` has changed.
    ///
    /// It is sent once: a second try would be refused after a first one that was carried out, and
    /// then nobody could tell which run has made the change. Returns the answer's LastModified.
    pub(crate) async fn set_power(
        &self,
        latest: &Function,
        power: Power,
    ) -> Result<Option<Timestamp>, ApiError> {
        let entry = Entry::SetMemory { from: latest.power, to: power };
        self.record("UpdateFunctionConfiguration", entry).await?;
        let memory = i32::try_from(power.mb()).expect("a power is at most 10240");
        let answer = self
            .control
            .update_function_configuration()
            .function_name(&latest.arn)
            .memory_size(memory)
            .set_revision_id(latest.revision_id.clone())
            .customize()
            .config_override(Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await
            .map_err(|error| {
                ApiError::from_sdk("UpdateFunctionConfiguration", &error, &self.called)
            });
        let (entry, answer) = match answer {
            Ok(changed) => {
                let last_modified = changed.last_modified().and_then(timestamp);
                let revision_id = changed.revision_id;
                (Entry::Read(Read { power, revision_id, last_modified }), Ok(last_modified))
            }
            Err(error) if error.kind == ErrorKind::Unknown => return Err(error),
            Err(error) if error.is_meeting() || error.kind == ErrorKind::Throttled => {
                match self.after_refusal(latest, power).await {
                    Ok(entry) => (entry, Err(error)),
                    // Nothing was read: the call counts as one without an answer.
                    Err(_) => return Err(error),
                }
            }
            Err(error) => (Entry::Refused, Err(error)),
        };
        self.record("UpdateFunctionConfiguration", entry).await?;
        answer
    }

    /// How a refusal of this memory size is to be taken. A proxy may send a call twice and pass on the
    /// answer to the second one, which is refused because the first one was carried out.
    async fn after_refusal(&self, latest: &Function, power: Power) -> Result<Entry, ApiError> {
        let Some(journal) = &self.journal else { return Ok(Entry::Refused) };
        let (now, tags) = self.function_and_tags(&latest.arn).await?;
        let is_anothers = Mark::all(&tags).iter().any(|mark| mark.run != journal.run());
        Ok(if now.power == power && !is_anothers { Entry::Doubted } else { Entry::Refused })
    }

    /// PublishVersion of `latest`, if nothing about it has changed; what comes back may be an older
    /// version that is somebody else's.
    pub async fn publish(&self, latest: &Function, description: &str) -> Result<Version, ApiError> {
        let entry = Entry::Publish { power: latest.power, description: description.to_owned() };
        self.record("PublishVersion", entry).await?;
        let answer = self
            .control
            .publish_version()
            .function_name(&latest.arn)
            .description(description)
            .set_code_sha256(latest.code_sha256.clone())
            .set_revision_id(latest.revision_id.clone())
            .send()
            .await
            .map_err(|error| ApiError::from_sdk("PublishVersion", &error, &self.called))?;
        Ok(Version {
            version: answer.version.unwrap_or_default(),
            description: answer.description.unwrap_or_default(),
            power: answer.memory_size.and_then(|mb| Power::new(mb).ok()),
        })
    }

    /// ListVersionsByFunction: all of them but `$LATEST`.
    ///
    /// Some endpoints know the function by its name alone here. A list without `$LATEST` cannot be
    /// true, and is asked for again by name.
    pub async fn versions(&self, arn: &str) -> Result<Vec<Version>, ApiError> {
        let name = arn.rsplit(':').next().unwrap_or(arn);
        for function in [arn, name] {
            let listed = self.listed_versions(function).await?;
            let is_latest = |listed: &FunctionConfiguration| listed.version() == Some("$LATEST");
            if listed.iter().any(is_latest) {
                return Ok(listed.into_iter().filter_map(numbered).collect());
            }
        }
        Err(ApiError {
            operation: "ListVersionsByFunction",
            kind: ErrorKind::Unknown,
            message: "the answer does not even list $LATEST".to_owned(),
        })
    }

    async fn listed_versions(&self, name: &str) -> Result<Vec<FunctionConfiguration>, ApiError> {
        let mut versions = Vec::new();
        let mut pages =
            self.control.list_versions_by_function().function_name(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                ApiError::from_sdk("ListVersionsByFunction", &error, &self.called)
            })?;
            versions.extend(page.versions.unwrap_or_default());
        }
        Ok(versions)
    }

    /// DeleteFunction of one version; one that is gone already is deleted.
    ///
    /// Lambda itself sees to it that a version stays to which an alias points: between asking for
    /// the aliases and deleting, somebody could point one there.
    pub async fn delete_version(&self, arn: &str, version: &str) -> Result<(), ApiError> {
        debug_assert!(!version.is_empty(), "without a version the function itself would go");
        let answer =
            self.control.delete_function().function_name(arn).qualifier(version).send().await;
        match answer.map_err(|error| ApiError::from_sdk("DeleteFunction", &error, &self.called)) {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind == ErrorKind::Conflict && error.message.contains("alias") => {
                Err(ApiError { kind: ErrorKind::Aliased, ..error })
            }
            other => other.map(|_| ()),
        }
    }
}

fn numbered(configuration: FunctionConfiguration) -> Option<Version> {
    let version = configuration.version.filter(|version| version != "$LATEST")?;
    Some(Version {
        version,
        description: configuration.description.unwrap_or_default(),
        power: configuration.memory_size.and_then(|mb| Power::new(mb).ok()),
    })
}
