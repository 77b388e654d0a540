//! powertune-core decides and never acts: no runtime in its tree, no clock, file, network or
//! environment in its code. What its code may not call stands in its `clippy.toml`.

use anyhow::{Result, bail};

use crate::{shell, sources};

const CORE: &str = "powertune-core";

/// Crates that act on the world; with a trailing `-` every crate whose name begins so.
const ACTING: &[&str] = &[
    "async-io",
    "async-std",
    "aws-",
    "chrono",
    "futures-executor",
    "getrandom",
    "hyper",
    "jiff",
    "mio",
    "reqwest",
    "rustix",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tokio-",
    "ureq",
];

/// Checks the tree and the code.
pub(crate) fn run() -> Result<()> {
    tree()?;
    shell::run(shell::cargo().args([
        "clippy",
        "--package",
        CORE,
        "--lib",
        "--",
        "-D",
        "clippy::disallowed_methods",
        "-D",
        "clippy::disallowed_types",
        "-D",
        "clippy::disallowed_macros",
    ]))?;
    sources()?;
    println!("purity: {CORE} touches no clock, file, network or environment");
    Ok(())
}

/// Checks that nothing in core's dependency tree acts on the world.
pub(crate) fn tree() -> Result<()> {
    let listed = shell::output(
        shell::cargo()
            .args(["tree", "--package", CORE, "--edges", "normal", "--prefix", "none"])
            .args(["--format", "{p}"]),
    )?;
    let mut acting: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| acts(name))
        .collect();
    acting.sort_unstable();
    acting.dedup();
    if !acting.is_empty() {
        bail!(
            "{CORE} depends on {}; `cargo tree -p {CORE} -e normal -i {}` shows through what",
            acting.join(", "),
            acting[0]
        );
    }
    Ok(())
}

/// Checks that core's library silences none of the lints that keep it pure. (Its examples, which
/// drive the planner and so need the world, do.)
pub(crate) fn sources() -> Result<()> {
    let sources = sources::of(&shell::root().join("crates").join(CORE).join("src"))?;
    let silencing: Vec<_> = sources
        .iter()
        .filter(|(_, text)| text.contains("clippy::disallowed"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !silencing.is_empty() {
        bail!("{} silences the lints that keep {CORE} pure", silencing.join(", "));
    }
    Ok(())
}

fn acts(name: &str) -> bool {
    ACTING.iter().any(|acting| {
        if acting.ends_with('-') { name.starts_with(acting) } else { name == *acting }
    })
}

#[cfg(test)]
mod tests {
    use super::acts;

    #[test]
    fn runtimes_and_clients_act_and_their_namesakes_do_not() {
        for name in ["tokio", "tokio-util", "aws-sdk-lambda", "hyper", "time"] {
            assert!(acts(name), "{name}");
        }
        for name in ["serde", "rand_chacha", "statrs", "powertune-core"] {
            assert!(!acts(name), "{name}");
        }
    }
}
