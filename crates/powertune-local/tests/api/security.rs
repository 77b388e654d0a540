//! Access: signatures, the rights of a package, and the privacy of files. The local Lambda runs
//! code, so callers without a key are refused.

mod packages;
mod pages;
mod privacy;
mod signatures;
mod strangers;

use powertune_local::Settings;
use serde_json::{Value, json};

use crate::bed::{Bed, Draft, RawResponse};

const INVOKE: &str = "/2015-03-31/functions/f/invocations";
const LIST: &str = "/2015-03-31/functions";

/// A bed with the function `f`, and a request that makes it write a file.
async fn with_function() -> (Bed, Draft) {
    let bed = Bed::start(Settings::default()).await;
    bed.function("f", 256).await;
    bed.function("g", 256).await;
    let event = json!({"write": bed.folder.path().join("written")}).to_string();
    let draft = bed.draft("POST", INVOKE, &event);
    (bed, draft)
}

/// True if the function of `with_function` has run.
fn has_run(bed: &Bed) -> bool {
    bed.folder.path().join("written").exists()
}

/// The message of a refusal. No web page may read it.
fn refusal(response: &RawResponse) -> String {
    let cors = response.headers.keys().find(|name| name.starts_with("access-control"));
    assert_eq!(cors, None);
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    let message =
        ["message", "Message", "errorMessage"].iter().find_map(|name| told[name].as_str());
    message.unwrap_or_else(|| panic!("no message: {told}")).to_owned()
}
