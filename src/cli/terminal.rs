//! The two streams: stdout is for what was asked for, stderr for everything else. Colours come
//! only where the terminal wants them, and lines know how wide it is.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::problem::Problem;
use crate::cli::text;

/// Columns where there is no terminal to ask.
pub(super) const COLUMNS: usize = 80;
/// Narrower than this nothing can be laid out.
const COLUMNS_MIN: usize = 20;

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
pub(super) const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
pub(super) const ODD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
pub(super) const LIVE: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));
pub(super) const PLAIN: Style = Style::new();

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum Colour {
    // On a terminal, unless NO_COLOR or TERM=dumb is set. (A comment for --help would make clap
    // lay out all flags of all commands in its long form.)
    #[default]
    Auto,
    // Also in a pipe.
    Always,
    Never,
}

impl Colour {
    /// Holds for everything that is printed from now on.
    pub(super) fn choose(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// `text` in a style. Streams that want none strip it again.
pub(super) fn paint(style: Style, text: &str) -> String {
    if text.is_empty() || style == PLAIN {
        return text.to_owned();
    }
    format!("{style}{text}{style:#}")
}

fn columns_of(size: Option<(terminal_size::Width, terminal_size::Height)>) -> Option<usize> {
    size.map(|(width, _)| usize::from(width.0).max(COLUMNS_MIN))
}

/// Columns of the terminal that stdout is; `None` if it is none.
pub(super) fn columns() -> Option<usize> {
    columns_of(terminal_size::terminal_size_of(io::stdout()))
}

/// Columns of the terminal that stderr is, or that one usually has.
pub(super) fn watched_columns() -> usize {
    columns_of(terminal_size::terminal_size_of(io::stderr())).unwrap_or(COLUMNS)
}

/// Whether a person looks at stderr.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Prints what was asked for. Whoever closed the pipe has read enough, as `head` has: the command
/// ends as it would have.
pub(super) fn print(text: &str) -> Result<(), Problem> {
    match write(text) {
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|why| Problem::output(&why)),
    }
}

/// Prints one of many parts: where nobody reads any more there is no use in waiting for the next.
pub(super) fn print_part(text: &str) -> Result<(), Problem> {
    write(text).map_err(|why| Problem::output(&why))
}

fn write(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Prints one JSON document.
pub(super) fn print_document(document: &impl Serialize) -> Result<(), Problem> {
    let text = serde_json::to_string_pretty(document).expect("what is shown has a JSON form");
    print(&(text + "\n"))
}

/// Prints one JSON document of many, in one line.
pub(super) fn print_line(document: &impl Serialize) -> Result<(), Problem> {
    let text = serde_json::to_string(document).expect("what is shown has a JSON form");
    print_part(&(text + "\n"))
}

/// Ends a line on stderr that something else has begun.
pub(super) fn end_line() {
    let _ = io::stderr().write_all(b"\n");
}

/// Prints somebody else's words on stderr, each line folded under its own beginning.
pub(super) fn complain(text: &str) {
    let width = columns_of(terminal_size::terminal_size_of(io::stderr()));
    let folded: String = text
        .lines()
        .map(|line| text::folded(line, width) + "\n")
        .collect();
    let _ = anstream::stderr().lock().write_all(folded.as_bytes());
}

/// Says something beside what was asked for, on stderr.
pub(super) fn say(what: &str) {
    say_in(PLAIN, what);
}

/// The same in a style.
pub(super) fn say_in(style: Style, what: &str) {
    let width = columns_of(terminal_size::terminal_size_of(io::stderr()));
    let lead = format!("{} ", paint(style, "qrtx:"));
    // Whoever closed stderr does not want to know.
    let _ = anstream::stderr()
        .lock()
        .write_all(text::paragraph(&lead, what, width).as_bytes());
}
