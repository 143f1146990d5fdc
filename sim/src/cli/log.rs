//! `log`: the decisions of a run, as the file that `replay` takes.

use std::path::PathBuf;

use clap::Args;
use qrtx_sim::scenario::{self, LoadError};
use qrtx_sim::verdict::code;

use super::load;

#[derive(Args)]
pub(super) struct Log {
    /// A name as `list` tells it, a path, `random`, or `workload`
    #[arg(default_value = "random")]
    scenario: String,
    /// The seed
    #[arg(long)]
    seed: Option<u64>,
    /// Where to write it; the id in it will be the file's name
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Log {
    pub(super) fn go(self) -> Result<u8, LoadError> {
        let (mut scenario, seed) = load(&self.scenario, self.seed)?;
        scenario.seed = Some(seed.to_string());
        let Some(path) = self.out else {
            say!(
                "{}",
                toml::to_string(&scenario).expect("a scenario has a TOML form")
            );
            return Ok(code::WELL);
        };
        scenario::make_room(&path)?;
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        scenario.id = stem.unwrap_or_default();
        let head = format!("cargo sim log {} --seed {seed}", self.scenario);
        scenario::write(&scenario, &path, &head)?;
        say!("cargo sim replay {}", path.display());
        Ok(code::WELL)
    }
}
