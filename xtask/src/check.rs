//! The checks that need no test run, in the order of what fails fastest.

use anyhow::{Context, Result};

use crate::{generate, links, messages, purity, readme, shell};

/// Runs every check and stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))
        .context("`cargo fmt` puts this right")?;
    generate::check()?;
    pages()?;
    purity::tree()?;
    shell::run(shell::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    purity::sources()?;
    shell::run(
        shell::cargo()
            // With examples the features are those of the lints above: nothing is checked twice.
            .args(["doc", "--workspace", "--no-deps", "--quiet", "--lib", "--bins", "--examples"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    println!(
        "check: formatting, generated files, pages, purity, lints and documentation are in order"
    );
    Ok(())
}

/// Checks what the pages link to, and that they have what the sources say.
pub(crate) fn pages() -> Result<()> {
    links::check()?;
    messages::check()?;
    readme::check()?;
    println!("pages: links lead somewhere, and every message is on its page");
    Ok(())
}
