//! The house rules that a program can see: floors, purity, the length of files.

#![cfg(not(madsim))]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "this test reads the sources"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Who may use whom: a module uses its own floor and those below (ARCHITECTURE.md).
const FLOORS: [(&str, &[&str]); 6] = [
    (
        "ground",
        &[
            "ids", "time", "limits", "job", "circuit", "schedule", "retry", "planted",
        ],
    ),
    ("first", &["ports", "devices", "reconcile"]),
    ("second", &["store", "observe"]),
    ("third", &["stages"]),
    ("fourth", &["kernel"]),
    (
        "roof",
        &["grpc", "embedded", "neighbours", "os", "cli", "main", "lib"],
    ),
];

/// What a rule may not know of. The kernel's own rules are named by file.
const IMPURE: [&str; 6] = [
    "async fn",
    ".await",
    "tokio::",
    "std::fs",
    "std::thread",
    "::now()",
];
const PURE: [&str; 13] = [
    "ids",
    "time",
    "limits",
    "job",
    "circuit",
    "schedule",
    "retry",
    "reconcile",
    "devices",
    "kernel/judge",
    "job/request",
    "kernel/table",
    "kernel/waits",
];
/// The table tells loops of changes, which is no decision.
const TELLS: &str = "use tokio::sync::Notify;";

const LINES_MAX: usize = 450;

fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(&root).unwrap().with_extension("");
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((name.display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

fn is_test(name: &str) -> bool {
    name.split('/')
        .any(|part| part == "tests" || part.ends_with("_tests") || part == "reference")
}

fn module(name: &str) -> &str {
    name.split('/').next().unwrap()
}

#[test]
fn every_module_stays_on_its_floor() {
    let floors: BTreeMap<&str, usize> = FLOORS
        .iter()
        .enumerate()
        .flat_map(|(height, (_, modules))| modules.iter().map(move |module| (*module, height)))
        .collect();
    for (name, text) in sources("src") {
        let user = module(&name);
        let floor = *floors
            .get(user)
            .unwrap_or_else(|| panic!("{user} has no floor; give it one"));
        for (line, used) in text.lines().zip(1..).filter_map(|(text, line)| {
            let used = text
                .trim()
                .trim_start_matches("pub ")
                .strip_prefix("use crate::")?;
            Some((line, used.split([':', ';', '{', ' ']).next().unwrap()))
        }) {
            let above = floors.get(used).is_some_and(|height| *height > floor);
            assert!(
                !above,
                "src/{name}.rs:{line}: {user} (floor {}) uses {used}, which is above it",
                FLOORS[floor].0
            );
        }
    }
}

#[test]
fn rules_know_no_clock_no_chance_and_no_input() {
    for (name, text) in sources("src") {
        let pure = PURE.iter().any(|pure| {
            name == *pure
                || name
                    .strip_prefix(pure)
                    .is_some_and(|rest| rest.starts_with('/'))
        });
        if !pure || is_test(&name) {
            continue;
        }
        let code = text
            .split("#[cfg(test)]")
            .next()
            .unwrap()
            .replace(TELLS, "");
        for line in code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            let impure = IMPURE.iter().find(|word| line.contains(*word));
            assert_eq!(impure, None, "src/{name}.rs is a rule: {line}");
        }
    }
}

#[test]
fn a_file_has_one_idea_and_its_length_shows_it() {
    for folder in ["src", "sim/src", "testkit/src", "tests"] {
        for (name, text) in sources(folder) {
            let lines = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap()
                .lines()
                .count();
            let long = lines > LINES_MAX && !name.starts_with("it/");
            assert!(
                !long,
                "{folder}/{name}.rs has {lines} lines; {LINES_MAX} are enough"
            );
            assert!(
                text.starts_with("//!") || is_test(&name),
                "{folder}/{name}.rs does not say what it is"
            );
        }
    }
}
