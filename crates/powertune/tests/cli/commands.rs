//! The help, the versions, the completions and the manual pages of the commands.

use crate::binary::{run, stdout};

#[test]
fn help_names_every_command() {
    insta::assert_snapshot!(stdout(&run(&["--help"])));
}

#[test]
fn help_of_tune_names_every_option() {
    insta::assert_snapshot!(stdout(&run(&["tune", "-h"])));
}

#[test]
fn help_of_local_and_clean() {
    insta::assert_snapshot!(stdout(&run(&["local", "-h"])) + &stdout(&run(&["clean", "-h"])));
}

#[test]
fn help_of_run_and_generate() {
    // The options in common with tune are in the help of tune.
    let own = |help: String| help.split("\n\nRequest:").next().unwrap_or_default().to_owned();
    let run_help = own(stdout(&run(&["run", "-h"])));
    insta::assert_snapshot!(run_help + "\n\n" + &stdout(&run(&["generate", "-h"])));
}

#[test]
fn what_deploys_is_printed_or_written() {
    let asl: serde_json::Value =
        serde_json::from_str(&stdout(&run(&["generate", "asl"]))).expect("JSON");
    assert_eq!(asl["StartAt"], "Initialize");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new").display().to_string();
    for what in ["asl", "sam", "serverless", "terraform", "iam"] {
        assert!(run(&["generate", what, "--folder", &path]).status.success(), "{what}");
    }
    for file in ["statemachine.asl.json", "template.yml", "serverless.yml", "main.tf", "clean.json"]
    {
        let text = std::fs::read_to_string(folder.path().join("new").join(file));
        assert!(text.is_ok_and(|text| text.to_lowercase().contains("lambda")), "{file}");
    }
    let refused = run(&["generate", "iam", "--folder", "/dev/null/folder"]);
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn completions_are_there_for_every_shell_with_values() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success());
        let script = stdout(&output);
        assert!(script.contains("power-values"), "{shell}");
        // The scripts for these two shells have no values of options.
        if !matches!(shell, "elvish" | "powershell") {
            for value in ["balanced", "python3.13", "nodejs22.x", "provided.al2023", "markdown"] {
                assert!(script.contains(value), "{shell} has no {value}");
            }
        }
    }
}

const COMMANDS: [&str; 8] =
    ["demo", "tune", "run", "local", "generate", "clean", "completions", "man"];

#[test]
fn help_ends_with_two_or_three_examples_of_the_command() {
    let is_complete = |name: &str, help: &str| {
        let (_, examples) = help.split_once("\nExamples:\n").expect("examples");
        let examples: Vec<&str> = examples.lines().collect();
        assert!((2..=3).contains(&examples.len()), "{name}: {examples:?}");
        let command = format!("  powertune {name}");
        assert!(examples.iter().all(|example| example.starts_with(&command)), "{examples:?}");
    };
    for name in COMMANDS {
        for flag in ["-h", "--help"] {
            is_complete(name, &stdout(&run(&[name, flag])));
        }
    }
    is_complete("", &stdout(&run(&["--help"])));
}

#[test]
fn the_version_names_the_commit() {
    let version = stdout(&run(&["--version"]));
    let commit = std::process::Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "log", "-1", "--abbrev=9", "--format=%h %cs"])
        .output();
    // A build outside of the repository has no commit.
    let commit = commit.ok().filter(|output| output.status.success()).map(|it| stdout(&it));
    let expected = match commit {
        Some(commit) => format!("powertune {} ({})\n", env!("CARGO_PKG_VERSION"), commit.trim()),
        None => format!("powertune {}\n", env!("CARGO_PKG_VERSION")),
    };
    assert_eq!(version, expected);
    assert_eq!(
        stdout(&run(&["tune", "--version"])),
        expected.replace("powertune", "powertune-tune")
    );
}

#[test]
fn manual_pages_are_printed_or_written_for_each_command() {
    let page = stdout(&run(&["man"]));
    assert!(page.contains(".TH powertune 1"), "{page}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("man1");
    let output = run(&["man", "--folder", &path.display().to_string()]);
    assert!(output.status.success(), "{output:?}");
    for name in COMMANDS {
        let page = std::fs::read_to_string(path.join(format!("powertune-{name}.1")));
        assert!(page.expect("a page").contains("powertune"), "{name}");
    }
    let tune = std::fs::read_to_string(path.join("powertune-tune.1")).expect("a page");
    assert!(tune.contains("max\\-cost") && tune.contains("Examples:"), "{tune}");
    assert_eq!(run(&["man", "--folder", "/dev/null/man"]).status.code(), Some(1));
}
