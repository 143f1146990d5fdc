//! Rows of facts, laid out for the terminal at hand: as a table, with what is elastic cut so
//! that a row is a line; as cards where even that does not fit; whole where there is no terminal.

use anstyle::Style;
use textwrap::core::display_width;

use crate::cli::terminal::{BOLD, DIM, PLAIN, paint};
use crate::cli::text;

/// Columns between two columns.
const GAP: usize = 2;
/// An elastic column is not cut below this.
const ELASTIC_MIN: usize = 8;

/// How a column is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Never cut: an id, a state.
    Whole,
    /// Never cut, aligned at its end: a number.
    Number,
    /// Cut where room is short: a name.
    Elastic,
}

/// One fact, in one line.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn styled(style: Style, text: impl ToString) -> Self {
        let text = text::one_line(&text.to_string());
        Self { text, style }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(PLAIN, text)
    }
}

/// A head, and rows of as many cells as it has columns.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    head: [(&'static str, Fit); N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(head: [(&'static str, Fit); N]) -> Self {
        let rows = Vec::new();
        Self { head, rows }
    }

    pub(super) fn push(&mut self, row: [Cell; N]) {
        self.rows.push(row);
    }

    /// The table for a terminal of so many columns, or for a pipe.
    pub(super) fn render(&self, width: Option<usize>) -> String {
        let mut widths = self.natural();
        if let Some(width) = width
            && !self.squeeze(&mut widths, width)
        {
            return self.cards(width);
        }
        let head = self.head.map(|(name, _)| Cell::styled(DIM, name));
        let lines = std::iter::once(&head).chain(&self.rows);
        lines.map(|row| self.line(row, &widths)).collect()
    }

    fn natural(&self) -> [usize; N] {
        let mut widths = self.head.map(|(name, _)| display_width(name));
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(display_width(&cell.text));
            }
        }
        widths
    }

    /// Takes from the widest elastic column until the table fits; false if it cannot.
    fn squeeze(&self, widths: &mut [usize; N], width: usize) -> bool {
        let gaps = GAP * (N - 1);
        while widths.iter().sum::<usize>() + gaps > width {
            let elastic = widths.iter_mut().zip(&self.head);
            let elastic = elastic.filter(|(_, (_, fit))| *fit == Fit::Elastic);
            match elastic.map(|(width, _)| width).max() {
                Some(widest) if *widest > ELASTIC_MIN => *widest -= 1,
                _ => return false,
            }
        }
        true
    }

    fn line(&self, row: &[Cell; N], widths: &[usize; N]) -> String {
        let cells = row.iter().zip(widths).zip(&self.head);
        let cells = cells.map(|((cell, width), (_, fit))| {
            let shown = cut(&cell.text, *width);
            let fill = " ".repeat(width - display_width(&shown));
            let shown = paint(cell.style, &shown);
            match fit {
                Fit::Number => fill + &shown,
                Fit::Whole | Fit::Elastic => shown + &fill,
            }
        });
        let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
        line.trim_end().to_owned() + "\n"
    }

    /// Each row as a small list under its first cell.
    fn cards(&self, width: usize) -> String {
        let facts = |row: &[Cell; N]| {
            let named = row.iter().zip(&self.head).skip(1);
            let named = named.map(|(cell, (name, _))| (*name, cell.clone()));
            // A number says nothing without its name.
            let first = match self.head[0] {
                (name, Fit::Number) => format!("{name} {}", row[0].text),
                _ => row[0].text.clone(),
            };
            let first = paint(BOLD, &first);
            format!("{first}\n{}", self::facts(named, Some(width)))
        };
        let cards = self.rows.iter().map(facts);
        cards.collect::<Vec<_>>().join("\n")
    }
}

/// Names and what they are, one a line, aligned; those without anything to say are left out.
pub(super) fn facts<'a>(
    facts: impl IntoIterator<Item = (&'a str, Cell)>,
    width: Option<usize>,
) -> String {
    let facts: Vec<_> = facts
        .into_iter()
        .filter(|(_, told)| !told.text.is_empty())
        .collect();
    let longest = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let fact = |(name, told): &(&str, Cell)| {
        let lead = format!("  {}  ", paint(DIM, &format!("{name:<longest$}")));
        match told.style {
            PLAIN => text::paragraph(&lead, &told.text, width),
            // What is coloured is a word or two.
            style => format!("{lead}{}\n", paint(style, &told.text)),
        }
    };
    facts.iter().map(fact).collect()
}

/// `text` in at most `width` columns; a cut is seen.
pub(super) fn cut(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if display_width(&cut) + display_width(c.encode_utf8(&mut [0; 4])) + 1 > width {
            break;
        }
        cut.push(c);
    }
    cut + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<4> {
        let mut table = Table::new([
            ("JOB", Fit::Whole),
            ("STATE", Fit::Whole),
            ("SHOTS", Fit::Number),
            ("NAME", Fit::Elastic),
        ]);
        let id = |n: u32| format!("job-{n:032x}");
        let long = "a name that somebody took great care to make clear to everybody";
        table.push([id(1).into(), "Completed".into(), 1000.into(), "bell".into()]);
        table.push([id(2).into(), "Executing".into(), 7.into(), long.into()]);
        table.push([
            id(3).into(),
            "Failed".into(),
            1.into(),
            "量子もつれの実験を三回".into(),
        ]);
        table.push([id(4).into(), "Queued".into(), 1.into(), "".into()]);
        table
    }

    #[test]
    fn a_table_fits_or_becomes_cards_and_is_whole_in_a_pipe() {
        let mut told = String::new();
        for width in [Some(80), Some(68), Some(40), None] {
            let text = table().render(width);
            let text = anstream::adapter::strip_str(&text).to_string();
            for line in text.lines() {
                assert!(display_width(line) <= width.unwrap_or(200), "{line:?}");
                assert!(!line.ends_with(' '), "{line:?}");
            }
            told += &format!("-- {width:?}\n{text}\n");
        }
        insta::assert_snapshot!(told);
    }

    #[test]
    fn a_cell_is_one_line_and_cannot_steer_the_terminal() {
        let cell = Cell::from("a\nb\u{1b}[31mc");
        assert_eq!(cell.text, "a b\u{fffd}[31mc");
    }
}
