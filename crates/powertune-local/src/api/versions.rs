use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};

use super::{
    exchange::{Json, Query, json, page},
    function_path::{ChangedFunction, ReadFunction},
    shapes::FunctionConfiguration,
};
use crate::{constraint::Violations, exception::Exception, platform::Platform, store::Publication};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PublishVersionRequest {
    description: Option<String>,
    code_sha256: Option<String>,
    revision_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersionList {
    versions: Vec<FunctionConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

pub(super) async fn publish(
    State(platform): State<Arc<Platform>>,
    ChangedFunction(reference): ChangedFunction,
    Json(request): Json<PublishVersionRequest>,
) -> Result<Response, Exception> {
    let mut violations = Violations::default();
    if let Some(description) = &request.description {
        violations.length("description", description, 256);
    }
    violations.finish()?;
    let publication = Publication {
        description: request.description,
        code_sha256: request.code_sha256.filter(|sha256| !sha256.is_empty()),
        revision_id: request.revision_id.filter(|revision| !revision.is_empty()),
    };
    let configuration = platform.with_store(|store, now| {
        let version = store.publish_version(&reference, publication, now)?.clone();
        let (account, number) = (&platform.account, version.id.text());
        Ok(FunctionConfiguration::new(&version, account, &reference.name, Some(&number)))
    })?;
    json(StatusCode::CREATED, &configuration)
}

pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    ReadFunction(reference): ReadFunction,
    query: Query,
) -> Result<Response, Exception> {
    let (versions, next_marker) = platform.with_store(|store, _| {
        let items = store.function(&reference)?.versions().map(|version| {
            let (account, qualifier) = (&platform.account, version.id.text());
            let name = &reference.name;
            let entry = FunctionConfiguration::listed(version, account, name, Some(&qualifier));
            (version.id.sort_key(), entry)
        });
        page(items, &query)
    })?;
    json(StatusCode::OK, &VersionList { versions, next_marker })
}
