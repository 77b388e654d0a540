use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    exchange::{Json, Query, json, page},
    function_path::ChangedFunction,
    shapes::AliasConfiguration,
};
use crate::{
    constraint::{Violations, is_name},
    exception::Exception,
    platform::Platform,
    reference::{FunctionReference, Qualifier},
    store::{AliasChange, AliasRecord, Routing, RoutingChange, VersionId},
};

const WEIGHTS: &str = "routingConfig.additionalVersionWeights";
const NAME_PATTERN: &str = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";

/// The body of `CreateAlias` and `UpdateAlias`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct AliasRequest {
    name: Option<String>,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<RoutingConfigInput>,
    revision_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RoutingConfigInput {
    additional_version_weights: Option<BTreeMap<String, f64>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AliasList {
    aliases: Vec<AliasConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

pub(super) async fn create(
    State(platform): State<Arc<Platform>>,
    ChangedFunction(reference): ChangedFunction,
    Json(request): Json<AliasRequest>,
) -> Result<Response, Exception> {
    let mut violations = Violations::default();
    match &request.name {
        None => violations.missing("name"),
        Some(name) => check_name(name, &mut violations),
    }
    if request.function_version.is_none() {
        violations.missing("functionVersion");
    }
    let name = request.name.clone().unwrap_or_default();
    let change = request.check(violations)?;
    let version = change.version.unwrap_or(VersionId::Latest);
    let alias =
        platform.with_store(|store, _| store.create_alias(&reference, &name, version, change))?;
    answer(StatusCode::CREATED, &alias, &platform, &reference)
}

pub(super) async fn update(
    State(platform): State<Arc<Platform>>,
    ChangedFunction(reference): ChangedFunction,
    Path((_, name)): Path<(String, String)>,
    Json(request): Json<AliasRequest>,
) -> Result<Response, Exception> {
    let change = request.check(Violations::default())?;
    let alias = platform.with_store(|store, _| store.update_alias(&reference, &name, change))?;
    answer(StatusCode::OK, &alias, &platform, &reference)
}

pub(super) async fn get(
    State(platform): State<Arc<Platform>>,
    ChangedFunction(reference): ChangedFunction,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, Exception> {
    let alias = platform.with_store(|store, _| store.alias(&reference, &name).cloned())?;
    answer(StatusCode::OK, &alias, &platform, &reference)
}

pub(super) async fn delete(
    State(platform): State<Arc<Platform>>,
    ChangedFunction(reference): ChangedFunction,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, Exception> {
    platform.with_store(|store, _| store.delete_alias(&reference, &name))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    ChangedFunction(reference): ChangedFunction,
    query: Query,
) -> Result<Response, Exception> {
    let mut violations = Violations::default();
    let version = query.get("FunctionVersion").and_then(|text| version_id(text, &mut violations));
    violations.finish()?;
    let aliases = platform.with_store(|store, _| store.aliases(&reference, version))?;
    let items = aliases.into_iter().map(|(name, alias)| {
        (name, AliasConfiguration::new(&alias, &platform.account, &reference.name))
    });
    let (aliases, next_marker) = page(items, &query)?;
    json(StatusCode::OK, &AliasList { aliases, next_marker })
}

fn answer(
    status: StatusCode,
    alias: &AliasRecord,
    platform: &Platform,
    function: &FunctionReference,
) -> Result<Response, Exception> {
    json(status, &AliasConfiguration::new(alias, &platform.account, &function.name))
}

impl AliasRequest {
    fn check(self, mut violations: Violations) -> Result<AliasChange, Exception> {
        if let Some(description) = &self.description {
            violations.length("description", description, 256);
        }
        let version = self
            .function_version
            .as_deref()
            .and_then(|version| version_id(version, &mut violations));
        let routing = match self.routing_config {
            None => RoutingChange::Keep,
            Some(config) => {
                let weights = config.additional_version_weights.unwrap_or_default();
                routing(&weights, &mut violations)?
            }
        };
        violations.finish()?;
        Ok(AliasChange {
            description: self.description,
            version,
            routing,
            revision_id: self.revision_id.filter(|revision| !revision.is_empty()),
        })
    }
}

fn check_name(name: &str, violations: &mut Violations) {
    violations.length("name", name, 128);
    if !is_name(name) || name.bytes().all(|b| b.is_ascii_digit()) {
        violations.pattern("name", name, NAME_PATTERN);
    }
}

fn version_id(text: &str, violations: &mut Violations) -> Option<VersionId> {
    match Qualifier::parse(text) {
        Qualifier::Latest => Some(VersionId::Latest),
        Qualifier::Number(number) => Some(VersionId::Number(number)),
        Qualifier::Alias(_) => {
            violations.pattern("functionVersion", text, "(\\$LATEST|[0-9]+)");
            None
        }
    }
}

/// The second version of an alias and its share of invocations.
fn routing(
    weights: &BTreeMap<String, f64>,
    violations: &mut Violations,
) -> Result<RoutingChange, Exception> {
    if weights.len() > 1 {
        return Err(Exception::invalid_parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    let Some((version, weight)) = weights.first_key_value() else {
        return Ok(RoutingChange::Remove);
    };
    // AWS's message shows the map in this form.
    let given = format!("{{{version}={weight:?}}}");
    if !(0.0..=1.0).contains(weight) {
        violations.map_value(
            WEIGHTS,
            &given,
            "Member must have value less than or equal to 1.0, Member must have value greater \
             than or equal to 0.0, Member must not be null",
        );
    }
    let Ok(version) = version.parse() else {
        violations.map_keys(
            WEIGHTS,
            &given,
            "Member must have length less than or equal to 1024, Member must have length greater \
             than or equal to 1, Member must satisfy regular expression pattern: [0-9]+",
        );
        return Ok(RoutingChange::Keep);
    };
    Ok(RoutingChange::Set(Routing { version, weight: *weight }))
}
