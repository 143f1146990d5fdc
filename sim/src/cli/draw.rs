//! `draw`: a run as a picture, in one HTML file.

use std::path::PathBuf;

use clap::Args;
use qrtx_sim::draw;
use qrtx_sim::scenario::LoadError;
use qrtx_sim::verdict::Verdict;
use qrtx_sim::world;
use serde_json::json;

use super::load;

#[derive(Args)]
pub(super) struct Draw {
    /// A name as `list` tells it, a path, `random`, or `workload`
    scenario: String,
    /// The seed
    #[arg(long)]
    seed: Option<u64>,
    /// Where to write it; else `target/sim/pictures/`
    #[arg(long)]
    out: Option<PathBuf>,
    /// The planted mistake, one of those in `sim/README.md`
    #[arg(long, value_parser = super::mistakes(), hide_possible_values = true)]
    bug: Option<String>,
    /// One JSON object in place of the file's name
    #[arg(long)]
    json: bool,
}

impl Draw {
    pub(super) fn go(self) -> Result<u8, LoadError> {
        super::plant(self.bug.as_deref());
        let (scenario, seed) = load(&self.scenario, self.seed)?;
        let outcome = world::run(&scenario, seed);
        let verdict = Verdict::of(&scenario, &outcome);
        let path = self.out.unwrap_or_else(|| {
            let name = format!("{}-{seed}.html", scenario.id);
            PathBuf::from("target/sim/pictures").join(name)
        });
        let page = draw::html(&scenario, seed, &outcome, &verdict);
        let unreadable = |source| LoadError::Unreadable {
            path: path.clone(),
            source,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "a picture is a file on the real disk"
        )]
        let written = match path.parent() {
            Some(folder) => std::fs::create_dir_all(folder),
            None => Ok(()),
        }
        .and_then(|()| std::fs::write(&path, page));
        written.map_err(unreadable)?;
        match self.json {
            true => say!(
                "{}",
                json!({"file": path, "exit_code": verdict.exit_code()})
            ),
            false => say!("{}", path.display()),
        }
        Ok(verdict.exit_code())
    }
}
