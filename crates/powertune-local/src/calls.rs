//! The call log: a line of JSON for every signed call, with AWS's name of the operation. It shows
//! which permissions a program needs in its IAM policy.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Mutex, PoisonError},
};

use axum::http::Uri;
use serde::Serialize;

#[derive(Debug)]
pub(crate) struct CallLog(Mutex<File>);

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallRecord {
    /// The name of the function that called. `None` for a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    operation: &'static str,
    /// The path and the query, which name the function and its version.
    path: String,
}

impl CallLog {
    /// Opens the file to append to it. A new file is private, because names and paths are private.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        Ok(Self(Mutex::new(options.create(true).append(true).mode(0o600).open(path)?)))
    }

    /// Writes a call. A full disk does not stop the calls.
    pub(crate) fn write(&self, call: &CallRecord) {
        let line = serde_json::to_string(call).expect("a call has nothing JSON can't hold") + "\n";
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = file.write_all(line.as_bytes());
    }
}

impl CallRecord {
    pub(crate) fn new(function: Option<String>, operation: &'static str, uri: &Uri) -> Self {
        Self {
            function,
            operation,
            path: uri.path_and_query().map_or_else(|| uri.path(), |path| path.as_str()).to_owned(),
        }
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
}
