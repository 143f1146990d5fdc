//! The way from a plain build into the simulated one: cargo again, with the settings of the
//! `cargo sim` alias and without a RUSTFLAGS that would win over them.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// The alias is written down once.
const CONFIG: &str = include_str!("../../.cargo/config.toml");

/// What would win over the flags of the alias.
const OVERRULING: [&str; 3] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
];

#[derive(Deserialize)]
struct Config {
    alias: Aliases,
}

#[derive(Deserialize)]
struct Aliases {
    sim: Vec<String>,
}

/// The command that does the same in the simulated build.
///
/// # Panics
/// If the alias is gone from `.cargo/config.toml`.
pub fn command(arguments: impl IntoIterator<Item = OsString>) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let config: Config = toml::from_str(CONFIG).expect("the alias is where cargo finds it");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(config.alias.sim)
        .args(arguments.into_iter().map(absolute));
    for variable in OVERRULING {
        command.env_remove(variable);
    }
    command
}

/// A changed tree is built again after each change: in seconds rather than in minutes, for seeds that
/// take a little longer.
const QUICK: [&str; 5] = [
    "profile.release.lto='off'",
    "profile.release.codegen-units=64",
    "profile.release.opt-level=2",
    "profile.release.incremental=true",
    "profile.release.debug=false",
];

/// The command that builds the simulated program of the tree at `root`, in a target directory of
/// its own.
///
/// # Panics
/// If the alias is gone from `.cargo/config.toml`.
pub fn build_in(root: &Path) -> Command {
    let config: Config = toml::from_str(CONFIG).expect("the alias is where cargo finds it");
    let run = config.alias.sim.into_iter().skip(1);
    let arguments: Vec<_> = run.take_while(|argument| argument != "--").collect();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).arg("build").args(arguments);
    // What comes later wins.
    let quick = QUICK.into_iter();
    command.args(quick.flat_map(|setting| ["--config", setting]));
    for variable in OVERRULING {
        command.env_remove(variable);
    }
    command
}

/// A file is named from where the caller is.
fn absolute(argument: OsString) -> OsString {
    let path = Path::new(&argument);
    match path.is_file().then(|| path.canonicalize().ok()).flatten() {
        Some(path) => path.into_os_string(),
        None => argument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_the_caller_do_not_come_along() {
        let command = command(["run".into(), "calm".into()]);
        let removed: Vec<_> = command
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .collect();
        assert_eq!(removed.len(), OVERRULING.len());
        let arguments: Vec<_> = command.get_args().collect();
        assert!(arguments.contains(&"--".as_ref()), "{arguments:?}");
        assert_eq!(arguments.last(), Some(&"calm".as_ref()));
    }
}
