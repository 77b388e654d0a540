use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::Serialize;

use super::{
    body::{PACKAGE_LIMIT, within_zip_limit},
    exchange::{Json, Query, json, page},
    function_path::{ChangedFunction, QualifiedFunction},
    requests::{
        CreateFunctionRequest, FunctionCode, UpdateFunctionCodeRequest,
        UpdateFunctionConfigurationRequest, architecture,
    },
    shapes::FunctionConfiguration,
    tags::check_tags,
};
use crate::{
    constraint::Violations,
    exception::{Exception, ExceptionKind},
    package::{Package, PackageError},
    platform::Platform,
    reference::{AwsAccount, FunctionReference, Qualifier, WRITE},
    store::{
        Configuration, ConfigurationChange, FunctionRecord, NewFunctionRecord, TAG_LIMIT,
        UpdateOptions, VersionId, VersionRecord, too_many_tags,
    },
};

/// Longest name of a function, in characters.
const NAME_LENGTH: usize = 64;

/// The answer to `GetFunction`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionDescription {
    configuration: FunctionConfiguration,
    code: CodeLocation,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<Concurrency>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CodeLocation {
    repository_type: &'static str,
    location: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Concurrency {
    reserved_concurrent_executions: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionList {
    functions: Vec<FunctionConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

pub(super) async fn create_over_http(
    State(platform): State<Arc<Platform>>,
    Json(mut request): Json<CreateFunctionRequest, PACKAGE_LIMIT>,
) -> Result<Response, Exception> {
    let code = request.code.take();
    let zip = code.map(zip_file).transpose()?.flatten();
    let created = create(&platform, request, zip).await?;
    json(StatusCode::CREATED, &created)
}

/// Creates a function. Calls over HTTP and calls in this process share it.
pub(crate) async fn create(
    platform: &Platform,
    request: CreateFunctionRequest,
    zip: Option<Bytes>,
) -> Result<FunctionConfiguration, Exception> {
    let creation = check_creation(request, zip.is_some(), &platform.account)?;
    let (Some(runtime), Some(handler), Some(role), Some(zip)) = (
        creation.change.runtime.clone(),
        creation.change.handler.clone(),
        creation.change.role.clone(),
        zip,
    ) else {
        return Err(Exception::invalid_parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment \
             packages.",
        ));
    };
    let package = unpack(platform, zip).await?;
    let new = NewFunctionRecord {
        name: creation.name.clone(),
        configuration: Configuration::new(runtime, handler, role, package).changed(creation.change),
        tags: creation.tags,
        publish: creation.publish,
    };
    platform.with_store(|store, now| {
        let version = store.create_function(new, now)?.clone();
        Ok(FunctionConfiguration::new(&version, &platform.account, &creation.name, None))
    })
}

/// A checked `CreateFunctionRequest`.
struct Creation {
    name: String,
    change: ConfigurationChange,
    tags: BTreeMap<String, String>,
    publish: bool,
}

fn check_creation(
    request: CreateFunctionRequest,
    has_code: bool,
    account: &AwsAccount,
) -> Result<Creation, Exception> {
    let mut violations = Violations::default();
    if request.function_name.is_none() {
        violations.missing("functionName");
    }
    if request.configuration.role.is_none() {
        violations.missing("role");
    }
    if !has_code {
        violations.missing("code");
    }
    let package_type = request.package_type.as_deref().unwrap_or("Zip");
    let types = [("Image", PackageType::Image), ("Zip", PackageType::Zip)];
    let package_type = violations.choice("packageType", package_type, &types);
    let architecture = architecture(request.architectures.as_deref(), &mut violations);
    let tags = request.tags.unwrap_or_default();
    check_tags(&tags, &mut violations);
    let change =
        ConfigurationChange { architecture, ..request.configuration.check(account, violations)? };
    if package_type == Some(PackageType::Image) {
        return Err(no_images());
    }
    let name = request.function_name.unwrap_or_default();
    let name = FunctionReference::parse(&name, None, &WRITE, account)?.name;
    if tags.len() > TAG_LIMIT {
        return Err(too_many_tags());
    }
    let mut violations = Violations::default();
    violations.length("functionName", &name, NAME_LENGTH);
    // AWS reports this violation alone as an `InvalidParameterValueException`.
    violations.finish().map_err(|violation| Exception::invalid_parameter(violation.message))?;
    Ok(Creation { name, change, tags, publish: request.publish.unwrap_or(false) })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PackageType {
    Image,
    Zip,
}

pub(super) async fn get(
    State(platform): State<Arc<Platform>>,
    QualifiedFunction(reference): QualifiedFunction,
) -> Result<Response, Exception> {
    let description = platform.with_store(|store, _| {
        let version = store.version(&reference)?;
        let function = store.function(&reference)?;
        let package = version.configuration.package.id;
        Ok(FunctionDescription {
            configuration: described(version, &platform, &reference),
            code: CodeLocation {
                repository_type: "S3",
                location: format!("{}/code/{package}", platform.endpoint),
            },
            tags: function.tags.clone(),
            concurrency: function
                .reserved_concurrency
                .map(|reserved| Concurrency { reserved_concurrent_executions: reserved }),
        })
    })?;
    json(StatusCode::OK, &description)
}

pub(super) async fn get_configuration(
    State(platform): State<Arc<Platform>>,
    QualifiedFunction(reference): QualifiedFunction,
) -> Result<Response, Exception> {
    let configuration = platform.with_store(|store, _| {
        Ok::<_, Exception>(described(store.version(&reference)?, &platform, &reference))
    })?;
    json(StatusCode::OK, &configuration)
}

pub(super) async fn update_configuration(
    State(platform): State<Arc<Platform>>,
    ChangedFunction(reference): ChangedFunction,
    Json(request): Json<UpdateFunctionConfigurationRequest>,
) -> Result<Response, Exception> {
    let change = request.configuration.check(&platform.account, Violations::default())?;
    let options = UpdateOptions { revision_id: request.revision_id, ..UpdateOptions::default() };
    update(&platform, &reference, change, &options)
}

pub(super) async fn update_code(
    State(platform): State<Arc<Platform>>,
    ChangedFunction(reference): ChangedFunction,
    Json(mut request): Json<UpdateFunctionCodeRequest, PACKAGE_LIMIT>,
) -> Result<Response, Exception> {
    let mut violations = Violations::default();
    let architecture = architecture(request.architectures.as_deref(), &mut violations);
    violations.finish()?;
    let zip = zip_file(std::mem::take(&mut request.code))?.ok_or_else(|| {
        Exception::invalid_parameter("Please provide a source for function code.")
    })?;
    // Unpacking is slow, so a missing function is reported first.
    platform.with_store(|store, _| store.function(&reference).map(|_| ()))?;
    let package = Some(unpack(&platform, zip).await?);
    let change = ConfigurationChange { architecture, package, ..ConfigurationChange::default() };
    update(&platform, &reference, change, &request.options())
}

fn update(
    platform: &Platform,
    reference: &FunctionReference,
    change: ConfigurationChange,
    options: &UpdateOptions,
) -> Result<Response, Exception> {
    let version =
        platform.with_store(|store, now| store.update(reference, change, options, now))?;
    let qualifier = match version.id {
        VersionId::Latest => reference.qualifier.as_ref().map(Qualifier::text),
        published @ VersionId::Number(_) => Some(published.text()),
    };
    let (account, name) = (&platform.account, &reference.name);
    json(StatusCode::OK, &FunctionConfiguration::new(&version, account, name, qualifier.as_deref()))
}

pub(super) async fn delete(
    State(platform): State<Arc<Platform>>,
    QualifiedFunction(reference): QualifiedFunction,
) -> Result<Response, Exception> {
    platform.with_store(|store, _| store.delete(&reference))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    query: Query,
) -> Result<Response, Exception> {
    let all = match query.get("FunctionVersion") {
        None => false,
        Some("ALL") => true,
        Some(other) => {
            let mut violations = Violations::default();
            violations.choice("functionVersion", other, &[("ALL", ())]);
            return violations.finish().map(|()| StatusCode::OK.into_response());
        }
    };
    let (functions, next_marker) = platform.with_store(|store, _| {
        let functions = store.functions.values();
        let items = functions.flat_map(|function| listed(function, all, &platform));
        page(items, &query)
    })?;
    json(StatusCode::OK, &FunctionList { functions, next_marker })
}

/// The entries of a function in the list: `$LATEST` alone, or all versions.
fn listed<'a>(
    function: &'a FunctionRecord,
    all: bool,
    platform: &'a Platform,
) -> impl Iterator<Item = (String, FunctionConfiguration)> + 'a {
    let versions = function.versions().take(if all { usize::MAX } else { 1 });
    versions.map(move |version| {
        let qualifier = all.then(|| version.id.text());
        let (account, name) = (&platform.account, &function.name);
        let entry = FunctionConfiguration::listed(version, account, name, qualifier.as_deref());
        (format!("{name} {}", version.id.sort_key()), entry)
    })
}

/// A version, under the qualifier of the request.
fn described(
    version: &VersionRecord,
    platform: &Platform,
    reference: &FunctionReference,
) -> FunctionConfiguration {
    let qualifier = reference.qualifier.as_ref().map(Qualifier::text);
    let (account, name) = (&platform.account, &reference.name);
    FunctionConfiguration::new(version, account, name, qualifier.as_deref())
}

/// The zip file in a request.
fn zip_file(code: FunctionCode) -> Result<Option<Bytes>, Exception> {
    if code.image_uri.is_some() {
        return Err(no_images());
    }
    if code.s3_bucket.is_some() {
        return Err(Exception::invalid_parameter(
            "There is no S3 here to take code from: send the zip file itself as ZipFile.",
        ));
    }
    let decode = |text: String| {
        BASE64.decode(text).map(Bytes::from).map_err(|error| {
            let message = format!("ZipFile is not base64: {error}");
            Exception::new(ExceptionKind::Serialization, message)
        })
    };
    let zip = code.zip_file.map(decode).transpose()?;
    zip.as_deref().map_or(Ok(()), within_zip_limit)?;
    Ok(zip)
}

fn no_images() -> Exception {
    Exception::invalid_parameter(
        "Container images do not run here: use PackageType Zip with a ZipFile.",
    )
}

async fn unpack(platform: &Platform, zip: Bytes) -> Result<Arc<Package>, Exception> {
    let place = platform.data_plane.folder().to_owned();
    let unpacked = tokio::task::spawn_blocking(move || Package::unpack(&zip, &place)).await;
    let package =
        unpacked.map_err(|error| Exception::service(&error))?.map_err(|error| match error {
            PackageError::Store(_) => Exception::service(&error),
            other => Exception::invalid_parameter(other.to_string()),
        })?;
    Ok(Arc::new(package))
}
