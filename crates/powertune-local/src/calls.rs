//! Who called what: a line of JSON for every call that was signed by somebody known, by AWS's
//! names of operations. Whoever has to write an IAM policy sees from it what a program needs.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Mutex, PoisonError},
};

use axum::{
    extract::{MatchedPath, Request},
    http::{Extensions, Method, request::Parts},
};
use serde::Serialize;

use crate::{auth::Caller, platform::Platform};

/// The file that calls are written to.
#[derive(Debug)]
pub(crate) struct CallLog(Mutex<File>);

/// One call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    /// The function that called, by name; absent for a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    operation: &'static str,
    /// The path, which names the function that was called, and the version behind a question mark.
    path: String,
}

impl CallLog {
    /// Appends to the file. Where there is none, it makes one for this user alone: names and paths
    /// tell what somebody is working on.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        Ok(Self(Mutex::new(options.create(true).append(true).mode(0o600).open(path)?)))
    }

    /// Writes a call. A disk that is full does not stop the calls.
    pub(crate) fn write(&self, call: &Call) {
        let line = serde_json::to_string(call).expect("a call has nothing JSON can't hold") + "\n";
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = file.write_all(line.as_bytes());
    }
}

impl Call {
    pub(crate) fn of(caller: Caller, request: &Request, platform: &Platform) -> Self {
        let uri = request.uri();
        Self {
            function: match caller {
                Caller::User => None,
                Caller::Environment(environment) => platform.execution.function_of(environment),
            },
            operation: named(request.method(), request.extensions()),
            path: uri.path_and_query().map_or_else(|| uri.path(), |path| path.as_str()).to_owned(),
        }
    }
}

/// AWS's name of the operation that a request asks for.
pub(crate) fn operation_of(parts: &Parts) -> &'static str {
    named(&parts.method, &parts.extensions)
}

fn named(method: &Method, extensions: &Extensions) -> &'static str {
    operation(method, extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str))
}

/// AWS's name of the operation at a route.
fn operation(method: &Method, matched: &str) -> &'static str {
    // Without the date of its API and what a route has in braces.
    let segments: Vec<&str> = matched
        .split('/')
        .skip(2)
        .filter(|segment| !segment.is_empty())
        .map(|segment| if segment.starts_with('{') { "*" } else { segment })
        .collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["functions"]) => "ListFunctions",
        ("POST", ["functions"]) => "CreateFunction",
        ("GET", ["functions", "*"]) => "GetFunction",
        ("DELETE", ["functions", "*"]) => "DeleteFunction",
        ("GET", ["functions", "*", "configuration"]) => "GetFunctionConfiguration",
        ("PUT", ["functions", "*", "configuration"]) => "UpdateFunctionConfiguration",
        ("PUT", ["functions", "*", "code"]) => "UpdateFunctionCode",
        ("POST", ["functions", "*", "invocations"]) => "Invoke",
        ("GET", ["functions", "*", "versions"]) => "ListVersionsByFunction",
        ("POST", ["functions", "*", "versions"]) => "PublishVersion",
        ("GET", ["functions", "*", "aliases"]) => "ListAliases",
        ("POST", ["functions", "*", "aliases"]) => "CreateAlias",
        ("GET", ["functions", "*", "aliases", "*"]) => "GetAlias",
        ("PUT", ["functions", "*", "aliases", "*"]) => "UpdateAlias",
        ("DELETE", ["functions", "*", "aliases", "*"]) => "DeleteAlias",
        ("GET", ["account-settings"]) => "GetAccountSettings",
        ("GET", ["functions", "*", "concurrency"]) => "GetFunctionConcurrency",
        ("PUT", ["functions", "*", "concurrency"]) => "PutFunctionConcurrency",
        ("DELETE", ["functions", "*", "concurrency"]) => "DeleteFunctionConcurrency",
        ("GET", ["tags", "*"]) => "ListTags",
        ("POST", ["tags", "*"]) => "TagResource",
        ("DELETE", ["tags", "*"]) => "UntagResource",
        ("GET", ["functions", "*", "code-signing-config"]) => "GetFunctionCodeSigningConfig",
        ("GET", ["functions", "*", "runtime-management-config"]) => "GetRuntimeManagementConfig",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_file_is_for_its_user_alone_unless_it_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let new = folder.path().join("new");
        CallLog::open(&new).unwrap();
        assert_eq!(mode(&new), 0o600);
        let old = folder.path().join("old");
        File::create(&old).unwrap().set_permissions(PermissionsExt::from_mode(0o640)).unwrap();
        CallLog::open(&old).unwrap();
        assert_eq!(mode(&old), 0o640);
    }

    #[test]
    fn operations_have_the_names_of_aws() {
        let named = |method, path| operation(&method, path);
        assert_eq!(named(Method::GET, "/2015-03-31/functions/{name}"), "GetFunction");
        assert_eq!(named(Method::GET, "/2015-03-31/functions/"), "ListFunctions");
        assert_eq!(named(Method::DELETE, "/2017-03-31/tags/{arn}"), "UntagResource");
        assert_eq!(named(Method::GET, "/2016-08-19/account-settings/"), "GetAccountSettings");
        assert_eq!(named(Method::GET, ""), "unknown");
    }
}
