//! The real binary, and the parts of its output that a terminal would obey.

use std::process::{Command, Output, Stdio};

/// The parts of a hostile text that a terminal obeys: a colour that powertune does not use, a
/// window title, a link, a cleared screen, a bell, a CSI in one character, and a change of the
/// direction of writing.
pub(crate) const MARKS: [&str; 7] =
    ["\u{1b}[31;47m", "\u{1b}]0;", "\u{1b}]8;;", "\u{1b}[2J", "\u{7}", "\u{9b}", "\u{202e}"];

/// All of them in one text, as JSON writes it.
pub(crate) const ESCAPED: &str = concat!(
    r"\u001b[31;47mred\u001b[0m \u001b]0;title\u0007 ",
    r"\u001b]8;;https://example.org\u001b\\link\u001b]8;;\u001b\\ ",
    r"\u001b[2J\rgone \b\b \u009b31m \u202etxt.exe",
);

/// `powertune` with these arguments and variables, and none of the caller's AWS settings.
pub(crate) fn powertune(arguments: &[&str], variables: &[(&str, String)]) -> Output {
    command(env!("CARGO_BIN_EXE_powertune"), arguments, variables)
}

/// `powertune` on a terminal, whose output is all in stdout.
pub(crate) fn powertune_on_terminal(arguments: &[&str], variables: &[(&str, String)]) -> Output {
    // The person at the terminal answers no to everything.
    const SPAWN: &str = "import os, pty, sys\n\
                         typed = [b'n\\n']\n\
                         read = lambda file: typed.pop() if typed else b''\n\
                         status = pty.spawn(sys.argv[1:], stdin_read=read)\n\
                         sys.exit(os.waitstatus_to_exitcode(status))";
    let program = ["-c", SPAWN, env!("CARGO_BIN_EXE_powertune")];
    let variables = [variables, &[("TERM", "xterm-256color".to_owned())]].concat();
    command("python3", &[&program, arguments].concat(), &variables)
}

fn command(program: &str, arguments: &[&str], variables: &[(&str, String)]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("LC_ALL", "C.UTF-8");
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    let variables = variables.iter().map(|(name, value)| (name, value));
    command.envs(variables).output().expect("it runs")
}

/// Checks that output outside of a terminal has no part that a terminal obeys.
pub(crate) fn is_plain(output: &Output) -> Result<(), String> {
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let text = std::str::from_utf8(bytes).map_err(|error| format!("{name}: {error}"))?;
        let obeyed = |c: &char| {
            c.is_control() && !matches!(c, '\n' | '\r')
                || MARKS.iter().any(|mark| mark.starts_with(*c))
        };
        // Lines of CSV may end with both characters.
        let returns = text.replace("\r\n", "\n").contains('\r');
        if let Some(found) = text.chars().find(obeyed).or(returns.then_some('\r')) {
            return Err(format!("{found:?} in {name}: {text:?}"));
        }
    }
    Ok(())
}

/// Checks that output on a terminal has no codes but powertune's own.
pub(crate) fn is_tame(output: &Output) -> Result<(), String> {
    let text = String::from_utf8_lossy(&output.stdout);
    match MARKS.iter().find(|mark| text.contains(**mark)) {
        Some(mark) => Err(format!("{mark:?} on the terminal: {text:?}")),
        None => Ok(()),
    }
}

/// The output of a process, for the message of a failed test.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.trim().chars().take(2000).collect::<String>()
    };
    format!("{}, saying {:?} {:?}", output.status, text(&output.stdout), text(&output.stderr))
}
