//! Counts as bars.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::cli::terminal::{DIM, LIVE, paint};
use crate::cli::text;

/// Outcomes that are shown; of more, the most frequent ones are.
const ROWS_MAX: usize = 32;
/// A bar that is shorter says nothing.
const BAR_MIN: usize = 10;
/// Lines that one bit string may take; of a longer one the middle is left out.
const KEY_LINES_MAX: usize = 4;

/// One row per outcome, none wider than `width` columns: the bit string, a bar, the count, the
/// share of all shots. Where that does not fit beside it, the bit string has lines of its own.
pub(super) fn histogram(counts: &BTreeMap<String, i64>, shots: i64, width: usize) -> String {
    let mut rows: Vec<(&str, i64)> = counts.iter().map(|(bits, n)| (bits.as_str(), *n)).collect();
    let hidden = rows.len().saturating_sub(ROWS_MAX);
    if hidden > 0 {
        rows.sort_by_key(|(bits, count)| (Reverse(*count), *bits));
        rows.truncate(ROWS_MAX);
        rows.sort_unstable();
    }
    let most = rows
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0)
        .max(1);
    let key = rows.iter().map(|(bits, _)| bits.len()).max().unwrap_or(0);
    let number = most.to_string().len();
    // Two columns of margin, two between all others, and "100.0 %".
    let rest = 2 + 2 + number + 2 + 7;
    let beside = width.saturating_sub(rest + key + 2);
    let mut text = String::new();
    for (bits, count) in rows {
        let share = format!("{:>5.1} %", 100.0 * count as f64 / shots.max(1) as f64);
        let part = count as f64 / most as f64;
        let (lead, room) = if beside >= BAR_MIN {
            (format!("  {bits:<key$}  "), beside)
        } else {
            text += &key_lines(bits, width);
            ("  ".to_owned(), width.saturating_sub(rest).max(1))
        };
        let bar = bar(part, room);
        let gap = " ".repeat(room - bar.chars().count());
        text += &format!(
            "{lead}{}{gap}  {count:>number$}  {share}\n",
            paint(LIVE, &bar)
        );
    }
    if hidden > 0 {
        let hidden = text::count(hidden, "outcome");
        text += &paint(DIM, &format!("  and {hidden} less frequent"));
        text.push('\n');
    }
    text
}

fn key_lines(bits: &str, width: usize) -> String {
    let room = width.saturating_sub(2).max(8);
    let all: Vec<char> = bits.chars().collect();
    let mut lines: Vec<String> = all.chunks(room).map(|line| line.iter().collect()).collect();
    if lines.len() > KEY_LINES_MAX {
        let middle = KEY_LINES_MAX - 2..lines.len() - 1;
        let left_out: usize = lines[middle.clone()].iter().map(String::len).sum();
        lines.splice(middle, [format!("… {left_out} bits …")]);
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// A bar in steps of an eighth of a column; whatever was counted at all can be seen.
fn bar(part: f64, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (part * width as f64 * 8.0).round() as usize;
    let eighths = eighths.clamp(1, width * 8);
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(counts: &BTreeMap<String, i64>, width: usize) -> String {
        let text = histogram(counts, counts.values().sum(), width);
        let text = anstream::adapter::strip_str(&text).to_string();
        for line in text.lines() {
            assert!(
                line.chars().count() <= width,
                "{line:?} is wider than {width}"
            );
        }
        text
    }

    fn keys(width: usize, numbers: impl IntoIterator<Item = u128>) -> BTreeMap<String, i64> {
        let keys = numbers.into_iter().map(|n| format!("{n:0width$b}"));
        keys.zip((1..).map(|n| n * n)).collect()
    }

    #[test]
    fn a_histogram_fits_eighty_columns() {
        let bell = BTreeMap::from([("00".to_owned(), 507), ("11".to_owned(), 493)]);
        let skewed = BTreeMap::from([
            ("000".to_owned(), 99_990),
            ("101".to_owned(), 9),
            ("111".to_owned(), 1),
        ]);
        let many: BTreeMap<_, _> = (0..64_i64).map(|n| (format!("{n:06b}"), n + 1)).collect();
        let text = [&bell, &skewed, &many]
            .map(|counts| drawn(counts, 80))
            .join("\n");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_histogram_fits_forty_columns_with_keys_of_any_length() {
        let drawings = [
            drawn(&keys(2, 0..4), 40),
            drawn(&keys(20, [0, 0xfffff]), 40),
            drawn(&keys(100, [1, u128::MAX >> 28]), 40),
            drawn(&BTreeMap::from([("01".repeat(2048), 7)]), 40),
        ];
        insta::assert_snapshot!(drawings.join("\n"));
    }

    #[test]
    fn no_width_and_no_counts_make_it_fall_over() {
        let odd = BTreeMap::from([(String::new(), i64::MAX / 4), ("1".repeat(4096), 1)]);
        for width in 33..200 {
            drawn(&odd, width);
        }
        for width in 0..33 {
            histogram(&odd, 0, width);
        }
        let negative = BTreeMap::from([("0".to_owned(), -5)]);
        histogram(&negative, -5, 80);
        assert_eq!(histogram(&BTreeMap::new(), 0, 80), "");
    }

    #[test]
    fn a_key_is_shown_whole_or_says_how_much_is_left_out() {
        let bits = "0123".repeat(25);
        let shown: String = key_lines(&bits, 40).split_whitespace().collect();
        assert_eq!(shown, bits);
        let long = key_lines(&"1".repeat(1000), 12);
        assert_eq!(long.lines().count(), KEY_LINES_MAX);
        let shown = long.matches('1').count();
        assert!(long.contains("… 970 bits …") && shown == 30, "{long}");
    }
}
