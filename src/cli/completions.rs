//! `qrtx completions SHELL`: what makes a shell know our commands and flags.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::exit::Exit;
use crate::cli::problem::Outcome;
use crate::cli::{Arguments as Qrtx, terminal};

/// Flags of `qrtx completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  qrtx completions bash > ~/.local/share/bash-completion/completions/qrtx
  qrtx completions zsh > ~/.zfunc/_qrtx
  qrtx completions fish > ~/.config/fish/completions/qrtx.fish")]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Qrtx::command(), "qrtx", &mut script);
    terminal::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
