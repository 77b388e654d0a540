//! GetAlias, UpdateAlias and CreateAlias.

use super::{
    Gateway,
    error::{ApiError, ErrorKind},
};
use crate::journal::JournalEntry;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AliasConfig {
    pub(crate) version: String,
    /// True if the alias sends a part of its calls to a second version.
    pub(crate) is_weighted: bool,
    /// Lambda's id of this state of the alias; `None` if the endpoint has none.
    pub(crate) revision_id: Option<String>,
}

impl Gateway {
    /// GetAlias; `None` if there is no such alias.
    pub(crate) async fn alias(
        &self,
        arn: &str,
        name: &str,
    ) -> Result<Option<AliasConfig>, ApiError> {
        let answer = self.control.get_alias().function_name(arn).name(name).send().await;
        let answer =
            match answer.map_err(|error| ApiError::from_sdk("GetAlias", &error, &self.called)) {
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
                answer => answer?,
            };
        let weights = answer.routing_config.and_then(|routing| routing.additional_version_weights);
        Ok(Some(AliasConfig {
            version: answer.function_version.unwrap_or_default(),
            is_weighted: weights.is_some_and(|weights| !weights.is_empty()),
            revision_id: answer.revision_id,
        }))
    }

    /// UpdateAlias: points an alias to a version, unless the alias has changed since it was `read`.
    pub(crate) async fn move_alias(
        &self,
        arn: &str,
        name: &str,
        read: &AliasConfig,
        version: &str,
    ) -> Result<(), ApiError> {
        self.record("UpdateAlias", pointing(name, version)).await?;
        self.control
            .update_alias()
            .function_name(arn)
            .name(name)
            .function_version(version)
            .set_revision_id(read.revision_id.clone())
            .send()
            .await
            .map_err(|error| ApiError::from_sdk("UpdateAlias", &error, &self.called))
            .map(|_| ())
    }

    /// CreateAlias. A conflict may mean that an earlier try succeeded and its answer was lost.
    pub(crate) async fn create_alias(
        &self,
        arn: &str,
        name: &str,
        version: &str,
    ) -> Result<(), ApiError> {
        self.record("CreateAlias", pointing(name, version)).await?;
        let create = self.control.create_alias().function_name(arn).name(name);
        let created = create.function_version(version).send().await;
        created.map_err(|error| ApiError::from_sdk("CreateAlias", &error, &self.called)).map(|_| ())
    }
}

fn pointing(name: &str, version: &str) -> JournalEntry {
    JournalEntry::PointAlias { alias: name.to_owned(), version: version.to_owned() }
}
