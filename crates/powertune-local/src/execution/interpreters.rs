//! The programs that run functions: the package's own `bootstrap`, or an interpreter of this machine
//! with the bootstrap of its language.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use crate::{
    folder,
    runtimes::{FAMILIES, RuntimeFamily, RuntimeKind},
    version::FunctionVersion,
};

type Probed = OnceCell<Result<InstalledInterpreter, NoProgram>>;

/// The interpreters of this machine, and the folder with the bootstraps.
#[derive(Debug)]
pub(super) struct Interpreters {
    folder: PathBuf,
    /// By the programs to look for.
    probed: Mutex<HashMap<Vec<String>, Arc<Probed>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct InstalledInterpreter {
    executable: PathBuf,
    /// As in `3.13.1`.
    version: String,
    /// AWS's runtime interface client is installed for it.
    has_client: bool,
}

/// There is no program that runs the function.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum NoProgram {
    #[error("Couldn't find valid bootstrap(s): [{0}]")]
    Bootstrap(String),
    #[error("Couldn't find an interpreter that works; looked in PATH for {0}")]
    Interpreter(String),
}

impl Interpreters {
    /// Writes the bootstraps into `folder`.
    pub(super) fn install(folder: &Path) -> io::Result<Self> {
        for family in FAMILIES {
            folder::write(&folder.join(family.bootstrap), family.bootstrap_source)?;
        }
        Ok(Self { folder: folder.to_owned(), probed: Mutex::default() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The command that runs `version`, still without variables, folder and pipes.
    pub(super) async fn command(&self, version: &FunctionVersion) -> Result<Command, NoProgram> {
        let RuntimeKind::Interpreted { family, number } = version.runtime.kind else {
            let bootstrap = version.code.path().join("bootstrap");
            let missing = || NoProgram::Bootstrap(bootstrap.display().to_string());
            return if bootstrap.is_file() { Ok(Command::new(bootstrap)) } else { Err(missing()) };
        };
        let interpreter = self.find(family, number).await?;
        let mut command = Command::new(interpreter.executable);
        if interpreter.has_client {
            command.args(family.client).arg(&version.handler);
        } else {
            command.args(family.options).arg(self.folder.join(family.bootstrap));
        }
        Ok(command)
    }

    /// The name and version of the interpreter that runs `runtime` here, as in `Python 3.11.2`.
    /// `None` if it is the version that the runtime asks for.
    pub(super) async fn other_version(
        &self,
        runtime: RuntimeKind,
    ) -> Result<Option<String>, NoProgram> {
        let RuntimeKind::Interpreted { family, number } = runtime else { return Ok(None) };
        let found = self.find(family, number).await?.version;
        let differs = !is_of(&found, &family.version(number));
        Ok(differs.then(|| format!("{} {found}", family.name)))
    }

    /// Each interpreter is probed once, so that no function's init includes the probe.
    async fn find(
        &self,
        family: &'static RuntimeFamily,
        number: u8,
    ) -> Result<InstalledInterpreter, NoProgram> {
        let programs = family.programs(number);
        let slot = {
            let mut probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(probed.entry(programs.clone()).or_default())
        };
        slot.get_or_init(|| probe_first(family, programs)).await.clone()
    }
}

/// The first of the programs that works.
async fn probe_first(
    family: &RuntimeFamily,
    programs: Vec<String>,
) -> Result<InstalledInterpreter, NoProgram> {
    for program in &programs {
        let printed = output(program, family.probe).await;
        let parse = |text: &str| InstalledInterpreter::parse(text, !family.client.is_empty());
        if let Some(interpreter) = printed.as_deref().and_then(parse) {
            return Ok(interpreter);
        }
    }
    Err(NoProgram::Interpreter(programs.join(" and ")))
}

impl InstalledInterpreter {
    /// Reads the output of [`RuntimeFamily::probe`].
    fn parse(printed: &str, tells_client: bool) -> Option<Self> {
        let lines: Vec<&str> = printed.trim_end().lines().map(str::trim).collect();
        let (executable, version, has_client) = match (lines.as_slice(), tells_client) {
            ([executable, version, client], true) => (executable, version, *client == "True"),
            ([executable, version], false) => (executable, version, false),
            _ => return None,
        };
        Some(Self {
            executable: PathBuf::from(executable),
            version: (*version).to_owned(),
            has_client,
        })
    }
}

/// True if a version such as `3.11.2` belongs to `3.11`.
fn is_of(version: &str, asked: &str) -> bool {
    version == asked || version.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.'))
}

async fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok())?
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
        let node = InstalledInterpreter {
            executable: "/usr/bin/node".into(),
            version: "22.1.0".to_owned(),
            has_client: false,
        };
        let (without, with) = ("/usr/bin/node\n22.1.0\n", "/usr/bin/node\n22.1.0\nTrue\n");
        assert_eq!(InstalledInterpreter::parse(without, false), Some(node.clone()));
        let with_client = InstalledInterpreter { has_client: true, ..node };
        assert_eq!(InstalledInterpreter::parse(with, true), Some(with_client));
        for (printed, tells_client) in [(without, true), (with, false), ("/usr/bin/node\n", false)]
        {
            assert_eq!(InstalledInterpreter::parse(printed, tells_client), None, "{printed}");
        }
    }
}
