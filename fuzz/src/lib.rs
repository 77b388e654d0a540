//! Properties of everything that powertune reads from outside, for any content.
//!
//! Each [`Target`] takes any bytes and panics where something does not hold. cargo-fuzz makes the
//! bytes up; powertune-core's test `corpus` replays those that were worth keeping, under
//! `corpus/<target>`. That test includes this file, so that both ask for the same.

mod name;
mod price;
mod report;
mod request;
mod result;
mod workflow;

/// Something that reads from outside.
pub struct Target {
    /// Its name, which its folder of the corpus bears, too.
    pub name: &'static str,
    /// Reads these bytes and checks what came of it.
    pub check: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 14] = [
    Target { name: "arn", check: name::arn },
    Target { name: "digest", check: workflow::digest },
    Target { name: "log_result", check: report::log_result },
    Target { name: "payload", check: request::payload },
    Target { name: "power_values", check: name::power_values },
    Target { name: "price_list", check: price::list },
    Target { name: "report_json", check: report::json },
    Target { name: "report_text", check: report::text },
    Target { name: "request", check: request::request },
    Target { name: "result", check: result::result },
    Target { name: "s3_url", check: request::s3_url },
    Target { name: "samples", check: workflow::samples },
    Target { name: "state", check: workflow::state },
    Target { name: "visualization", check: result::visualization },
];

/// Checks what the target of this name comes to with these bytes.
///
/// # Panics
/// When a property does not hold, and when there is no such target.
pub fn check(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("every program of fuzz_targets has its target").check)(bytes);
}

/// A text as it comes from outside: whatever is no UTF-8 has been replaced by then.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
