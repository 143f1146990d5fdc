//! Draws a run: one HTML file with an SVG in it, that needs nothing else. Time goes down, not to
//! scale: each thing that happened has a row, so that a second in which much happens has room and
//! an hour in which nothing does takes none.

mod books;
mod page;
mod rows;
mod told;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::record::{CallRecord, Fired};
use crate::scenario::Scenario;
use crate::verdict::{Outcome, Verdict};
use rows::Rows;

/// Pixels from one lane to the next, and from the left edge to the first.
const LANE: f64 = 160.0;
/// Commits need more room than others before the lane of artifacts.
const COMMITS: f64 = 290.0;
const LEFT: f64 = 175.0;
/// Pixels behind the last lane, for what its labels say.
const RIGHT: f64 = 250.0;
const LANES: [&str; 7] = [
    "clients",
    "kernel",
    "compiler",
    "driver-manager",
    "devices",
    "job store",
    "artifacts",
];
/// Calls that would be most of the picture and say little; they can be shown.
const NOISE: [&str; 5] = [
    "ListDevices",
    "GetJobStatus",
    "WatchExecution",
    "WatchJob",
    "StreamJobUpdates",
];

/// From a line to the text below it.
const CAPTION: f64 = 11.0;
/// From one text to the next.
const LINE: f64 = 13.0;

/// What is said several times, in one line.
fn said_once(what: &str, times: usize) -> String {
    match times {
        1 => what.to_owned(),
        times => format!("{what} ({times} times)"),
    }
}

/// The picture of a run.
pub fn html(scenario: &Scenario, seed: u64, outcome: &Outcome, verdict: &Verdict) -> String {
    let told = verdict.complaints().join(" ");
    let mut picture = Picture {
        outcome,
        verdict,
        rows: Rows::of(outcome, verdict),
        blamed: blamed(outcome, &told),
        told,
        svg: String::new(),
    };
    picture.bands();
    picture.lanes();
    picture.calls();
    picture.devices();
    picture.commits();
    picture.artifacts();
    picture.clients();
    picture.captions();
    picture.breaches();
    let (height, svg) = (picture.rows.height(), picture.svg);
    let width = lane("artifacts") + RIGHT;
    page::page(scenario, seed, (outcome, verdict), (width, height, &svg))
}

struct Picture<'a> {
    outcome: &'a Outcome,
    verdict: &'a Verdict,
    rows: Rows,
    /// How promises are broken, in words.
    told: String,
    /// Jobs that they are about, by their place; none if that is all of them, which says nothing.
    blamed: Vec<usize>,
    svg: String,
}

fn lane(name: &str) -> f64 {
    let at = match name {
        name if name.starts_with("client") => 0,
        name => LANES.iter().position(|lane| *lane == name).unwrap_or(1),
    };
    let wider = if name == "artifacts" {
        COMMITS - LANE
    } else {
        0.0
    };
    LEFT + LANE * at as f64 + wider
}

