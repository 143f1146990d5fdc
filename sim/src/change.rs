//! Mistakes that a machine makes: small changes of the rules, drawn and not chosen.

use std::fmt;

use crate::chance::{mix, number_of};

/// The files with the rules: where nothing is decided, nothing can be decided wrongly.
pub const RULES: [&str; 10] = [
    "src/retry.rs",
    "src/reconcile.rs",
    "src/devices.rs",
    "src/devices/fitting.rs",
    "src/job/fold.rs",
    "src/job/mod.rs",
    "src/kernel/judge.rs",
    "src/kernel/table.rs",
    "src/schedule/mod.rs",
    "src/stages/settle.rs",
];

/// What is put in the place of what.
const SWAPS: [(&str, &str); 12] = [
    (" == ", " != "),
    (" != ", " == "),
    (" < ", " <= "),
    (" <= ", " < "),
    (" > ", " >= "),
    (" >= ", " > "),
    (" && ", " || "),
    (" || ", " && "),
    (".is_some()", ".is_none()"),
    (".is_none()", ".is_some()"),
    (" + 1", " + 0"),
    ("if !", "if "),
];

/// One change of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    at: usize,
    swap: (&'static str, &'static str),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = self.swap;
        write!(
            f,
            "{}:{} {} -> {}",
            self.file,
            self.line,
            from.trim(),
            to.trim()
        )
    }
}

impl Change {
    /// The text with the change.
    pub fn applied(&self, text: &str) -> String {
        let (from, to) = self.swap;
        format!("{}{to}{}", &text[..self.at], &text[self.at + from.len()..])
    }
}

/// Every change of some files, in an order that depends on the places alone.
pub fn drawn(files: impl Iterator<Item = (String, String)>) -> Vec<Change> {
    let mut changes: Vec<_> = files
        .flat_map(|(file, text)| changes(&file, &text))
        .collect();
    changes.sort_by_key(|change| mix(number_of(&change.to_string())));
    changes
}

fn changes(file: &str, text: &str) -> Vec<Change> {
    // Tests are no rules, and what is planted already is not changed again.
    let rules = text.find("#[cfg(test)]").map_or(text, |end| &text[..end]);
    let mut changes = Vec::new();
    let mut at = 0;
    for (number, line) in (1..).zip(rules.split_inclusive('\n')) {
        let code = line.split("//").next().unwrap_or_default();
        let is_text = code.contains('"') || code.contains("planted") || code.contains("assert");
        for swap in SWAPS.into_iter().filter(|_| !is_text) {
            if let Some(within) = code.find(swap.0) {
                changes.push(Change {
                    file: file.to_owned(),
                    line: number,
                    at: at + within,
                    swap,
                });
            }
        }
        at += line.len();
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "fn f() {\n    if a < b && c { g(1 + 1) } // x == y\n}\n#[cfg(test)]\n a == b\n";

    #[test]
    fn each_place_of_a_rule_is_changed_and_nothing_else() {
        let all = changes("f.rs", TEXT);
        let told: Vec<_> = all.iter().map(Change::to_string).collect();
        assert_eq!(
            told,
            ["f.rs:2 < -> <=", "f.rs:2 && -> ||", "f.rs:2 + 1 -> + 0"]
        );
        assert!(
            all[1]
                .applied(TEXT)
                .contains("if a < b || c { g(1 + 1) } // x == y")
        );
    }
}
