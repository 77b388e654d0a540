//! Control-plane calls: reading functions, and every change that a run makes.

use std::collections::HashMap;

use aws_config::retry::RetryConfig;
use aws_sdk_lambda::{config::Builder, types::FunctionConfiguration};
use jiff::Timestamp;
use powertune_core::power::Power;

use super::{
    Gateway,
    error::{ApiError, ErrorKind},
    function::{FunctionConfig, timestamp},
};
use crate::{
    journal::{Journal, JournalEntry, Read},
    mark::Mark,
};

/// A published version of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublishedVersion {
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) power: Option<Power>,
}

impl Gateway {
    /// GetFunction of `$LATEST`, or of `qualifier`.
    pub(crate) async fn function(
        &self,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<FunctionConfig, ApiError> {
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
        FunctionConfig::read(configuration, reserved, answer.tags)
    }

    /// `$LATEST` with the function's tags; both from the same moment if GetFunction returns tags.
    pub(crate) async fn function_and_tags(
        &self,
        name: &str,
    ) -> Result<(FunctionConfig, HashMap<String, String>), ApiError> {
        let function = self.function(name, None).await?;
        let tags = self.tags_of(&function).await?;
        Ok((function, tags))
    }

    /// The tags of a function.
    ///
    /// GetFunction omits the tags if there are none, or if the caller may not read them. ListTags
    /// distinguishes the two. It comes second, so it sees tags set in between.
    pub(crate) async fn tags_of(
        &self,
        function: &FunctionConfig,
    ) -> Result<HashMap<String, String>, ApiError> {
        match &function.tags {
            Some(tags) => Ok(tags.clone()),
            None => self.tags(&function.arn).await,
        }
    }

    pub(crate) async fn version(
        &self,
        arn: &str,
        version: &str,
    ) -> Result<Option<FunctionConfig>, ApiError> {
        match self.function(arn, Some(version)).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// Journals the state of `$LATEST`, if a change of the run is in force.
    pub(crate) async fn record_read(&self, latest: &FunctionConfig) -> Result<(), ApiError> {
        let has_changed = self.journal.as_ref().and_then(Journal::unsettled).is_some();
        if !has_changed {
            return Ok(());
        }
        self.record("GetFunction", JournalEntry::Read(latest.into())).await
    }

    /// Journals that tags and versions do not change LastModified at this endpoint.
    pub(crate) async fn record_updates_alone_modify(&self) -> Result<(), ApiError> {
        self.record("GetFunction", JournalEntry::UpdatesAloneModify).await
    }

    /// Journals that `$LATEST` has its own memory size again.
    pub(crate) async fn record_memory_back(&self) -> Result<(), ApiError> {
        self.record("GetFunction", JournalEntry::MemoryBack).await
    }

    /// GetAccountSettings: the concurrency that no function has reserved.
    pub(crate) async fn unreserved_concurrency(&self) -> Result<u32, ApiError> {
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
        unreserved.ok_or_else(|| ApiError {
            operation: "GetAccountSettings",
            kind: ErrorKind::Unknown,
            message: "the answer has no AccountLimit".to_owned(),
        })
    }

    pub(crate) async fn tags(&self, arn: &str) -> Result<HashMap<String, String>, ApiError> {
        let answer = self.control.list_tags().resource(arn).send().await;
        let answer =
            answer.map_err(|error| ApiError::from_sdk("ListTags", &error, &self.called))?;
        Ok(answer.tags.unwrap_or_default())
    }

    pub(crate) async fn tag(
        &self,
        arn: &str,
        tags: HashMap<String, String>,
    ) -> Result<(), ApiError> {
        self.record("TagResource", JournalEntry::Tag).await?;
        let answer = self.control.tag_resource().resource(arn).set_tags(Some(tags)).send().await;
        answer.map_err(|error| ApiError::from_sdk("TagResource", &error, &self.called)).map(|_| ())
    }

    pub(crate) async fn untag(&self, arn: &str, keys: Vec<String>) -> Result<(), ApiError> {
        let answer =
            self.control.untag_resource().resource(arn).set_tag_keys(Some(keys)).send().await;
        answer
            .map_err(|error| ApiError::from_sdk("UntagResource", &error, &self.called))
            .map(|_| ())
    }

    /// UpdateFunctionConfiguration of the memory size alone, guarded by the RevisionId of `latest`.
    /// Returns the LastModified of the answer.
    ///
    /// It is never retried: Lambda refuses a second try after a successful first one, and then
    /// nobody knows which run made the change.
    pub(crate) async fn set_power(
        &self,
        latest: &FunctionConfig,
        power: Power,
    ) -> Result<Option<Timestamp>, ApiError> {
        let entry = JournalEntry::SetMemory { from: latest.power, to: power };
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
                (JournalEntry::Read(Read { power, revision_id, last_modified }), Ok(last_modified))
            }
            Err(error) if error.kind == ErrorKind::Unknown => return Err(error),
            Err(error) if error.is_meeting() || error.kind == ErrorKind::Throttled => {
                match self.after_refusal(latest, power).await {
                    Ok(entry) => (entry, Err(error)),
                    // Without a read, the call counts as unanswered.
                    Err(_) => return Err(error),
                }
            }
            Err(error) => (JournalEntry::Refused, Err(error)),
        };
        self.record("UpdateFunctionConfiguration", entry).await?;
        answer
    }

    /// The journal entry for a refused change. A proxy may send a call twice and return the second
    /// answer, which is a refusal because the first call succeeded.
    async fn after_refusal(
        &self,
        latest: &FunctionConfig,
        power: Power,
    ) -> Result<JournalEntry, ApiError> {
        let Some(journal) = &self.journal else { return Ok(JournalEntry::Refused) };
        let (now, tags) = self.function_and_tags(&latest.arn).await?;
        let is_anothers = Mark::all(&tags).iter().any(|mark| mark.run != journal.run());
        Ok(if now.power == power && !is_anothers {
            JournalEntry::Doubted
        } else {
            JournalEntry::Refused
        })
    }

    /// PublishVersion, guarded by the RevisionId and CodeSha256 of `latest`. If nothing has changed
    /// since the newest version, Lambda returns that version, which may be somebody else's.
    pub(crate) async fn publish(
        &self,
        latest: &FunctionConfig,
        description: &str,
    ) -> Result<PublishedVersion, ApiError> {
        let entry =
            JournalEntry::Publish { power: latest.power, description: description.to_owned() };
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
        Ok(PublishedVersion {
            version: answer.version.unwrap_or_default(),
            description: answer.description.unwrap_or_default(),
            power: answer.memory_size.and_then(|mb| Power::new(mb).ok()),
        })
    }

    /// ListVersionsByFunction without `$LATEST`.
    ///
    /// Some endpoints know a function only by its name here. Every correct list contains `$LATEST`;
    /// if the list for the ARN lacks it, the call is repeated with the name.
    pub(crate) async fn versions(&self, arn: &str) -> Result<Vec<PublishedVersion>, ApiError> {
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

    /// DeleteFunction of one version; a missing version counts as deleted.
    ///
    /// Lambda refuses to delete a version that an alias points to. So there is no race with
    /// somebody who moves an alias.
    pub(crate) async fn delete_version(&self, arn: &str, version: &str) -> Result<(), ApiError> {
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

fn numbered(configuration: FunctionConfiguration) -> Option<PublishedVersion> {
    let version = configuration.version.filter(|version| version != "$LATEST")?;
    Some(PublishedVersion {
        version,
        description: configuration.description.unwrap_or_default(),
        power: configuration.memory_size.and_then(|mb| Power::new(mb).ok()),
    })
}
