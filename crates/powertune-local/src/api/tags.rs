//! Tags. They belong to functions, not to versions.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use super::exchange::{Json, Query, json};
use crate::{
    constraint::Violations,
    exception::Exception,
    platform::Platform,
    reference::{FunctionReference, READ},
};

const PATTERN: &str = "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)";
/// Other resources that can have tags on AWS, by the part of their ARN. None exists here.
const OTHER_RESOURCES: [(&str, &str); 4] = [
    ("Event source mapping", "event-source-mapping"),
    ("Capacity provider", "capacity-provider"),
    ("Code signing config", "code-signing-config"),
    ("Layer", "layer"),
];
const RESOURCE_PATTERN: &str = r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct TagResourceRequest {
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
    Json(request): Json<TagResourceRequest>,
) -> Result<Response, Exception> {
    let mut violations = Violations::default();
    let tags = request.tags.unwrap_or_else(|| {
        violations.missing("tags");
        BTreeMap::new()
    });
    check_tags(&tags, &mut violations);
    check_resource(&arn, &mut violations);
    violations.finish()?;
    let reference = tagged_function(&arn, &platform)?;
    if tags.is_empty() {
        return Err(Exception::invalid_parameter(
            "An error occurred and the request cannot be processed.",
        ));
    }
    platform.with_store(|store, now| store.tag(&reference, tags, now))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn untag(
    State(platform): State<Arc<Platform>>,
    Path(arn): Path<String>,
    query: Query,
) -> Result<Response, Exception> {
    let keys: Vec<&str> = query.all("tagKeys").collect();
    let mut violations = Violations::default();
    if keys.is_empty() {
        violations.missing("tagKeys");
    }
    check_resource(&arn, &mut violations);
    violations.finish()?;
    let reference = tagged_function(&arn, &platform)?;
    platform.with_store(|store, now| store.untag(&reference, &keys, now))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    Path(arn): Path<String>,
) -> Result<Response, Exception> {
    let mut violations = Violations::default();
    check_resource(&arn, &mut violations);
    violations.finish()?;
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
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}

/// The pattern of AWS's model. It also matches ARNs of other resources than functions.
fn check_resource(arn: &str, violations: &mut Violations) {
    static REGEX: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!("^(?:{RESOURCE_PATTERN})$")).expect("it is a regular expression")
    });
    if !REGEX.is_match(arn) {
        violations.pattern("resource", arn, RESOURCE_PATTERN);
    }
}

/// The function of an ARN without a qualifier.
fn tagged_function(arn: &str, platform: &Platform) -> Result<FunctionReference, Exception> {
    for (kind, part) in OTHER_RESOURCES {
        if arn.split(':').nth(5) == Some(part) {
            return Err(Exception::not_found(format!("{kind} not found: {arn}")));
        }
    }
    let reference = FunctionReference::parse(arn, None, &READ, &platform.account)?;
    if reference.qualifier.is_some() {
        return Err(Exception::invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function \
             ARN.",
        ));
    }
    Ok(reference)
}
