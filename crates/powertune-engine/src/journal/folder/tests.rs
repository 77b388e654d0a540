use std::os::unix::fs::PermissionsExt;

use powertune_core::power::Power;

use super::*;
use crate::held::Held;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:fn";

fn power(mb: u32) -> Power {
    Power::new(mb).expect("a power")
}

fn mark() -> Mark {
    Mark::new(power(256), Held::default(), "me@here", Timestamp::UNIX_EPOCH)
}

fn sizes(unsettled: Option<&Unsettled>) -> Vec<u32> {
    unsettled.into_iter().flat_map(|unsettled| &unsettled.sizes).map(|power| power.mb()).collect()
}

async fn written(journals: &Journals, mark: &Mark) -> Journal {
    let journal = journals.begin(FUNCTION, mark).expect("a journal");
    let entries = [
        JournalEntry::Tag,
        JournalEntry::Publish { power: power(256), description: mark.description() },
        JournalEntry::SetMemory { from: power(256), to: power(128) },
        JournalEntry::SetMemory { from: power(128), to: power(512) },
    ];
    for entry in entries {
        journal.record(entry).await.expect("it is written");
    }
    journal
}

#[tokio::test]
async fn a_journal_says_what_to_undo_as_long_as_there_is_something() {
    let folder = tempfile::tempdir().expect("a folder");
    let journals = Journals::at(folder.path().join("new").join("journals"));
    let mark = mark();
    let journal = written(&journals, &mark).await;
    let [alive] = journals.of(FUNCTION).try_into().expect("one journal");
    assert!(alive.is_alive, "its process has it locked");
    assert_eq!(alive.unsettled, journal.unsettled());
    assert_eq!(sizes(alive.unsettled.as_ref()), [128, 512]);
    assert!(journals.of("another").is_empty());
    drop(journal);
    let [dead] = journals.of(FUNCTION).try_into().expect("one journal");
    assert!(!dead.is_alive);
    assert_eq!((dead.mark.run.as_str(), dead.mark.original), (mark.run.as_str(), mark.original));
    dead.memory_is_back().expect("it is written");
    let [back] = journals.of(FUNCTION).try_into().expect("one journal");
    assert_eq!(back.unsettled, None);
    dead.forget().expect("it is deleted");
    assert!(journals.of(FUNCTION).is_empty());
}

/// A process may die after any byte. Complete entries count; an incomplete one was not acted on.
#[tokio::test]
async fn every_prefix_of_a_journal_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let journals = Journals::at(folder.path().to_owned());
    let path = written(&journals, &mark()).await.path().expect("a file").clone();
    let whole = fs::read(&path).expect("the journal");
    let expected: [&[u32]; 5] = [&[], &[], &[], &[128], &[128, 512]];
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).expect("a prefix");
        // A last line that lacks only its newline is complete.
        let lines = whole[..length].split(|&byte| byte == b'\n');
        let lines = lines.filter(|line| serde_json::from_slice::<serde_json::Value>(line).is_ok());
        match (lines.count(), journals.of(FUNCTION).as_slice()) {
            (0, []) => {}
            (lines, [kept]) => {
                assert_eq!(sizes(kept.unsettled.as_ref()), expected[lines - 1], "{length}");
                let pieces = whole[..length].split(|&byte| byte == b'\n').filter(|l| !l.is_empty());
                assert_eq!(kept.is_cut, pieces.count() > lines, "{length}");
            }
            (lines, found) => panic!("{lines} lines are {found:?}"),
        }
    }
}