impl Picture<'_> {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.svg.write_fmt(text).expect("a string takes everything");
        self.svg.push('\n');
    }

    fn class(&self, job: Option<usize>) -> &'static str {
        match job.is_some_and(|job| self.blamed.contains(&job)) {
            true => "blamed",
            false => "",
        }
    }

    /// What lasts, as a band over everything; what does not, as a line.
    fn bands(&mut self) {
        let x = LEFT - 60.0;
        let width = lane("artifacts") + RIGHT - x;
        for fired in self.outcome.records.fired.clone() {
            let top = self.rows.y(fired.at);
            let end = self.rows.y(fired.at + fired.lasts.unwrap_or_default());
            let height = (end - top).max(4.0);
            let (class, text) = (class_of(&fired), page::escaped(&fired.text));
            self.put(format_args!(
                r#"<rect class="{class}" x="{x}" y="{top}" width="{width}" height="{height}"><title>{text}</title></rect>"#
            ));
        }
    }

    /// What the bands are, over everything else.
    fn captions(&mut self) {
        let x = LEFT - 58.0;
        for fired in self.outcome.records.fired.clone() {
            let y = self.rows.y(fired.at) + CAPTION;
            let (class, text) = (class_of(&fired), page::escaped(&fired.text));
            self.put(format_args!(
                r#"<text class="{class}-text" x="{x}" y="{y}">{text}</text>"#
            ));
        }
    }

    /// Where a promise is broken: a line through everything, with how. What only the whole run
    /// shows stands at its end, and what is broken in the same way again and again stands once.
    fn breaches(&mut self) {
        let x = LEFT - 60.0;
        let right = lane("artifacts") + RIGHT;
        let mut times = BTreeMap::new();
        for broken in self.verdict.all() {
            *times.entry((broken.promise, &broken.how)).or_insert(0) += 1;
        }
        let captions = self.outcome.records.fired.iter();
        let mut taken: Vec<_> = captions
            .map(|fired| self.rows.y(fired.at) + CAPTION)
            .collect();
        for broken in self.verdict.all() {
            let Some(times) = times.remove(&(broken.promise, &broken.how)) else {
                continue;
            };
            let y = self.rows.y(broken.at.unwrap_or(self.outcome.ended));
            // Above the line, or the first place below it where it hides nothing.
            let below = (0..).map(|nth| y + CAPTION + LINE * f64::from(nth));
            let mut places = std::iter::once(y - 3.0).chain(below);
            let is_free = |place: &f64| taken.iter().all(|other| (place - other).abs() >= CAPTION);
            let text_y = places.find(is_free).expect("somewhere below there is room");
            taken.push(text_y);
            let what = said_once(&format!("{}: {}", broken.promise, broken.how), times);
            let text = page::escaped(&what);
            self.put(format_args!(
                r#"<g class="breach"><line x1="{x}" y1="{y}" x2="{right}" y2="{y}"/><text x="{x}" y="{text_y}">⚠ {text}</text></g>"#
            ));
        }
    }

    fn lanes(&mut self) {
        let bottom = self.rows.height();
        for name in LANES {
            let x = lane(name);
            self.put(format_args!(
                r#"<line class="lane" x1="{x}" y1="0" x2="{x}" y2="{bottom}"/>"#
            ));
        }
        for life in self.outcome.records.lives.clone() {
            // Lives of the same process beside each other: two at once are two kernels.
            let x = lane(&life.node) + f64::from(life.number % 3) * 4.0 - 4.0;
            let top = self.rows.y(life.began);
            let end = life.ended.map(|end| self.rows.y(end));
            let (bottom, number) = (end.unwrap_or(bottom), life.number);
            let node = page::escaped(&life.node);
            self.put(format_args!(
                r#"<line class="life" x1="{x}" y1="{top}" x2="{x}" y2="{bottom}"><title>{node}, life {number}</title></line>"#
            ));
            if life.ended.is_some() {
                self.put(format_args!(
                    r#"<text class="dies" x="{x}" y="{bottom}" text-anchor="middle">✕</text>"#
                ));
            }
        }
        for (y, at) in self.rows.labels() {
            let seconds = at.as_secs_f64();
            self.put(format_args!(
                r#"<text class="time" x="8" y="{y}">{seconds:.4} s</text>"#
            ));
        }
    }

    fn calls(&mut self) {
        for call in self.outcome.records.calls.clone() {
            let noise = if NOISE.contains(&call.method.as_str()) {
                "noise"
            } else {
                ""
            };
            let class = format!("{noise} {}", self.class(call.job));
            let whom = call.job.map(|job| format!(" ({job})")).unwrap_or_default();
            let label = format!("{}{whom}", call.method);
            let (from, to) = (lane(&call.from), lane(&call.to));
            match call.arrived {
                Some(arrived) => self.arrow(&class, (from, call.sent), (to, arrived), &label),
                None => self.stump(
                    &class,
                    (from, call.sent),
                    to,
                    &format!("{label} never arrives"),
                ),
            }
            self.answer(&class, &call);
        }
    }

    fn answer(&mut self, class: &str, call: &CallRecord) {
        let (from, to) = (lane(&call.from), lane(&call.to));
        let answered = matches!((call.left, call.ended), (Some(left), Some(ended)) if ended >= left)
            && !["breaks", "given up", "cannot be sent"].contains(&call.end.as_str());
        match (call.left, call.ended) {
            (Some(left), Some(ended)) if answered => {
                let class = format!("{class} answer");
                let label = if call.end == "Ok" { "" } else { &call.end };
                self.arrow(&class, (to, left), (from, ended), label);
            }
            (Some(left), _) => self.stump(class, (to, left), from, "the answer never arrives"),
            _ => {}
        }
    }

    fn arrow(
        &mut self,
        class: &str,
        (x1, sent): (f64, Duration),
        (x2, arrived): (f64, Duration),
        label: &str,
    ) {
        let (y1, y2) = (self.rows.y(sent), self.rows.y(arrived));
        // Nearer to the end: what is sent at once arrives in rows of its own.
        let (x, y) = ((x1 + x2 * 2.0) / 3.0, (y1 + y2 * 2.0) / 3.0 - 2.0);
        let label = page::escaped(label);
        self.put(format_args!(
            r#"<g class="{class}"><line class="call" marker-end="url(#head)" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/><text class="label" x="{x}" y="{y}" text-anchor="middle">{label}</text></g>"#
        ));
    }

    /// A message that is lost half-way.
    fn stump(&mut self, class: &str, (x1, sent): (f64, Duration), towards: f64, label: &str) {
        let y = self.rows.y(sent);
        let (x2, text_y) = (x1 + (towards - x1) / 2.0, y - 2.0);
        let label = page::escaped(label);
        self.put(format_args!(
            r#"<g class="{class} lost"><line class="call" x1="{x1}" y1="{y}" x2="{x2}" y2="{y}"/><text x="{x2}" y="{y}" class="dies">✕</text><text class="label" x="{x2}" y="{text_y}" text-anchor="middle">{label}</text></g>"#
        ));
    }

    fn devices(&mut self) {
        let mut columns = Vec::new();
        for run in self.outcome.history.runs.clone() {
            let job = run
                .job
                .parse()
                .ok()
                .and_then(|id| self.outcome.ordinals.get(&id).copied());
            let class = match self.blamed.is_empty() && self.told.contains(&run.device) {
                true => "blamed",
                false => self.class(job),
            };
            let top = self.rows.y(run.started.0);
            let ended = run.ended.map_or(self.outcome.ended, |ended| ended.0);
            let height = (self.rows.y(ended) - top).max(6.0);
            let column = beside(&mut columns, run.started.0, ended);
            let (x, y) = (lane("devices") - 6.0 + 14.0 * column as f64, top + 11.0);
            let job = job.map_or_else(|| run.job.clone(), |job| format!("job {job}"));
            let attempt = run
                .execution
                .as_deref()
                .and_then(|id| id.rsplit('#').next());
            let attempt = attempt.unwrap_or("?");
            let text = format!(
                "{job}#{attempt} on {}, {} shots",
                run.device, run.shots_fired
            );
            let (text, label) = (page::escaped(&text), x + 16.0);
            self.put(format_args!(
                r#"<g class="{class}"><rect class="run" x="{x}" y="{top}" width="12" height="{height}"><title>{text}</title></rect><text class="label" x="{label}" y="{y}">{text}</text></g>"#
            ));
        }
    }

    fn commits(&mut self) {
        for commit in self.outcome.records.commits.clone() {
            let class = self.class(commit.ordinal);
            let (x, y) = (lane("job store"), self.rows.y(commit.at));
            let job = commit
                .ordinal
                .map(|job| format!("job {job}"))
                .unwrap_or_default();
            let (mark, refused) = match commit.written {
                true => ("◆", ""),
                false => ("◇", ", refused"),
            };
            let events = commit.events.join(", ");
            let text = format!("{job}: {events} → {}{refused}", commit.state.name());
            let (text, label) = (page::escaped(&text), x + 12.0);
            self.put(format_args!(
                r#"<g class="{class}"><text class="point" x="{x}" y="{y}" text-anchor="middle">{mark}</text><text class="label" x="{label}" y="{y}">{text}</text></g>"#
            ));
        }
    }

    /// What is written at about the same time stands in one line.
    fn artifacts(&mut self) {
        let mut lines: Vec<(f64, Option<usize>, String)> = Vec::new();
        for written in &self.outcome.records.artifacts {
            let y = self.rows.y(written.at);
            match lines
                .iter_mut()
                .rfind(|(_, job, _)| *job == written.ordinal)
            {
                Some((last, _, files)) if y - *last < 1.0 => {
                    *files += &format!(", {}", written.file)
                }
                _ => lines.push((y, written.ordinal, written.file.clone())),
            }
        }
        for (y, ordinal, files) in lines {
            let (class, x) = (self.class(ordinal), lane("artifacts"));
            let whose = ordinal.map(|job| format!("job {job}: "));
            let text = format!("{}{files}", whose.unwrap_or_default());
            let (text, label) = (page::escaped(&text), x + 10.0);
            self.put(format_args!(
                r#"<g class="{class}"><text class="point" x="{x}" y="{y}" text-anchor="middle">▪</text><text class="label" x="{label}" y="{y}">{text}</text></g>"#
            ));
        }
    }
}

/// Whether it is a fault, or what somebody wants.
fn class_of(fired: &Fired) -> &'static str {
    match fired.kind.is_empty() {
        true => "wish",
        false => "fault",
    }
}

/// The first column that is free from then on: what takes place at the same time stands beside
/// each other.
fn beside(columns: &mut Vec<Duration>, began: Duration, ended: Duration) -> usize {
    let free = columns.iter().position(|until| *until <= began);
    let column = free.unwrap_or_else(|| {
        columns.push(Duration::ZERO);
        columns.len() - 1
    });
    columns[column] = ended;
    column
}

/// The jobs that are named where a promise is broken.
fn blamed(outcome: &Outcome, told: &str) -> Vec<usize> {
    let ordinals = outcome.ordinals.values().copied();
    let named = ordinals.filter(|ordinal| {
        told.split(&format!("job {ordinal}"))
            .skip(1)
            .any(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
    });
    let named: Vec<_> = named.collect();
    match named.len() == outcome.ordinals.len() {
        true => Vec::new(),
        false => named,
    }
}
