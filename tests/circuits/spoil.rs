//! What goes wrong with texts on their way, and what people try on purpose.

use qrtx_testkit::circuits::Dice;

/// Words that mean something, in places where they mean something else.
const WORDS: [&str; 40] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ";",
    ",",
    ":",
    "@",
    "->",
    "=",
    "==",
    "**",
    "^",
    "-",
    "/",
    "/*",
    "//",
    "\"",
    "q",
    "c",
    "x",
    "ctrl @",
    "inv @",
    "pow(-3) @",
    "gate",
    "if (c == 1)",
    "else",
    "for int i in [0:9]",
    "measure",
    "reset",
    "qubit",
    "include",
    "OPENQASM 2.0;",
    "let a = q;",
    "const int n = 3;",
    "gphase(1)",
    "U(1,2,3)",
    "barrier",
];
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "7",
    "255",
    "1024",
    "1025",
    "9223372036854775807",
    "9223372036854775808",
    "1e308",
    "1e-308",
    "0x7fffffffffffffff",
    "9e18",
    "0.0",
];
const BYTES: [u8; 10] = [0, 9, 13, 27, 127, 128, 0xc3, 0xe2, 0xf0, 0xff];

/// The text after a few mishaps.
pub(crate) fn spoilt(text: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..dice.within(1, 4) {
        text = mishap(text, dice);
    }
    text
}

fn mishap(mut text: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    if text.is_empty() {
        return vec![dice.pick(&BYTES)];
    }
    let at = dice.below(text.len());
    let until = (at + dice.within(1, 40)).min(text.len());
    match dice.below(13) {
        0 => text.truncate(at),
        1 => drop(text.drain(..at)),
        2 => text[at] ^= 1 << dice.below(8),
        3 => text.insert(at, dice.pick(&BYTES)),
        4 => drop(text.drain(at..until)),
        5 => {
            let again = text[at..until].to_vec();
            text.splice(at..at, again);
        }
        6 => {
            let word = format!(" {} ", dice.pick(&WORDS));
            text.splice(at..at, word.into_bytes());
        }
        7 | 8 => replace_number(&mut text, at, dice),
        9 => swap_statements(&mut text, dice),
        10 => {
            // A statement again and again.
            let parts: Vec<_> = text.split_inclusive(|byte| *byte == b';').collect();
            let part = dice.pick(&parts).to_vec();
            text.extend(part.repeat(dice.within(1, 200)));
        }
        11 => {
            let depth = [3, 49, 99, 101, 1000, DEEP][dice.below(6)];
            let open = ["(", "-", "{", "[", "inv @ ", "ctrl @ ", "sin("][dice.below(7)];
            let nested = open.repeat(depth).into_bytes();
            text.splice(at..at, nested);
        }
        _ => text[at] = dice.pick(&WORDS).as_bytes()[0],
    }
    text
}

/// Levels that no stack holds.
const DEEP: usize = 50_000;

/// Another number in the place of the first one behind this place.
fn replace_number(text: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(from) = text[at..].iter().position(digit) else {
        return;
    };
    let from = at + from;
    let length = text[from..].iter().take_while(|byte| digit(byte)).count();
    let number = dice.pick(&NUMBERS).bytes();
    text.splice(from..from + length, number);
}

fn swap_statements(text: &mut Vec<u8>, dice: &mut Dice) {
    let mut parts: Vec<_> = text.split_inclusive(|byte| *byte == b';').collect();
    let (one, other) = (dice.below(parts.len()), dice.below(parts.len()));
    parts.swap(one, other);
    *text = parts.concat();
}
