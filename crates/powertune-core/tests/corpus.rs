//! Replays the corpus of the fuzz targets: every input under `fuzz/corpus` passes through the same
//! checks, without a fuzzer. So faults that fuzzing found once stay fixed.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "it reads files and prints figures"
)]

use std::{
    any::Any,
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::ExitCode,
};

use libtest_mimic::{Arguments, Failed, Trial};

#[path = "../../../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is a crate of its own, too")]
mod targets;

use targets::{TARGETS, Target};

/// A target with fewer inputs than its seeds has lost its corpus.
const FEWEST_INPUTS: usize = 6;

fn main() -> ExitCode {
    let trials = TARGETS.into_iter().map(|target| Trial::test(target.name, || replay(target)));
    let trials = trials.chain([Trial::test("every_folder_has_its_target", folders)]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// Everything in a folder, sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let listed = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths = listed.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failed>>()?;
    paths.sort();
    Ok(paths)
}

#[expect(clippy::needless_pass_by_value, reason = "a trial has its own")]
fn replay(target: Target) -> Result<(), Failed> {
    let inputs = entries(&corpus().join(target.name))?;
    for path in &inputs {
        let bytes = fs::read(path)?;
        catch_unwind(|| (target.check)(&bytes))
            .map_err(|panic| format!("{}: {}", path.display(), words(&*panic)))?;
    }
    println!("figure: corpus of {}: {} inputs replayed", target.name, inputs.len());
    if inputs.len() < FEWEST_INPUTS {
        return Err(format!("only {} inputs are there", inputs.len()).into());
    }
    Ok(())
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}

/// Checks that every folder of inputs has its target, and that cargo-fuzz knows every target.
fn folders() -> Result<(), Failed> {
    let names = |paths: Vec<PathBuf>| -> Vec<String> {
        let stem = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        paths.into_iter().filter_map(stem).collect()
    };
    let known = TARGETS.map(|target| target.name.to_owned());
    for folder in [corpus(), corpus().join("../fuzz_targets")] {
        let found = names(entries(&folder)?);
        if found != known {
            return Err(format!("{}: {found:?} is not {known:?}", folder.display()).into());
        }
    }
    Ok(())
}