#[tokio::test]
async fn a_journal_is_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("journals");
    let journal = written(&Journals::at(inner.clone()), &mark()).await;
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&inner), mode(journal.path().expect("a file"))), (0o700, 0o600));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_no_journal_is_named_and_hides_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let journals = Journals::at(folder.path().to_owned());
    let path = written(&journals, &mark()).await.path().expect("a file").clone();
    let text = fs::read_to_string(&path).expect("the journal");
    let [head, first, ..] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    let place = |name: &str| folder.path().join(name);
    let newer = head.replace("\"format\":1", "\"format\":7");
    let old = head.replace("\"format\":1,", "");
    assert!(newer != head && old != head, "{head}");
    let made = std::process::Command::new("mkfifo").arg(place("b.jsonl")).status();
    assert!(made.expect("mkfifo runs").success());
    fs::create_dir(place("c.jsonl")).expect("a folder");
    private(&place("d.jsonl"), "");
    File::options()
        .write(true)
        .open(place("d.jsonl"))
        .and_then(|file| file.set_len(1 << 40))
        .expect("a long file");
    private(&place("e.jsonl"), &format!("{newer}\n"));
    private(&place("f.jsonl"), &format!("{head}\nrubbish\n{first}\n"));
    // A crash of the machine may leave zeros.
    private(&place("g.jsonl"), &"\0".repeat(512));
    std::os::unix::fs::symlink(&path, place("h.jsonl")).expect("a link");
    // Nothing to report for these.
    private(&place("i.jsonl"), "");
    private(&place("j.jsonl"), &format!("{old}\n{first}\n{{\"at\":"));
    fs::write(place("notes.txt"), "mine").expect("a file");

    let odd = journals.odd();
    let found: Vec<_> = odd.iter().map(|odd| (odd.path.clone(), odd.why.clone())).collect();
    let expected = [
        ("b", Oddness::NotAFile),
        ("c", Oddness::NotAFile),
        ("d", Oddness::TooLong { limit: LONGEST }),
        ("e", Oddness::Newer { format: 7 }),
        ("f", Oddness::Corrupt { line: 2 }),
        ("g", Oddness::Corrupt { line: 1 }),
        ("h", Oddness::NotAFile),
    ];
    assert_eq!(found, expected.map(|(name, why)| (place(&format!("{name}.jsonl")), why)));
    assert_eq!(journals.of(FUNCTION).len(), 2);
    for odd in odd {
        let said = odd.to_string();
        assert!(said.contains(&odd.path.display().to_string()) && said.contains("tags"), "{said}");
    }
}

/// Creates a file that only the user can access, whatever the umask.
fn private(path: &Path, text: &str) {
    fs::write(path, text).expect("a journal");
    fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("its mode is set");
}

#[tokio::test]
async fn what_others_may_write_to_is_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let journals = Journals::at(folder.path().to_owned());
    let path = written(&journals, &mark()).await.path().expect("a file").clone();
    let set = |path: &Path, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("its mode is set");
    };
    for (place, open, closed) in [(path.as_path(), 0o620, 0o644), (folder.path(), 0o702, 0o755)] {
        set(place, open);
        assert!(journals.of(FUNCTION).is_empty());
        let why = Oddness::Writable { mode: open };
        assert_eq!(journals.odd(), [OddJournal { path: place.to_owned(), why }]);
        set(place, closed);
        assert_eq!((journals.of(FUNCTION).len(), journals.odd()), (1, Vec::new()));
    }
    set(folder.path(), 0o770);
    let error = journals.begin(FUNCTION, &mark()).expect_err("it would not be believed");
    assert!(error.to_string().contains("other users may write to"), "{error}");
}

/// Only root can create such a file.
#[tokio::test]
async fn what_another_user_owns_is_not_believed() {
    if !geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let journals = Journals::at(folder.path().to_owned());
    let path = written(&journals, &mark()).await.path().expect("a file").clone();
    for place in [path.as_path(), folder.path()] {
        std::os::unix::fs::chown(place, Some(65_534), None).expect("root may do that");
        assert!(journals.of(FUNCTION).is_empty());
        let [odd] = journals.odd().try_into().expect("one of them");
        assert_eq!((odd.path.as_path(), odd.why), (place, Oddness::Foreign { owner: 65_534 }));
        std::os::unix::fs::chown(place, Some(0), None).expect("root may do that");
    }
}
