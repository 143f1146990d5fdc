//! The words of a text.

use super::fault::{Fault, Span, quoted};

/// One word and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind<'t> {
    /// A name or a keyword.
    Name(&'t str),
    Integer(u64),
    Float(f64),
    /// What stands between quotes.
    Text(&'t str),
    /// An operator or a punctuation mark.
    Mark(&'static str),
    End,
}

/// Longer marks first, so that none is read as two shorter ones.
const MARKS: [&str; 39] = [
    "->", "++", "**", "==", "!=", "<=", ">=", "<<", ">>", "&&", "||", "+=", "-=", "*=", "/=", "(",
    ")", "[", "]", "{", "}", ",", ";", ":", "=", "+", "-", "*", "/", "%", "^", "&", "|", "~", "!",
    "<", ">", "@", ".",
];

/// Reads words one by one, so that a long text takes no memory but its own.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The next word; [`Kind::End`] for ever after the last.
    pub(super) fn next(&mut self) -> Result<Token<'t>, Fault> {
        self.skip_blanks()?;
        let from = self.at;
        let rest = &self.text[from..];
        let kind = match rest.chars().next() {
            None => Kind::End,
            Some('"') => self.quoted('"')?,
            Some('\'') => self.quoted('\'')?,
            Some(first) if first.is_ascii_digit() => self.number()?,
            Some('.') if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                self.number()?
            }
            Some(first) if starts_name(first) => {
                let length = rest.find(|letter| !continues_name(letter));
                self.at += length.unwrap_or(rest.len());
                Kind::Name(&self.text[from..self.at])
            }
            Some(first) => match mark_of(rest) {
                Some(mark) => {
                    self.at += mark.len();
                    Kind::Mark(mark)
                }
                None => return Err(self.foreign(first)),
            },
        };
        let span = Span { from, to: self.at };
        Ok(Token { kind, span })
    }

    pub(super) fn has_line_between(&self, one: Span, next: Span) -> bool {
        self.text[one.to..next.from].contains(['\n', '\r'])
    }

    fn foreign(&self, first: char) -> Fault {
        let span = Span {
            from: self.at,
            to: self.at + first.len_utf8(),
        };
        let message = match first {
            '$' => "physical qubits ($0, $1, …) are not supported: declare qubit[n] q; and use \
                    q[0], q[1], …"
                .to_owned(),
            '#' => "directives that begin with # are not supported: leave this line out".to_owned(),
            other => format!("the character {:?} has no meaning in OpenQASM", other),
        };
        Fault::new(span, message)
    }

    fn skip_blanks(&mut self) -> Result<(), Fault> {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else if let Some(inner) = trimmed.strip_prefix("/*") {
                // The star of the opening does not close it as well: /*/ is still open.
                let Some(length) = inner.find("*/") else {
                    let span = Span {
                        from: self.at,
                        to: self.at + 2,
                    };
                    return Err(Fault::new(
                        span,
                        "this comment has no end: close it with */",
                    ));
                };
                self.at += 2 + length + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Kind<'t>, Fault> {
        let from = self.at;
        let inner = &self.text[from + 1..];
        match inner.find([quote, '\n', '\r']) {
            Some(length) if inner[length..].starts_with(quote) => {
                self.at += length + 2;
                Ok(Kind::Text(&inner[..length]))
            }
            _ => {
                let span = Span { from, to: from + 1 };
                let message = format!("this quotation has no end: close it with {quote}");
                Err(Fault::new(span, message))
            }
        }
    }

    fn number(&mut self) -> Result<Kind<'t>, Fault> {
        let from = self.at;
        let rest = &self.text[from..];
        let length = length_of_number(rest);
        let word = &rest[..length];
        self.at += length;
        let span = Span { from, to: self.at };
        let digits = word.replace('_', "");
        let whole = |digits: &str, radix| {
            u64::from_str_radix(digits, radix).map_err(|_| {
                let word = quoted(word);
                Fault::new(
                    span,
                    format!("{word} is not a number, or is larger than 64 bits"),
                )
            })
        };
        match digits.as_bytes() {
            [b'0', b'x' | b'X', ..] => Ok(Kind::Integer(whole(&digits[2..], 16)?)),
            [b'0', b'b' | b'B', ..] => Ok(Kind::Integer(whole(&digits[2..], 2)?)),
            [b'0', b'o' | b'O', ..] => Ok(Kind::Integer(whole(&digits[2..], 8)?)),
            all if all.iter().all(u8::is_ascii_digit) => Ok(Kind::Integer(whole(&digits, 10)?)),
            _ => match digits.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Kind::Float(number)),
                Ok(_) => {
                    let message = format!("{} is too large", quoted(word));
                    Err(Fault::new(span, message))
                }
                Err(_) => Err(Fault::new(span, not_a_number(word))),
            },
        }
    }
}

