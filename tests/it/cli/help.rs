//! `--help` teaches, fits a terminal, and shows examples that exist; shells learn the commands.

use std::path::Path;
use std::process::Stdio;

use super::shell::{Shell, example};

const COMMANDS: [&str; 18] = [
    "run",
    "serve",
    "submit",
    "status",
    "watch",
    "results",
    "cancel",
    "jobs",
    "devices",
    "drain",
    "undrain",
    "reserve",
    "release",
    "explain",
    "history",
    "ledger",
    "fsck",
    "completions",
];

#[test]
fn help_fits_a_terminal_and_shows_examples_that_exist() {
    let shell = Shell::new();
    let whole = shell.output(&["--help"]);
    let mut told = format!("$ qrtx --help\n{whole}\n");
    for command in COMMANDS {
        assert!(
            whole.contains(&format!("\n  {command} ")),
            "{command} is not listed"
        );
        let help = shell.output(&[command, "--help"]);
        assert!(help.contains("Examples:"), "{help}");
        told += &format!("\n$ qrtx {command} --help\n{help}\n");
    }
    let wide = told.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None, "this line is too wide");
    for word in told.split_whitespace() {
        if let Some(file) = word.strip_prefix("examples/") {
            let file = file.trim_end_matches(')');
            assert!(Path::new(&example(file)).exists(), "{word}");
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn every_shell_learns_every_command_and_flag() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = shell.output(&["completions", name]);
        for word in COMMANDS.iter().chain(&["page-token", "patience"]) {
            assert!(script.contains(word), "{name} does not know {word}");
        }
    }
    let script = shell.output(&["completions", "bash"]);
    let script = shell.file("qrtx.bash", script.as_bytes()).to_owned();
    let typed = "source ./$1; COMP_WORDS=(qrtx sta); COMP_CWORD=1; _qrtx qrtx sta qrtx; \
                 echo ${COMPREPLY[@]}";
    let bash = std::process::Command::new("bash")
        .args(["--norc", "-c", typed, "bash", &script])
        .current_dir(shell.path())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(bash.stdout).unwrap(), "status\n");
}
