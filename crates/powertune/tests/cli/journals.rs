//! `powertune clean` among journals that can't be read.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    binary::{signal, stderr, stdout},
    stage::{FUNCTION, Stage},
};

#[test]
fn odd_journals_are_named_and_the_tags_are_gone_by() {
    let stage = Stage::new("time.sleep(0.3)");
    let arguments = ["tune", FUNCTION, "--power-values", "256,512", "--num", "100"];
    let mut command = stage.powertune(&arguments);
    let run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut run = run.expect("powertune starts");
    thread::sleep(Duration::from_secs(3));
    signal(&run, Signal::KILL);
    run.wait().expect("it is killed");

    let folder = stage.path("state/powertune/journals");
    let [journal] = fs::read_dir(&folder)
        .expect("the folder")
        .collect::<Vec<_>>()
        .try_into()
        .expect("one journal");
    let journal = journal.expect("a file").path();
    let text = fs::read_to_string(&journal).expect("the journal");
    fs::remove_file(&journal).expect("it is there");
    let made = Command::new("mkfifo").arg(&journal).status();
    assert!(made.expect("mkfifo runs").success());
    let newer = text.replacen("\"format\":1", "\"format\":99", 1);
    assert_ne!(newer, text);
    fs::write(folder.join("newer.jsonl"), newer).expect("a journal");
    fs::write(folder.join("corrupt.jsonl"), "\u{1b}[2J\n").expect("a journal");
    let huge = fs::File::create(folder.join("huge.jsonl")).expect("a journal");
    huge.set_len(1 << 40).expect("a hole");

    for file in fs::read_dir(&folder).expect("the folder") {
        let path = file.expect("a file").path();
        fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("its mode is set");
    }
    let planted = folder.join("planted.jsonl");
    fs::write(&planted, &text).expect("a journal");
    fs::set_permissions(planted, PermissionsExt::from_mode(0o666)).expect("its mode is set");

    let cleaned = stage.powertune(&["clean", FUNCTION, "--force"]).output().expect("it runs");
    let said = stderr(&cleaned);
    assert!(cleaned.status.success(), "{said}");
    let name = journal.file_name().expect("a name").to_string_lossy().into_owned();
    for (file, words) in [
        (name.as_str(), "is not a regular file"),
        ("newer.jsonl", "written by a newer powertune (format 99)"),
        ("corrupt.jsonl", "is damaged at line 1"),
        ("huge.jsonl", "is longer than 4 MB"),
        ("planted.jsonl", "other users may write to"),
    ] {
        let line = said.lines().find(|line| line.contains(file));
        let line = line.unwrap_or_else(|| panic!("{file} is not named: {said}"));
        assert!(line.starts_with("warning: ") && line.contains(words), "{line}");
        assert!(line.contains("delete it when the function is as it should be"), "{line}");
    }
    assert_eq!(said.lines().count(), 5, "{said}");
    assert!(stdout(&cleaned).contains("removed the powertune tags"), "{}", stdout(&cleaned));
    stage.must_be_clean();
}
