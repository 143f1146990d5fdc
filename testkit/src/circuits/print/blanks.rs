//! What stands between the words of a text.

use super::super::Language;
use super::super::dice::Dice;

/// The words with blanks between them: as people do, as few as will do, or as many as may be.
pub(super) fn joined(words: &[String], language: Language, dice: &mut Dice) -> String {
    const BLANKS: [&str; 8] = [
        " ",
        "",
        "  ",
        "\n",
        "\t",
        "\r\n\n",
        " // note; x q[0]\n",
        " /* a\nb; */ ",
    ];
    let blanks = match language {
        // Only line comments there.
        Language::Two => &BLANKS[..7],
        Language::Three => &BLANKS[..],
    };
    let style = dice.below(3);
    let mut text = String::new();
    for word in words {
        let (before, next) = (text.chars().last(), word.chars().next());
        let continues = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
        let must_part = before.is_some_and(continues) && next.is_some_and(continues);
        let blank = match style {
            0 if matches!(before, Some(';' | '{' | '}')) => "\n",
            0 if matches!(word.as_str(), ";" | "," | "(" | ")" | "[" | "]") => "",
            0 if matches!(before, None | Some('(' | '[')) => "",
            0 => " ",
            1 => "",
            // The reference grammar wants nothing else behind these words.
            _ if text.ends_with("include") || text.ends_with("OPENQASM") => dice.pick(&BLANKS[..6]),
            _ => dice.pick(blanks),
        };
        text += match blank {
            // The reference grammar takes an @ and a name for an annotation.
            "" if must_part || before == Some('@') => " ",
            other => other,
        };
        text += word;
    }
    text
}
