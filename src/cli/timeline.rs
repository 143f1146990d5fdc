//! Events for a person: number, time of the day, state, and a sentence; a line of its own tells
//! the day whenever that is another one.

use crate::cli::state_style;
use crate::cli::terminal::{DIM, paint};
use crate::cli::{text, view};
use crate::grpc::proto::kernel as wire;

/// On a terminal of fewer columns the sentence has lines of its own.
const BESIDE_MIN: usize = 70;
/// The longest names of states.
const STATE_COLUMNS: usize = 10;

/// Lays out events one after the other.
#[derive(Debug)]
pub(super) struct Timeline {
    width: Option<usize>,
    day: String,
}

impl Timeline {
    /// For a terminal of so many columns, or for a pipe.
    pub(super) fn new(width: Option<usize>) -> Self {
        let day = String::new();
        Self { width, day }
    }

    /// The next event.
    pub(super) fn render(&mut self, event: &wire::JobEvent) -> String {
        let at = event.at.unwrap_or_default();
        let day = text::day(&at);
        let mut told = String::new();
        if day != self.day {
            told += &format!("{}\n", paint(DIM, &format!("{day} UTC")));
            self.day = day;
        }
        let name = view::state_name(event.state());
        let gap = " ".repeat(STATE_COLUMNS.saturating_sub(name.len()));
        let name = paint(state_style(view::state(event.state())), name);
        let lead = format!("{:>3}  {}  {name}{gap}  ", event.seq, text::clock(&at));
        match self.width {
            Some(width) if width < BESIDE_MIN => {
                told += &format!("{}\n", lead.trim_end());
                told += &text::paragraph("     ", &event.message, Some(width));
            }
            width => told += &text::paragraph(&lead, &event.message, width),
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;
    use crate::job::state::State;

    #[test]
    fn events_are_lines_that_stay_aligned() {
        let drawing = sample::error_with_a_drawing().error_summary;
        let long = "another try will follow: the compiler cannot be reached at \
                    http://127.0.0.1:50053 because the connection was refused";
        let events = [
            sample::event(1, State::Pending, 90_000, "\"bell.qasm\" was accepted"),
            sample::event(2, State::Compiling, 60, long),
            sample::event(13, State::Failed, 5, &drawing),
        ];
        insta::assert_snapshot!(sample::at_each_width(|width| {
            let mut timeline = Timeline::new(width);
            events.iter().map(|event| timeline.render(event)).collect()
        }));
    }
}
