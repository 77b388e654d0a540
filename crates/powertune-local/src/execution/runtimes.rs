//! The programs that run functions: a `bootstrap` of the function's own, or an interpreter with a
//! loop around the handler.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tokio::sync::OnceCell;

use crate::{
    folder,
    version::{FunctionVersion, Runtime},
};

const PYTHON_LOOP: &str = include_str!("runtimes/python.py");
const NODE_LOOP: &str = include_str!("runtimes/node.mjs");

/// Tells an interpreter's real path (what PATH names may be a slow wrapper), its version, and whether
/// AWS's own runtime interface client is installed for it.
const PYTHON_PROBE: &str = "import importlib.util, platform, sys; print(sys.executable); \
     print(platform.python_version()); print(importlib.util.find_spec('awslambdaric') is not None)";
const NODE_PROBE: &str = "console.log(process.execPath); console.log(process.versions.node)";

/// The runtimes of this server, in a folder of their own.
#[derive(Debug)]
pub(super) struct Runtimes {
    folder: PathBuf,
    pythons: [OnceCell<Result<Python, NoProgram>>; PYTHON_MINORS],
    node: OnceCell<Result<Node, NoProgram>>,
}

/// Python 3.0 to 3.31 are told apart; later ones would run as `python3`.
const PYTHON_MINORS: usize = 32;

#[derive(Debug, Clone)]
struct Python {
    executable: PathBuf,
    /// As in `3.13.1`.
    version: String,
    has_awslambdaric: bool,
}

#[derive(Debug, Clone)]
struct Node {
    executable: PathBuf,
    /// As in `22.12.0`.
    version: String,
}

/// Why a function can't be started at all.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum NoProgram {
    #[error("Couldn't find valid bootstrap(s): [{0}]")]
    Bootstrap(String),
    #[error("Couldn't find an interpreter that works; looked in PATH for {0}")]
    Interpreter(String),
}

impl Runtimes {
    /// Writes the loops into `folder`, where functions find them.
    pub(super) fn install(folder: &Path) -> io::Result<Self> {
        folder::write(&folder.join("python.py"), PYTHON_LOOP)?;
        folder::write(&folder.join("node.mjs"), NODE_LOOP)?;
        let pythons = [const { OnceCell::const_new() }; PYTHON_MINORS];
        Ok(Self { folder: folder.to_owned(), pythons, node: OnceCell::new() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What to run for `version`, as yet without variables, folder or pipes. Interpreters are
    /// looked for once, so that no function's init pays for it.
    pub(super) async fn command(&self, version: &FunctionVersion) -> Result<Command, NoProgram> {
        match version.runtime {
            Runtime::Provided => {
                let bootstrap = version.code.path().join("bootstrap");
                let missing = || NoProgram::Bootstrap(bootstrap.display().to_string());
                if bootstrap.is_file() { Ok(Command::new(bootstrap)) } else { Err(missing()) }
            }
            Runtime::Python { minor } => {
                let python = self.python(minor).await?;
                let mut command = Command::new(python.executable);
                if python.has_awslambdaric {
                    command.args(["-m", "awslambdaric", &version.handler]);
                } else {
                    // Unbuffered: what is printed before a crash is in the log.
                    command.arg("-u").arg(self.folder.join("python.py"));
                }
                Ok(command)
            }
            Runtime::Node { .. } => {
                let mut command = Command::new(self.node().await?.executable);
                command.arg(self.folder.join("node.mjs"));
                Ok(command)
            }
        }
    }

    async fn python(&self, minor: u8) -> Result<Python, NoProgram> {
        let slot = &self.pythons[usize::from(minor).min(PYTHON_MINORS - 1)];
        slot.get_or_init(|| find_python(minor)).await.clone()
    }

    async fn node(&self) -> Result<Node, NoProgram> {
        self.node.get_or_init(find_node).await.clone()
    }

    /// What runs here where a function asks for `runtime`, as in `Python 3.11.2`; `None` where that
    /// is the version that it asks for.
    pub(super) async fn other(&self, runtime: Runtime) -> Result<Option<String>, NoProgram> {
        let (name, version, asked) = match runtime {
            Runtime::Provided => return Ok(None),
            Runtime::Python { minor } => {
                ("Python", self.python(minor).await?.version, format!("3.{minor}"))
            }
            Runtime::Node { major } => ("Node.js", self.node().await?.version, major.to_string()),
        };
        Ok((!is_of(&version, &asked)).then(|| format!("{name} {version}")))
    }
}

/// The version asked for where there is one, else whatever is called `python3`.
async fn find_python(minor: u8) -> Result<Python, NoProgram> {
    let names = [format!("python3.{minor}"), "python3".to_owned()];
    for name in &names {
        let found = probe(name, &["-c", PYTHON_PROBE]).await;
        if let Some([executable, version, ric]) = found.as_deref().and_then(lines) {
            return Ok(Python {
                executable: PathBuf::from(executable),
                version: version.to_owned(),
                has_awslambdaric: ric == "True",
            });
        }
    }
    Err(NoProgram::Interpreter(names.join(" and ")))
}

async fn find_node() -> Result<Node, NoProgram> {
    let found = probe("node", &["-e", NODE_PROBE]).await;
    let [executable, version] = found
        .as_deref()
        .and_then(lines)
        .ok_or_else(|| NoProgram::Interpreter("node".to_owned()))?;
    Ok(Node { executable: PathBuf::from(executable), version: version.to_owned() })
}

/// The lines that a probe has printed; `None` where there are not so many.
fn lines<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.trim_end().lines().map(str::trim).collect::<Vec<_>>().try_into().ok()
}

/// Whether a version such as `3.11.2` is one of `3.11`.
fn is_of(version: &str, asked: &str) -> bool {
    version == asked || version.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.'))
}

/// What a program prints, if it runs.
async fn probe(program: &str, args: &[&str]) -> Option<String> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_from_another_that_begins_like_it() {
        assert!(is_of("3.11.2", "3.11") && is_of("22.0.0", "22") && is_of("3.14", "3.14"));
        assert!(!is_of("3.11.2", "3.1") && !is_of("2.22.0", "22") && !is_of("3.11.2", "3.12"));
    }

    #[test]
    fn a_probe_that_says_too_little_is_none() {
        assert_eq!(lines("/usr/bin/node\n22.1.0\n"), Some(["/usr/bin/node", "22.1.0"]));
        assert_eq!(lines::<2>("/usr/bin/node\n"), None);
    }
}
