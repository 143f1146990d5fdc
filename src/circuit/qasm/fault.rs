//! What is wrong with a text, where, and how that is shown.

use std::fmt;

/// Characters of a source line that are shown with an error.
const EXCERPT_CHARS: usize = 64;
/// Characters of somebody's text that are quoted in a message.
const QUOTED_CHARS: usize = 40;

/// A part of the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Span {
    /// In bytes.
    pub(super) fn length(self) -> usize {
        self.to.saturating_sub(self.from)
    }

    pub(super) fn until(self, end: Self) -> Self {
        Self {
            from: self.from,
            to: end.to.max(self.to),
        }
    }

    /// The place right after this part, where something is missing.
    pub(super) fn end(self) -> Self {
        Self {
            from: self.to,
            to: self.to,
        }
    }
}

/// A complaint about a part of the text.
#[derive(Debug)]
pub(super) struct Fault {
    /// `None` for what comes with the job and stands nowhere in the text.
    span: Option<Span>,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            message: message.into(),
        }
    }

    pub(super) fn of_no_place(message: String) -> Self {
        let span = None;
        Self { span, message }
    }
}

/// Somebody's text as it is quoted in a message.
pub(super) fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(QUOTED_CHARS).map(printable).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Control characters would move the cursor of whoever reads the message.
fn printable(letter: char) -> char {
    match letter {
        '\t' => ' ',
        other if other.is_control() => '\u{fffd}',
        other => other,
    }
}

/// Why a text is not a circuit. Do not try again: the text or its parameters must change.
///
/// Prints as the place, what is wrong and what to do, followed by the line of the text with a mark
/// under the place, three lines in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QasmError {
    message: String,
    place: Option<Place>,
}

/// Where it is wrong, and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    excerpt: String,
    /// Characters before the mark, and in it.
    mark: (usize, usize),
}

impl QasmError {
    /// The line, from 1; `None` if the text has nothing to do with it, but what came along.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }

    /// The column, from 1, in characters; `None` with the line.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.column)
    }

    pub(super) fn new(fault: Fault, source: &str) -> Self {
        let Fault { span, message } = fault;
        let place = span.map(|span| Place::of(span, source));
        Self { message, place }
    }
}

impl Place {
    fn of(span: Span, source: &str) -> Self {
        let from = floor(source, span.from);
        let start = source[..from].rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let line = source[start..].split(['\n', '\r']).next().unwrap_or("");
        let column = source[start..from].chars().count();
        let marked = floor(source, span.to.min(start + line.len())).max(from);
        let width = source[from..marked].chars().count().max(1);
        // A long line is shown from shortly before the place on.
        let skipped = match column + width < EXCERPT_CHARS {
            true => 0,
            false => column.saturating_sub(EXCERPT_CHARS / 4),
        };
        let cut = (skipped > 0).then_some('…');
        let shown = line.chars().skip(skipped + cut.iter().count());
        let excerpt = cut.into_iter().chain(shown).take(EXCERPT_CHARS);
        Self {
            line: lines_before(&source[..from]) + 1,
            column: column + 1,
            excerpt: excerpt.map(printable).collect(),
            mark: (
                column - skipped,
                width.min(EXCERPT_CHARS.saturating_sub(column - skipped).max(1)),
            ),
        }
    }
}

/// A line ends with `\n`, `\r\n`, or, from very old editors, `\r`.
fn lines_before(text: &str) -> usize {
    text.matches(['\n', '\r']).count() - text.matches("\r\n").count()
}

fn floor(source: &str, mut at: usize) -> usize {
    at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for QasmError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, place } = self;
        let Some(Place {
            line,
            column,
            excerpt,
            mark: (before, marked),
        }) = place
        else {
            return out.write_str(message);
        };
        let number = line.to_string();
        writeln!(out, "line {line}, column {column}: {message}")?;
        writeln!(out, "  {number} | {}", excerpt.trim_end())?;
        let gutter = number.len();
        write!(
            out,
            "  {:gutter$} | {:before$}{}",
            "",
            "",
            "^".repeat(*marked)
        )
    }
}

impl std::error::Error for QasmError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, from: usize, to: usize) -> String {
        let fault = Fault::new(Span { from, to }, "this is wrong");
        QasmError::new(fault, source).to_string()
    }

    #[test]
    fn an_error_shows_the_line_and_marks_the_place() {
        let source = "first;\n\tsécond thing;\nthird";
        let at = source.find("thing").unwrap();
        assert_eq!(
            shown(source, at, at + 5),
            "line 2, column 9: this is wrong\n  2 |  sécond thing;\n    |         ^^^^^"
        );
    }

    #[test]
    fn a_place_beyond_the_end_or_within_a_character_is_shown_too() {
        assert!(shown("", 0, 0).starts_with("line 1, column 1"));
        assert!(shown("ab", 99, 120).starts_with("line 1, column 3"));
        assert!(shown("aé", 2, 2).starts_with("line 1, column 2"));
        assert!(shown("a\nb\n", 4, 4).starts_with("line 3, column 1"));
    }

    #[test]
    fn of_a_long_line_only_the_surroundings_are_shown() {
        let source = format!("{}here{}", "-".repeat(5000), "+".repeat(5000));
        let text = shown(&source, 5000, 9000);
        assert!(text.lines().all(|line| line.chars().count() < 90), "{text}");
        assert!(text.contains("-here+"), "{text}");
    }
}
