//! One line that tells whoever waits how far a command is: over and over the same one on a terminal,
//! and now and then a line of its own in a file.

use std::fmt::Display;
use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(2);
const EVERY_IN_A_FILE: Duration = Duration::from_secs(30);

/// What is shown of a command that takes its time.
pub(super) struct Progress {
    terminal: bool,
    shown: Instant,
    /// Whether the cursor is behind a line that is to be written again.
    open: bool,
}

impl Progress {
    #[expect(
        clippy::disallowed_methods,
        reason = "real time is what a person waits"
    )]
    pub(super) fn new() -> Self {
        Self {
            terminal: stderr().is_terminal(),
            shown: Instant::now(),
            open: false,
        }
    }

    /// Shows how far it is, if that was not just told.
    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        let every = match self.terminal {
            true => EVERY,
            false => EVERY_IN_A_FILE,
        };
        let since = self.shown.elapsed();
        if since < every {
            return;
        }
        self.shown += since;
        let line = line();
        self.open = self.terminal;
        match self.terminal {
            // What stood there may have been longer.
            true => eprint!("\r{line}   "),
            false => eprintln!("{line}"),
        }
    }

    /// Says something that stays.
    pub(super) fn say(&mut self, line: impl Display) {
        self.end();
        eprintln!("{line}");
    }

    /// Nothing more is told.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            eprintln!();
        }
    }
}