/// The mark that a text begins with.
fn mark_of(text: &str) -> Option<&'static str> {
    let first = text.as_bytes()[0];
    let mut likely = MARKS.iter().filter(|mark| mark.as_bytes()[0] == first);
    likely.find(|mark| text.starts_with(**mark)).copied()
}

fn not_a_number(word: &str) -> String {
    const UNITS: [&str; 7] = ["dt", "ns", "us", "µs", "ms", "s", "im"];
    let word_shown = quoted(word);
    match UNITS.iter().find(|unit| word.ends_with(**unit)) {
        Some(&"im") => format!("{word_shown} is imaginary: complex numbers are not supported"),
        Some(_) => format!("{word_shown} is a duration: timing is not supported"),
        None => format!("{word_shown} is neither a number nor a name"),
    }
}

/// Digits and letters that stand together, a point, and the sign of an exponent.
fn length_of_number(text: &str) -> usize {
    let mut before = ' ';
    let prefixed = matches!(
        text.as_bytes(),
        [b'0', b'x' | b'X' | b'b' | b'B' | b'o' | b'O', ..]
    );
    let mut decimal = true;
    text.find(|letter: char| {
        let goes_on = match letter {
            '.' => !prefixed,
            '+' | '-' => decimal && !prefixed && matches!(before, 'e' | 'E'),
            other => continues_name(other),
        };
        // In 3em-1 the sign is a minus: an exponent follows digits alone.
        decimal &= letter.is_ascii_digit() || matches!(letter, '.' | '_' | 'e' | 'E' | '+' | '-');
        before = letter;
        !goes_on
    })
    .unwrap_or(text.len())
}

fn starts_name(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_' || letter == 'ℇ'
}

fn continues_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Kind<'_>> {
        let mut lexer = Lexer::new(text);
        let mut all = Vec::new();
        loop {
            match lexer.next().unwrap().kind {
                Kind::End => return all,
                kind => all.push(kind),
            }
        }
    }

    #[test]
    fn words_are_told_apart() {
        use Kind::{Float, Integer, Mark, Name, Text};
        assert_eq!(
            words("cx q[0],q[1]; // note\n/* more\nnotes */ measure q->c;"),
            [
                Name("cx"),
                Name("q"),
                Mark("["),
                Integer(0),
                Mark("]"),
                Mark(","),
                Name("q"),
                Mark("["),
                Integer(1),
                Mark("]"),
                Mark(";"),
                Name("measure"),
                Name("q"),
                Mark("->"),
                Name("c"),
                Mark(";"),
            ]
        );
        assert_eq!(
            words("1.5e-3 .5 2. 1_000 0xFf 0b101 3.0 \"a b\" π**2"),
            [
                Float(1.5e-3),
                Float(0.5),
                Float(2.0),
                Integer(1000),
                Integer(255),
                Integer(5),
                Float(3.0),
                Text("a b"),
                Name("π"),
                Mark("**"),
                Integer(2),
            ]
        );
        assert_eq!(words("1-2"), [Integer(1), Mark("-"), Integer(2)]);
    }

    #[test]
    fn a_comment_is_not_closed_by_the_star_that_opens_it() {
        use Kind::{Mark, Name};
        let (h, end) = (Name("h"), Mark(";"));
        assert_eq!(words("/*/ x q; /*/ h;"), [h, end]);
        assert_eq!(words("/**/ h; /***/ /*//*/"), [h, end]);
    }

    #[test]
    fn what_is_no_word_is_refused_with_the_reason() {
        let refused = [
            "$0",
            "#dim = 3;",
            "`",
            "\"open",
            "/* open",
            "/*/ open",
            "99999999999999999999",
            "1e999",
            "100ns",
            "2im",
            "1abc",
            "0xZZ",
            "1.2.3",
        ];
        let text: Vec<_> = refused
            .map(|text| {
                format!(
                    "{text:<22} {}",
                    Lexer::new(text).next().unwrap_err().message
                )
            })
            .into();
        insta::assert_snapshot!(text.join("\n"));
    }
}
