//! Tags, which belong to functions and not to their versions.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::exchange::{Query, json, read_json};
use crate::{
    constraint::Violations, exception::Exception, platform::Platform, reference::FunctionReference,
    store::TAG_LIMIT,
};

const PATTERN: &str = "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TagResourceRequest {
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagList {
    tags: BTreeMap<String, String>,
}

pub(super) async fn tag(
    State(platform): State<Arc<Platform>>,
    Path(arn): Path<String>,
    body: Bytes,
) -> Result<Response, Exception> {
    let request: TagResourceRequest = read_json(&body, "TagResource")?;
    let mut violations = Violations::default();
    let tags = request.tags.unwrap_or_else(|| {
        violations.missing("tags");
        BTreeMap::new()
    });
    check_tags(&tags, &mut violations);
    violations.finish()?;
    let reference = tagged_function(&arn, &platform)?;
    platform.with_store(|store, now| store.tag(&reference, tags, now))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn untag(
    State(platform): State<Arc<Platform>>,
    Path(arn): Path<String>,
    query: Query,
) -> Result<Response, Exception> {
    let keys: Vec<&str> = query.all("tagKeys").collect();
    if keys.is_empty() {
        let mut violations = Violations::default();
        violations.missing("tagKeys");
        violations.finish()?;
    }
    let reference = tagged_function(&arn, &platform)?;
    platform.with_store(|store, now| store.untag(&reference, &keys, now))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    Path(arn): Path<String>,
) -> Result<Response, Exception> {
    let reference = tagged_function(&arn, &platform)?;
    let tags = platform
        .with_store(|store, _| store.function(&reference).map(|function| function.tags.clone()))?;
    json(StatusCode::OK, &TagList { tags })
}

/// Checks keys and values against the constraints of the API's model.
pub(super) fn check_tags(tags: &BTreeMap<String, String>, violations: &mut Violations) {
    for (key, value) in tags {
        violations.length("tags", key, 128);
        violations.length("tags", value, 256);
        if let Some(text) = [key, value].into_iter().find(|text| !text.chars().all(is_allowed)) {
            violations.pattern("tags", text, PATTERN);
        }
        if key.is_empty() {
            violations.add("tags", key, "have length greater than or equal to 1");
        }
        if key.starts_with("aws:") {
            violations.add("tags", key, "not start with aws:");
        }
    }
    if tags.len() > TAG_LIMIT {
        let constraint = format!("have length less than or equal to {TAG_LIMIT}");
        violations.add("tags", tags.len(), &constraint);
    }
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}

/// The function that an ARN names; tags take nothing but ARNs, and no qualifier.
fn tagged_function(arn: &str, platform: &Platform) -> Result<FunctionReference, Exception> {
    if !arn.starts_with("arn:") {
        let mut violations = Violations::default();
        violations.pattern(
            "resource",
            arn,
            "arn:(aws[a-zA-Z-]*):lambda:REGION:ACCOUNT:function:NAME",
        );
        violations.finish()?;
    }
    let reference = FunctionReference::parse(arn, None, &platform.account)?;
    if reference.qualifier.is_some() {
        return Err(Exception::invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function \
             ARN.",
        ));
    }
    Ok(reference)
}
