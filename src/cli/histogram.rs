//! Counts as bars.

use std::collections::BTreeMap;

/// Columns of a line in all.
const WIDTH: usize = 80;
/// Outcomes that are shown; of more, the most frequent ones are.
const ROWS_MAX: usize = 32;

/// One line per outcome: the bit string, a bar, the count, the share of all shots.
pub(super) fn histogram(counts: &BTreeMap<String, i64>, shots: i64) -> String {
    let mut rows: Vec<(&str, i64)> = counts.iter().map(|(bits, n)| (bits.as_str(), *n)).collect();
    let hidden = rows.len().saturating_sub(ROWS_MAX);
    if hidden > 0 {
        rows.sort_by_key(|(bits, count)| (-count, *bits));
        rows.truncate(ROWS_MAX);
        rows.sort_unstable();
    }
    let most = rows
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0)
        .max(1);
    let bits_width = rows.iter().map(|(bits, _)| bits.len()).max().unwrap_or(0);
    let count_width = most.to_string().len();
    let bar_width = WIDTH.saturating_sub(bits_width + count_width + 15).max(8);
    let mut text = String::new();
    for (bits, count) in rows {
        let share = 100.0 * count as f64 / shots.max(1) as f64;
        let bar = bar(count as f64 / most as f64, bar_width);
        text += &format!("  {bits}  {bar:<bar_width$}  {count:>count_width$}  {share:>5.1} %\n");
    }
    if hidden > 0 {
        text += &format!("  and {hidden} outcomes that are rarer\n");
    }
    text
}

/// A bar in steps of an eighth of a column; whatever was counted at all can be seen.
fn bar(part: f64, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = ((part * width as f64 * 8.0).round() as usize).max(1);
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_fits_eighty_columns() {
        let bell = BTreeMap::from([("00".to_owned(), 507), ("11".to_owned(), 493)]);
        let skewed = BTreeMap::from([
            ("000".to_owned(), 99_990),
            ("101".to_owned(), 9),
            ("111".to_owned(), 1),
        ]);
        let many: BTreeMap<_, _> = (0..64_i64).map(|n| (format!("{n:06b}"), n + 1)).collect();
        let shots = |counts: &BTreeMap<String, i64>| counts.values().sum();
        let text = [&bell, &skewed, &many]
            .map(|counts| histogram(counts, shots(counts)))
            .join("\n");
        assert!(text.lines().all(|line| line.chars().count() <= 80));
        insta::assert_snapshot!(text);
    }
}
