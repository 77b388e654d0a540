//! What the commands say of themselves.

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
    // What they share with tune is in tune's.
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
fn completions_are_there_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success());
        assert!(stdout(&output).contains("power-values"), "{shell}");
    }
}
