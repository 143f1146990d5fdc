//! Words for people: spans, moments, foreign text made harmless, paragraphs that stay aligned.

use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use prost_types::Timestamp;

/// Foreign text without what could steer a terminal; lines stay lines.
pub(super) fn plain(text: &str) -> String {
    let harmless = |c: char| match c {
        '\n' => c,
        '\t' => ' ',
        // Overrides of the direction make a text look like another one.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.replace("\r\n", "\n").chars().map(harmless).collect()
}

/// The same in one line.
pub(super) fn one_line(text: &str) -> String {
    plain(text).replace('\n', " ")
}

/// `text` behind `lead`. Its first line is wrapped at `width`; the others have been laid out by
/// whoever wrote them (a caret stands under its place), so they are kept, and moved as one.
pub(super) fn paragraph(lead: &str, text: &str, width: Option<usize>) -> String {
    let text = plain(text.trim_end());
    let (said, drawn) = text.split_once('\n').unwrap_or((&text, ""));
    let indent = match lead.trim() {
        "" => lead,
        _ => "  ",
    };
    let drawn = drawn.lines().map(|line| format!("{indent}{line}"));
    let drawn: String = drawn
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect();
    wrapped(lead, said, width) + &drawn
}

/// A line folded at `width`, what follows being moved as far as the line is.
pub(super) fn folded(line: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return line.to_owned();
    };
    let said = line.trim_start();
    let lead = &line[..line.len() - said.len()];
    wrapped(lead, said, Some(width)).trim_end().to_owned()
}

fn wrapped(lead: &str, text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return format!("{lead}{text}\n");
    };
    let indent = " ".repeat(textwrap::core::display_width(lead).min(width / 2));
    let options = textwrap::Options::new(width)
        .initial_indent(lead)
        .subsequent_indent(&indent)
        // A path or an id is for copying: the terminal breaks it, if it must.
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace);
    textwrap::fill(text, options) + "\n"
}

/// `1 job`, `2 jobs`.
pub(super) fn count(many: usize, what: &str) -> String {
    match many {
        1 => format!("1 {what}"),
        _ => format!("{many} {what}s"),
    }
}

/// A span in a unit in which it is neither nothing nor long to read.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 0.0005 => "0 s".to_owned(),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// A span as people type it: `90s`, `15m`, `2h`, `7d`.
pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || "it must be a number and a unit, for example 90s, 15m, 2h or 7d".to_owned();
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(unit).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

/// A number without a fraction; what the standard library says of others helps nobody. Which
/// numbers make sense is for the kernel to say: the bounds here are those of the type.
pub(super) fn parse_whole<T>(text: &str) -> Result<T, String>
where
    T: FromStr<Err = ParseIntError>,
{
    let bits = u32::try_from(8 * size_of::<T>()).expect("a number has a few bytes");
    let is_signed = "-1".parse::<T>().is_ok();
    text.parse().map_err(|why: ParseIntError| match why.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => {
            let above = 1_i128 << (bits - u32::from(is_signed));
            let least = if is_signed { -above } else { 0 };
            format!("it must be a whole number from {least} to {}", above - 1)
        }
        _ => "it must be a whole number".to_owned(),
    })
}

/// A text that says something: an empty one would be taken for none.
pub(super) fn parse_some(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it must not be empty".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// Seconds from `at` to `now`; negative if `at` is to come.
pub(super) fn age(at: &Timestamp, now: SystemTime) -> f64 {
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    now.as_secs_f64() - (at.seconds as f64 + f64::from(at.nanos) / 1e9)
}

/// The day, as `2026-11-24`.
pub(super) fn day(at: &Timestamp) -> String {
    at.to_string().split('T').next().unwrap_or_default().into()
}

/// The time of the day, as `06:20:07.123`.
pub(super) fn clock(at: &Timestamp) -> String {
    let text = at.to_string();
    let time = text.split('T').nth(1).unwrap_or_default();
    let (whole, fraction) = time
        .trim_end_matches('Z')
        .split_once('.')
        .unwrap_or_else(|| {
            let whole = time.trim_end_matches('Z');
            (whole, "")
        });
    format!("{whole}.{:0<3.3}", fraction)
}

/// A moment and how far it is away: `2026-11-24 06:20:07 UTC (12 s ago)`.
pub(super) fn moment(at: &Timestamp, now: SystemTime) -> String {
    let (day, clock, age) = (day(at), clock(at), age(at, now));
    let clock = clock.split('.').next().unwrap_or_default();
    let away = match age {
        age if age < 0.0 => format!("in {}", span(-age)),
        age => format!("{} ago", span(age)),
    };
    format!("{day} {clock} UTC ({away})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_steer_a_terminal() {
        let evil = "a\u{1b}[2J\u{9b}31mb\r\nc\u{7}\u{202e}d\te";
        let told = plain(evil);
        assert!(
            told.chars().all(|c| c == '\n' || !c.is_control()),
            "{told:?}"
        );
        assert_eq!(one_line("a\r\nb"), "a b");
    }

    #[test]
    fn one_line_is_wrapped_and_a_drawing_is_kept() {
        let long = "the program cannot be compiled because the compiler is not there";
        assert_eq!(
            paragraph("qrtx: ", long, Some(30)),
            "qrtx: the program cannot be\n      compiled because the\n      compiler is not there\n"
        );
        assert_eq!(paragraph("qrtx: ", long, None), format!("qrtx: {long}\n"));
        let drawing = "line 3, column 1: there is no gate \"hh\"\n  3 | hh q[0];\n    | ^^\n";
        assert_eq!(
            paragraph("qrtx: ", drawing, Some(20)),
            "qrtx: line 3, column\n      1: there is no\n      gate \"hh\"\n    3 | hh q[0];\n      | ^^\n"
        );
        assert_eq!(paragraph("   ", "a\n b\n", None), "   a\n    b\n");
    }

    #[test]
    fn a_folded_line_stays_where_it_stands() {
        assert_eq!(folded("  one two three", Some(9)), "  one two\n  three");
        assert_eq!(folded("", Some(9)), "");
        assert_eq!(folded("one two three", None), "one two three");
    }

    #[test]
    fn spans_are_read_as_people_type_them_and_written_as_they_say_them() {
        assert_eq!(parse_span("15m"), Ok(Duration::from_secs(900)));
        for wrong in [
            "",
            "5",
            "m",
            "-1s",
            "1.5h",
            "3w",
            "5µ",
            "999999999999999999d",
        ] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
        let told = [0.0, 0.0004, 0.25, 1.25, 45.0, 119.9, 600.0, 7300.0, 1e6].map(span);
        assert_eq!(
            told,
            [
                "0 s", "0 s", "250 ms", "1.2 s", "45 s", "120 s", "10 min", "2 h", "12 d"
            ]
        );
    }

    #[test]
    fn moments_are_utc_and_say_how_far_away_they_are() {
        let at = Timestamp {
            seconds: 1_795_501_207,
            nanos: 123_456_000,
        };
        assert_eq!(
            (day(&at), clock(&at)),
            ("2026-11-24".into(), "06:20:07.123".into())
        );
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_501_219);
        assert_eq!(moment(&at, now), "2026-11-24 06:20:07 UTC (12 s ago)");
        let before = now - Duration::from_secs(24 * 3600);
        assert_eq!(moment(&at, before), "2026-11-24 06:20:07 UTC (in 24 h)");
        let whole = Timestamp {
            seconds: 0,
            nanos: 0,
        };
        assert_eq!(clock(&whole), "00:00:00.000");
    }
}
