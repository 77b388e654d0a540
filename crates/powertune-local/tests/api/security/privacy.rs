//! Privacy of files: only the server's user can read code, runtimes and logs, and logs hold no
//! secrets.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use powertune_local::{NewFunction, Settings};
use serde_json::json;

use super::INVOKE;
use crate::bed::{Bed, zip_of};

/// Returns the folder in which the server writes.
const PLACE: &str = "
import os
def handler(event, context):
    return os.path.dirname(os.environ['LAMBDA_TASK_ROOT'])
";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_writes_is_for_its_user_alone() {
    let bed = Bed::start(Settings::default()).await;
    let zip = zip_of("folder/data", "x");
    bed.function("f", 256).await;
    bed.client.update_function_code().function_name("f").zip_file(zip.into()).send().await.unwrap();
    let place = bed.folder.path().join("place");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("app.py"), PLACE).unwrap();
    let function = NewFunction { code: place, ..bed.new_function("place", 256) };
    bed.lambda.create_function(function).await.unwrap();
    let told = bed.call("POST", &INVOKE.replace("/f/", "/place/"), "{}").await.json();
    let mut found = Vec::new();
    walk(Path::new(told.as_str().unwrap()), &mut found);
    // Python may write compiled files, in a private folder.
    found.retain(|path| !path.components().any(|part| part.as_os_str() == "__pycache__"));
    let mode = |path: &PathBuf| path.symlink_metadata().unwrap().permissions().mode() & 0o777;
    let open: Vec<_> = found.iter().filter(|path| mode(path) & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
    let named = |start: &str| {
        let starts =
            |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(start);
        found.iter().filter(|path| starts(path)).count()
    };
    let kinds = ["powertune-server-", "python.py", "code-", "package-", "environment-", "data"];
    assert!(kinds.iter().all(|kind| named(kind) > 0), "{found:?}");
    println!("figure: files and folders closed to others: {0} of {0}", found.len());
}

/// A folder and everything below it.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    found.push(folder.to_owned());
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_in_the_log_of_calls() {
    const SECRET: &str = "not-for-logs";

    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("calls");
    let bed = Bed::start(Settings { call_log: Some(log.clone()), ..Settings::default() }).await;
    let variables = [("PASSWORD".to_owned(), SECRET.to_owned())].into();
    let function = NewFunction { environment: variables, ..bed.new_function("f", 256) };
    let arn = bed.lambda.create_function(function).await.unwrap();
    bed.client.tag_resource().resource(&arn).tags("a", SECRET).send().await.unwrap();
    for event in [json!({"secret": SECRET}), json!({"fail": SECRET})] {
        assert_eq!(bed.call("POST", INVOKE, &event.to_string()).await.status, 200);
    }
    let written = fs::read_to_string(&log).unwrap();
    assert_eq!(written.matches("Invoke").count(), 2, "{written}");
    let key = &bed.lambda.credentials().secret_access_key;
    assert!(!written.contains(SECRET) && !written.contains(key), "{written}");
    assert!(!format!("{:?}", bed.lambda).contains(key), "nor where somebody debugs");
}
