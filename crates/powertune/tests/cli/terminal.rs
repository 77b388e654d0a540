//! The output on a terminal during a run.

use std::{
    fs::File,
    io::Read,
    os::fd::OwnedFd,
    process::{Child, Stdio},
};

use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::{
    binary::stderr,
    stage::{FUNCTION, Stage},
};

/// A terminal of this width: the end for the program, and the end for the person.
fn terminal(columns: u16) -> (OwnedFd, File) {
    let seen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&seen).and_then(|()| unlockpt(&seen)).expect("it is ours");
    let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&seen, size).expect("its size is set");
    let name = ptsname(&seen, Vec::new()).expect("its name");
    let written = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    (written.expect("it opens"), seen.into())
}

/// All output until the program ends.
fn shown(mut child: Child, mut seen: File) -> String {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    // Reading fails when the other end is closed.
    while let Ok(read) = seen.read(&mut piece) {
        if read == 0 {
            break;
        }
        all.extend(&piece[..read]);
    }
    assert!(child.wait().expect("it ends").success(), "{}", String::from_utf8_lossy(&all));
    String::from_utf8_lossy(&all).into_owned()
}

/// All lines in the order of drawing, without escape sequences.
fn lines(shown: &str) -> Vec<String> {
    let mut text = String::new();
    let mut characters = shown.chars();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            text.push(character);
        } else if characters.next() == Some('[') {
            // Skips the parameters up to the final letter.
            let _ = characters.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    text.split(['\r', '\n']).map(str::to_owned).collect()
}

#[test]
fn no_bar_is_wider_than_the_terminal() {
    let stage = Stage::new("time.sleep(0.02)");
    for (columns, more) in [(60, &["--num", "5"][..]), (40, &["--num", "5"]), (60, &[]), (24, &[])]
    {
        let (written, seen) = terminal(columns);
        let arguments = ["tune", FUNCTION, "--power-values", "256,512,1024"];
        let mut command = stage.powertune(&[&arguments[..], more].concat());
        command.env("TERM", "xterm").stdout(Stdio::null()).stderr(written);
        let child = command.spawn().expect("powertune starts");
        drop(command);
        let lines = lines(&shown(child, seen));
        // Each bar is padded to the full width, so that there is no line break between them.
        let pieces = lines.iter().filter(|line| line.starts_with("   total "));
        let pieces: Vec<Vec<char>> = pieces.map(|piece| piece.chars().collect()).collect();
        assert!(pieces.len() > 1, "{lines:?}");
        for row in pieces.iter().flat_map(|piece| piece.chunks(columns.into())) {
            let row: String = row.iter().collect();
            let is_bar = row.starts_with("   total ") || row.get(5..9) == Some(" MB ");
            assert!(is_bar || row.trim().is_empty(), "{columns} columns: {row:?} in {lines:?}");
        }
    }
}

#[test]
fn auto_shows_the_time_the_front_and_how_sure_it_is() {
    // The first invocations differ too much for one round to decide, and each lasts until it is
    // drawn.
    let body = "time.sleep(0.3 + next(extra))";
    let stage = Stage::new(&format!("{body}\nextra = iter([0.4, 0, 0.5, 0, 0.6, 0] + [0] * 99)"));
    let (written, seen) = terminal(100);
    let arguments = ["tune", FUNCTION, "--power-values", "512,560,616"];
    let mut command = stage.powertune(&arguments);
    command.env("TERM", "xterm").stdout(Stdio::null()).stderr(written);
    let child = command.spawn().expect("powertune starts");
    drop(command);
    let lines = lines(&shown(child, seen));
    let is_standing = |line: &String| {
        let rest = line.strip_prefix("   total ").and_then(|rest| rest.split_once(" s, likely "));
        rest.is_some_and(|(seconds, rest)| {
            seconds.parse::<u32>().is_ok() && rest.contains(" MB, ") && rest.contains(" % sure, ")
        })
    };
    assert!(lines.iter().any(is_standing), "{lines:?}");
}

#[test]
fn auto_says_the_same_in_a_log() {
    let stage = Stage::new("time.sleep(0.02)");
    let arguments = ["tune", FUNCTION, "--power-values", "256,512,1024"];
    let output = stage.powertune(&arguments).output().expect("powertune runs");
    let said = stderr(&output);
    let is_standing = |line: &str| line.starts_with("likely ") && line.ends_with(" % sure");
    assert!(said.lines().any(is_standing), "{said}");
}
