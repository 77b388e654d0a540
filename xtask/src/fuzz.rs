//! Fuzzes everything that powertune reads from outside, with cargo-fuzz.
//!
//! The committed corpus is what a run starts from and does not grow by it: what is found goes under
//! target/fuzz, and into the corpus only when that is asked for.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::shell;

const CARGO_FUZZ: &str = "0.13.2";
/// The longest that reading one input may take, and the most memory for it: no input has more than
/// a few kilobytes.
const LIMITS: [&str; 2] = ["-timeout=20", "-rss_limit_mb=2048"];

/// The most inputs of a target, besides its seeds, that the repository is to hold.
const MOST_FOUND: usize = 80;

/// Fuzzes every target for so long. Where `keep` is set, few of the inputs that reach much
/// are taken into the corpus.
pub(crate) fn run(seconds: u64, keep: bool) -> Result<()> {
    install()?;
    let fuzz = shell::root().join("fuzz");
    let targets = names(&fuzz.join("fuzz_targets"))?;
    shell::run(cargo_fuzz()?.arg("build"))?;
    for target in &targets {
        let found = shell::root().join("target/fuzz").join(target);
        let corpus = fuzz.join("corpus").join(target);
        fs::create_dir_all(&found)?;
        fs::create_dir_all(&corpus)?;
        fuzz_one(target, &found, &corpus, seconds)?;
        if keep {
            minimise(target, &found, &corpus)?;
        }
    }
    Ok(())
}

/// The names of the files in a folder, without their endings.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = folder.read_dir().with_context(|| format!("can't list {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn tools() -> PathBuf {
    shell::root().join("target/tools")
}

fn install() -> Result<()> {
    if cargo_fuzz()?.arg("--version").stdout(Stdio::null()).status()?.success() {
        return Ok(());
    }
    let root = tools().display().to_string();
    let version = ["--version", CARGO_FUZZ, "--locked", "--quiet", "--root", &root];
    shell::run(shell::cargo().args(["install", "cargo-fuzz"]).args(version))
}

/// `cargo fuzz`. Sanitizers are for nightly toolchains; a stable one has them, too, and is told to
/// let them be used.
fn cargo_fuzz() -> Result<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::env::split_paths(&path).chain([tools().join("bin")]);
    let mut command = shell::cargo();
    command.arg("fuzz").env("PATH", std::env::join_paths(paths)?).env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}

/// A command that runs a target over the inputs in `found`, which grows, and `corpus`.
fn target_on(target: &str, found: &Path, corpus: &Path) -> Result<Command> {
    let mut command = cargo_fuzz()?;
    command.args(["run", target]).arg(found).arg(corpus).arg("--");
    Ok(command)
}

fn fuzz_one(target: &str, found: &Path, corpus: &Path, seconds: u64) -> Result<()> {
    let mut command = target_on(target, found, corpus)?;
    command.arg(format!("-max_total_time={seconds}")).args(LIMITS);
    let output = command.output().context("cargo fuzz does not start")?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprintln!("{log}");
        let artifacts = shell::root().join("fuzz/artifacts").join(target);
        bail!(
            "{target} does not hold; the input is the newest in {}: `cargo fuzz run {target} \
             FILE` runs it again",
            artifacts.display()
        );
    }
    let done = log.lines().find_map(done).context("cargo fuzz did not say what it has done")?;
    println!("figure: fuzzed {target}: {} inputs in {} s, no crash", done.0, done.1);
    Ok(())
}

/// The numbers of `Done 1000 runs in 10 second(s)`.
fn done(line: &str) -> Option<(u64, u64)> {
    let (runs, seconds) = line.strip_prefix("Done ")?.split_once(" runs in ")?;
    Some((runs.parse().ok()?, seconds.strip_suffix(" second(s)")?.parse().ok()?))
}

/// Leaves in `corpus`, of what it and `found` hold, few inputs that reach much. Seeds stay: their
/// names say what they are for.
fn minimise(target: &str, found: &Path, corpus: &Path) -> Result<()> {
    // An input that libFuzzer has named is named after its SHA-1.
    let is_found = |name: &String| name.len() == 40 && name.bytes().all(|b| b.is_ascii_hexdigit());
    for name in names(corpus)?.iter().filter(|name| is_found(name)) {
        fs::rename(corpus.join(name), found.join(name))?;
    }
    let mut command = target_on(target, corpus, found)?;
    command.args(["-set_cover_merge=1", "-use_counters=0"]);
    let output = command.output().context("cargo fuzz does not start")?;
    if !output.status.success() {
        bail!("the corpus of {target}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut sized = Vec::new();
    for name in names(corpus)?.into_iter().filter(is_found) {
        sized.push((fs::metadata(corpus.join(&name))?.len(), name));
    }
    sized.sort();
    let kept = spread(sized.len(), MOST_FOUND);
    for (_, (_, name)) in sized.iter().enumerate().filter(|(place, _)| !kept.contains(place)) {
        fs::rename(corpus.join(name), found.join(name))?;
    }
    println!("corpus of {target}: {} inputs", names(corpus)?.len());
    Ok(())
}

/// At most `most` of `count` places, far from each other: of inputs in the order of their sizes,
/// simple ones as well as involved ones.
fn spread(count: usize, most: usize) -> BTreeSet<usize> {
    let kept = count.min(most);
    (0..kept).map(|nth| nth * count / kept).collect()
}

#[cfg(test)]
mod tests {
    use super::{done, spread};

    #[test]
    fn what_was_done_is_read() {
        assert_eq!(done("Done 161509 runs in 13 second(s)"), Some((161_509, 13)));
        assert_eq!(done("#161509\tDONE   cov: 1 ft: 1"), None);
    }

    #[test]
    fn no_more_than_asked_for_is_kept() {
        assert!(spread(0, 3).is_empty());
        assert_eq!(spread(3, 3).into_iter().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(spread(10, 3).into_iter().collect::<Vec<_>>(), [0, 3, 6]);
    }
}
