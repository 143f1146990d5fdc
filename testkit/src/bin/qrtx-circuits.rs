//! Writes circuits made up by chance, one JSON document a line, for a reference to read.
//!
//! `qrtx-circuits [--set NAME|all] [--seed N] [--count N]`; see `tests/reference/`.

use std::io::Write;
use std::process::ExitCode;

use qrtx_testkit::circuits::{GateSet, Texts};

const USAGE: &str = "usage: qrtx-circuits [--set aqo|qelib1|stdgates|modifiers|dynamic|all] \
                     [--seed N] [--count N]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let mut out = std::io::stderr().lock();
            // Where nobody reads, there is nobody to tell.
            let _ = writeln!(out, "{why}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let (mut sets, mut seed, mut count) = (GateSet::ALL.to_vec(), 1_u64, 200_u32);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{word} needs a value"))?;
        let wrong = |_| format!("{word} is given {value:?}, which is no number");
        match word.as_str() {
            "--set" if value == "all" => {}
            "--set" => {
                let set = GateSet::named(&value);
                sets = vec![set.ok_or_else(|| format!("there is no set {value:?}"))?];
            }
            "--seed" => seed = value.parse().map_err(wrong)?,
            "--count" => count = value.parse().map_err(wrong)?,
            other => return Err(format!("{other} is not known")),
        }
    }
    let mut out = std::io::stdout().lock();
    for set in sets {
        for number in 0..count {
            let line = serde_json::to_string(&Texts::new(set, seed, number));
            let line = line.map_err(|why| why.to_string())?;
            writeln!(out, "{line}").map_err(|why| why.to_string())?;
        }
    }
    Ok(())
}
