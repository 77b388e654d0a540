//! The environment variables of a function, as on Lambda.
//!
//! Of the server's own variables only PATH is passed on. Two things differ from Lambda: the code is
//! not in `/var/task`, and there is no private `/tmp`, so `TMPDIR` and `HOME` name a folder that
//! lives as long as the environment.

use std::{ffi::OsString, net::SocketAddr, path::Path};

use uuid::Uuid;

use crate::{
    credentials::Credentials,
    runtimes::RuntimeKind,
    version::{FunctionVersion, LogFormat},
};

/// The folders and addresses of an environment.
#[derive(Debug)]
pub(super) struct Places<'a> {
    pub(super) task_root: &'a Path,
    pub(super) runtime_folder: &'a Path,
    pub(super) home: &'a Path,
    pub(super) runtime_api: SocketAddr,
    /// URL of the Lambda API.
    pub(super) endpoint: &'a str,
}

/// All variables of an environment. The function's own override defaults, Lambda's override both.
pub(super) fn variables(
    version: &FunctionVersion,
    credentials: &Credentials,
    places: &Places<'_>,
) -> Vec<(OsString, OsString)> {
    let own = version.environment.iter().map(|(name, value)| (name.into(), value.into()));
    defaults(places).into_iter().chain(own).chain(reserved(version, credentials, places)).collect()
}

fn defaults(places: &Places<'_>) -> Vec<(OsString, OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let home = places.home.as_os_str();
    [
        ("PATH", path),
        ("LANG", "en_US.UTF-8".into()),
        ("TZ", ":UTC".into()),
        ("HOME", home.into()),
        ("TMPDIR", home.into()),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".into()),
        ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000".into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value))
    .collect()
}

fn reserved(
    version: &FunctionVersion,
    credentials: &Credentials,
    places: &Places<'_>,
) -> Vec<(OsString, OsString)> {
    let today = jiff::Timestamp::now().strftime("%Y/%m/%d");
    let stream = format!("{today}/[{}]{}", version.version, Uuid::new_v4().simple());
    let format = match version.logging.format {
        LogFormat::Text => "Text",
        LogFormat::Json => "JSON",
    };
    let texts = [
        ("_HANDLER", version.handler.clone()),
        ("AWS_REGION", version.region.clone()),
        ("AWS_DEFAULT_REGION", version.region.clone()),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()),
        ("AWS_SESSION_TOKEN", credentials.session_token.clone().unwrap_or_default()),
        ("AWS_ENDPOINT_URL_LAMBDA", places.endpoint.to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", places.runtime_api.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", version.function_name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", version.version.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", version.memory_mb.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_FORMAT", format.to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", version.function_name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", stream),
    ];
    let folders =
        [("LAMBDA_TASK_ROOT", places.task_root), ("LAMBDA_RUNTIME_DIR", places.runtime_folder)];
    let managed = version.runtime.kind != RuntimeKind::Provided;
    let execution_env = format!("AWS_Lambda_{}", version.runtime.identifier);
    let execution_env = managed.then(|| ("AWS_EXECUTION_ENV".into(), execution_env.into()));
    let texts = texts.into_iter().map(|(name, value)| (name.into(), value.into()));
    let folders = folders.into_iter().map(|(name, path)| (name.into(), path.into()));
    texts.chain(folders).chain(execution_env).collect()
}
