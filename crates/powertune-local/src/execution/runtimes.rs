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

/// Tells an interpreter's real path (what PATH names may be a slow wrapper) and whether AWS's own
/// runtime interface client is installed for it.
const PYTHON_PROBE: &str = "import importlib.util, sys; print(sys.executable); \
     print(importlib.util.find_spec('awslambdaric') is not None)";
const NODE_PROBE: &str = "console.log(process.execPath)";

/// The runtimes of this server, in a folder of their own.
#[derive(Debug)]
pub(super) struct Runtimes {
    folder: PathBuf,
    pythons: [OnceCell<Result<Python, NoProgram>>; PYTHON_MINORS],
    node: OnceCell<Result<PathBuf, NoProgram>>,
}

/// Python 3.0 to 3.31 are told apart; later ones would run as `python3`.
const PYTHON_MINORS: usize = 32;

#[derive(Debug, Clone)]
struct Python {
    executable: PathBuf,
    has_awslambdaric: bool,
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
                let node = self.node.get_or_init(|| async { find_node().await });
                let mut command = Command::new(node.await.clone()?);
                command.arg(self.folder.join("node.mjs"));
                Ok(command)
            }
        }
    }

    async fn python(&self, minor: u8) -> Result<Python, NoProgram> {
        let slot = &self.pythons[usize::from(minor).min(PYTHON_MINORS - 1)];
        slot.get_or_init(|| find_python(minor)).await.clone()
    }
}

/// The version asked for where there is one, else whatever is called `python3`.
async fn find_python(minor: u8) -> Result<Python, NoProgram> {
    let names = [format!("python3.{minor}"), "python3".to_owned()];
    for name in &names {
        let found = probe(name, &["-c", PYTHON_PROBE]).await;
        if let Some((executable, ric)) = found.as_deref().and_then(|text| text.split_once('\n')) {
            let has_awslambdaric = ric.trim() == "True";
            return Ok(Python { executable: PathBuf::from(executable), has_awslambdaric });
        }
    }
    Err(NoProgram::Interpreter(names.join(" and ")))
}

async fn find_node() -> Result<PathBuf, NoProgram> {
    let found = probe("node", &["-e", NODE_PROBE]).await;
    let path = found.map(|text| PathBuf::from(text.trim()));
    path.ok_or_else(|| NoProgram::Interpreter("node".to_owned()))
}

/// What a program prints, if it runs.
async fn probe(program: &str, args: &[&str]) -> Option<String> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then_some(text)
}
