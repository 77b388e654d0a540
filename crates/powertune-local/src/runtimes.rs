//! The runtimes that run here. A new language has its entry in [`FAMILIES`] and its bootstrap in
//! the folder beside this file. AWS's own list of identifiers is in `api::runtimes`.

/// A runtime that runs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runtime {
    pub(crate) identifier: String,
    pub(crate) kind: RuntimeKind,
}

/// The program of a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuntimeKind {
    /// The package brings an executable named `bootstrap`.
    Provided,
    /// An interpreter runs the family's bootstrap. The number completes the family's patterns.
    Interpreted { family: &'static RuntimeFamily, number: u8 },
}

/// The runtimes of one language. In patterns, `N` stands for the number that tells one version of
/// the language from another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RuntimeFamily {
    /// The language's name for users.
    pub(crate) name: &'static str,
    /// Pattern of AWS's identifiers.
    identifier: &'static str,
    /// Pattern of the language's version.
    version: &'static str,
    /// Patterns of the programs to look for in PATH, the best first.
    programs: &'static [&'static str],
    /// Arguments that make the program print a line each: its real path (the program in PATH can be
    /// a slow wrapper), its version and, for [`Self::client`], `True` if the client is installed.
    pub(crate) probe: &'static [&'static str],
    /// Arguments that start AWS's own runtime interface client. The handler's name follows them.
    pub(crate) client: &'static [&'static str],
    /// Arguments before the path of the bootstrap.
    pub(crate) options: &'static [&'static str],
    /// File name of the program that asks the Runtime API for events and calls the handler.
    pub(crate) bootstrap: &'static str,
    pub(crate) bootstrap_source: &'static str,
}

pub(crate) static FAMILIES: &[RuntimeFamily] = &[
    RuntimeFamily {
        name: "Python",
        identifier: "python3.N",
        version: "3.N",
        programs: &["python3.N", "python3"],
        probe: &[
            "-c",
            "import importlib.util, platform, sys; print(sys.executable); \
             print(platform.python_version()); \
             print(importlib.util.find_spec('awslambdaric') is not None)",
        ],
        client: &["-m", "awslambdaric"],
        // Unbuffered: the log holds everything that was printed before a crash.
        options: &["-u"],
        bootstrap: "python.py",
        bootstrap_source: include_str!("runtimes/python.py"),
    },
    RuntimeFamily {
        name: "Node.js",
        identifier: "nodejsN.x",
        version: "N",
        programs: &["node"],
        probe: &["-e", "console.log(process.execPath); console.log(process.versions.node)"],
        client: &[],
        options: &[],
        bootstrap: "node.mjs",
        bootstrap_source: include_str!("runtimes/node.mjs"),
    },
];

const PROVIDED: [&str; 3] = ["provided", "provided.al2", "provided.al2023"];

impl Runtime {
    /// `None` for a runtime that does not run here.
    pub(crate) fn parse(identifier: &str) -> Option<Self> {
        let kind = if PROVIDED.contains(&identifier) {
            RuntimeKind::Provided
        } else {
            FAMILIES.iter().find_map(|family| {
                let number = family.number_in(identifier)?;
                Some(RuntimeKind::Interpreted { family, number })
            })?
        };
        Some(Self { identifier: identifier.to_owned(), kind })
    }
}

impl RuntimeFamily {
    fn number_in(&self, identifier: &str) -> Option<u8> {
        let (before, after) = self.identifier.split_once('N')?;
        identifier.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
    }

    /// The version that a function asks for, as in `3.13`.
    pub(crate) fn version(&self, number: u8) -> String {
        completed(self.version, number)
    }

    pub(crate) fn programs(&self, number: u8) -> Vec<String> {
        self.programs.iter().map(|pattern| completed(pattern, number)).collect()
    }
}

fn completed(pattern: &str, number: u8) -> String {
    pattern.replace('N', &number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_aws_name_what_runs_here() {
        let kind = |identifier| Runtime::parse(identifier).map(|runtime| runtime.kind);
        let [python, node, ..] = FAMILIES else { panic!("two families") };
        let interpreted = |family, number| Some(RuntimeKind::Interpreted { family, number });
        assert_eq!(kind("provided.al2023"), Some(RuntimeKind::Provided));
        assert_eq!(kind("python3.13"), interpreted(python, 13));
        assert_eq!(kind("nodejs22.x"), interpreted(node, 22));
        for other in ["python2.7", "python3.", "nodejs", "nodejs4.3-edge", "dotnet8", "java21", ""]
        {
            assert_eq!(kind(other), None, "{other}");
        }
    }

    #[test]
    fn the_number_completes_versions_and_programs() {
        let [python, node, ..] = FAMILIES else { panic!("two families") };
        assert_eq!(python.version(13), "3.13");
        assert_eq!(python.programs(13), ["python3.13", "python3"]);
        assert_eq!(
            (node.version(22), node.programs(22)),
            ("22".to_owned(), vec!["node".to_owned()])
        );
    }
}
