//! Values that come with the job.

use std::collections::{BTreeMap, BTreeSet};

/// The forms in which a job's options may name a parameter, as driver-manager reads them.
const PREFIXES: [&str; 5] = ["", "param.", "param:", "parameters.", "parameters:"];

/// The value that the job gives to a parameter of its program.
pub(super) fn argument<'a>(arguments: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let keys = PREFIXES.iter().map(|prefix| format!("{prefix}{name}"));
    keys.into_iter()
        .find_map(|key| arguments.get(&key))
        .map(String::as_str)
}

/// The first value that the job gives to a parameter which its program does not have, by name.
///
/// Whoever mistypes a name would otherwise get results for another value than the one given.
pub(super) fn without_use<'a>(
    arguments: &'a BTreeMap<String, String>,
    names: &BTreeSet<String>,
) -> Option<&'a str> {
    let given = arguments.keys().filter_map(|key| {
        let prefixes = PREFIXES.iter().filter(|prefix| !prefix.is_empty());
        prefixes.into_iter().find_map(|it| key.strip_prefix(it))
    });
    given.into_iter().find(|name| !names.contains(*name))
}

/// What a program has, for the message about something that it has not.
pub(super) fn listed(names: &BTreeSet<String>) -> String {
    const SHOWN_MAX: usize = 10;
    let shown: Vec<_> = names.iter().take(SHOWN_MAX).map(|name| cut(name)).collect();
    match names.len() {
        0 => "it has none".to_owned(),
        many if many > SHOWN_MAX => format!("it has {} and others", shown.join(", ")),
        _ => format!("it has {}", shown.join(", ")),
    }
}

/// Somebody's name as it is quoted in a message.
pub(super) fn cut(name: &str) -> String {
    let letters = name.chars().take(40);
    letters
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}
