//! What the language has and this front end has not: refused with a reason, never dropped.

use super::super::syntax::Language;

/// Why a statement that begins with this word cannot be had, and what to do instead.
pub(super) fn reason(word: &str) -> Option<&'static str> {
    Some(match word {
        "def" | "extern" | "return" => {
            "subroutines are not supported: write a gate, or the statements themselves"
        }
        "while" | "switch" | "case" | "default" | "break" | "continue" | "end" => {
            "control flow at run time is not supported, but for if on measured bits; loops with \
             fixed bounds are: for int i in [0:3] { … }"
        }
        "else" => "else must follow the block of an if",
        "defcal" | "cal" | "defcalgrammar" => {
            "calibrations and pulses are not supported: circuits end at gates here"
        }
        "delay" | "box" | "duration" | "stretch" | "durationof" | "nop" => {
            "timing is not supported: leave it out, or use a barrier where only the order matters"
        }
        "array" | "complex" | "bool" | "mutable" | "readonly" => {
            "variables of this type are not supported: there are int, uint, float and angle"
        }
        "output" => "output is not supported: every classical register is an output here",
        "pragma" => "pragmas are not supported: leave this line out",
        "OPENQASM" => "the version must be the first statement, and may stand there only once",
        _ => return None,
    })
}

/// The language that a statement needs which begins with this word, if the other has it not.
pub(super) fn only_in(word: &str) -> Option<Language> {
    match word {
        "qubit" | "bit" | "const" | "input" | "let" | "for" | "ctrl" | "negctrl" | "inv"
        | "pow" | "int" | "uint" | "float" | "angle" | "gphase" => Some(Language::Three),
        "opaque" => Some(Language::Two),
        _ => None,
    }
}

/// Whether a word may not be the name of anything.
pub(super) fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "include"
            | "qreg"
            | "creg"
            | "qubit"
            | "bit"
            | "gate"
            | "opaque"
            | "barrier"
            | "reset"
            | "measure"
            | "if"
            | "in"
            | "for"
            | "const"
            | "input"
            | "let"
            | "ctrl"
            | "negctrl"
            | "inv"
            | "int"
            | "uint"
            | "float"
            | "angle"
            | "true"
            | "false"
    ) || reason(word).is_some()
}
