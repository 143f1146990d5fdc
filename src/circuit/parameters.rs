//! Values that come with the job.

use std::collections::BTreeMap;

/// The forms in which a job's options may name a parameter, as driver-manager reads them.
const PREFIXES: [&str; 5] = ["", "param.", "param:", "parameters.", "parameters:"];

/// The value that the job gives to a parameter of its program.
pub(super) fn argument<'a>(arguments: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let keys = PREFIXES.iter().map(|prefix| format!("{prefix}{name}"));
    keys.into_iter()
        .find_map(|key| arguments.get(&key))
        .map(String::as_str)
}
