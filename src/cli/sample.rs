//! What a kernel could have told, for tests of how it is shown.

use std::time::{Duration, SystemTime};

use prost_types::Timestamp;
use textwrap::core::display_width;

use crate::cli::view;
use crate::grpc::proto::kernel as wire;
use crate::job::state::State;

pub(super) const JOB: &str = "job-01a208b16ae8761c83075c88c1b87b0a";
/// Words that may be longer than there is room for.
const LONG: usize = 24;
const NOW: i64 = 1_795_501_219;

pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs())
}

/// So many seconds before now.
pub(super) fn at(before: i64) -> Timestamp {
    Timestamp {
        seconds: NOW - before,
        nanos: 123_456_000,
    }
}

pub(super) fn job(state: State) -> wire::JobStatus {
    wire::JobStatus {
        job_id: JOB.to_owned(),
        name: "bell.qasm".to_owned(),
        state: view::wire_state(state) as i32,
        attempt: 1,
        target: "sim:local".to_owned(),
        device_id: "sim:local".to_owned(),
        priority: 50,
        shots: 1024,
        tenant_id: "tenant-default".to_owned(),
        project_id: "project-default".to_owned(),
        message: "the execution is under way".to_owned(),
        created_at: Some(at(90)),
        updated_at: Some(at(3)),
        expires_at: Some(at(90 - 86_400)),
        last_event_seq: 7,
        trace_id: "652add437b9603315303266d3af83669".to_owned(),
        ..wire::JobStatus::default()
    }
}

/// As compilers write them: a line of the source, and a mark under the place.
pub(super) fn error_with_a_drawing() -> wire::JobError {
    wire::JobError {
        error_code: "ValidationError".to_owned(),
        error_summary: "line 3, column 1: there is no gate \"hh\"; did you mean \"h\"?\n  \
                        |\n3 | hh q[0];\n  | ^^"
            .to_owned(),
        error_details_ref: format!("{JOB}/error.json"),
    }
}

pub(super) fn event(seq: u64, state: State, before: i64, message: &str) -> wire::JobEvent {
    wire::JobEvent {
        seq,
        at: Some(at(before)),
        state: view::wire_state(state) as i32,
        message: message.to_owned(),
        ..wire::JobEvent::default()
    }
}

/// What `draw` makes for terminals of 80 and 40 columns and for a pipe, without colours. Only
/// what somebody else has laid out, and a word for copying (a path, an id), may be wider.
pub(super) fn at_each_width(mut draw: impl FnMut(Option<usize>) -> String) -> String {
    let mut told = String::new();
    for width in [Some(80), Some(40), None] {
        let text = anstream::adapter::strip_str(&draw(width)).to_string();
        let laid_out = error_with_a_drawing().error_summary;
        for line in text.lines() {
            assert!(!line.ends_with(' '), "{line:?} ends in the void");
            let theirs = laid_out.contains(line.trim());
            let long = line
                .split_whitespace()
                .any(|word| word.is_ascii() && word.len() > LONG);
            let fits = display_width(line) <= width.unwrap_or(usize::MAX);
            assert!(fits || theirs || long, "{line:?} is wider than {width:?}");
        }
        let name = width.map_or_else(|| "pipe".to_owned(), |width| format!("{width} columns"));
        told += &format!("---- {name}\n{text}");
    }
    told
}
