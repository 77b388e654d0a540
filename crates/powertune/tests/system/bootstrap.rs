//! Builds the `bootstrap` of the state machine's functions, and skips tests without their
//! requirements.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use libtest_mimic::{Completion, Failed};

/// The `bootstrap`. cargo does not build it for this package, since it is a binary of another one.
pub(crate) fn bootstrap() -> Result<PathBuf, Failed> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        // With the whole workspace and a test, cargo chooses the features of `cargo test
        // --workspace`, and does not compile every dependency once more.
        cargo.args(["build", "--quiet", "--workspace", "--bin", "bootstrap"]);
        cargo.args(["--test", "open_files"]);
        let status = cargo.current_dir(workspace()).stdin(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => {}
            other => return Err(format!("powertune-functions was not built: {other:?}")),
        }
        // Beside the binary under test, which the same profile has built.
        let beside = Path::new(env!("CARGO_BIN_EXE_powertune")).with_file_name("bootstrap");
        Ok(beside)
    });
    built.clone().map_err(Failed::from)
}

/// Skips a test, or fails it if POWERTUNE_REQUIRE_ALL is set.
pub(crate) fn skipped(reason: &str) -> Result<Completion, Failed> {
    if std::env::var_os("POWERTUNE_REQUIRE_ALL").is_some() {
        return Err(Failed::from(format!("POWERTUNE_REQUIRE_ALL is set, but {reason}")));
    }
    Ok(Completion::ignored_with(reason))
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate lies two levels below the workspace's root")
        .to_path_buf()
}
