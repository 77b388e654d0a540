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
fn completions_are_there_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success());
        assert!(stdout(&output).contains("power-values"), "{shell}");
    }
}
