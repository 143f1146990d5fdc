//! What a cancel was told is so (D15): nothing ran, or it was over by then, or the job went its
//! way. And a repeated cancel is told the same.

use std::collections::BTreeMap;

use qrtx::job::state::State;

use super::Breach;
use crate::history::{History, News};

/// Says which receipts are not true.
pub fn check(history: &History) -> Vec<Breach> {
    let mut broken = Vec::new();
    let mut first = BTreeMap::new();
    for told in &history.told {
        let News::Receipt(receipt) = &told.news else {
            continue;
        };
        let before = *first.entry(told.job).or_insert(receipt);
        if before != receipt {
            broken.push(Breach::at(
                told.at,
                format!("a cancel of {} was told {before}, then {receipt}", told.job),
            ));
        }
        let name = told.job.to_string();
        let runs = || history.runs.iter().filter(|run| run.job == name);
        let state = history.stored.get(&told.job).map(|stored| stored.job.state);
        let wrong = match receipt.trim_start_matches("CANCEL_RECEIPT_") {
            "NOT_STARTED" => runs().any(|run| run.shots_fired > 0),
            "STOPPED_ON_DEVICE" => {
                runs().any(|run| run.ended.is_none_or(|ended| ended.0 > told.at))
            }
            "TOO_LATE" => state == Some(State::Cancelled),
            _ => false,
        };
        if wrong {
            let at = told.at.as_secs_f64();
            broken.push(Breach::at(
                told.at,
                format!("a cancel of {name} was told {receipt} at {at:.3} s, which is not so"),
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{good, tell};

    fn told(receipts: &[&str]) -> Vec<Breach> {
        let mut history = good();
        for receipt in receipts {
            tell(&mut history, News::Receipt((*receipt).to_owned()));
        }
        check(&history)
    }

    #[test]
    fn a_run_that_is_denied_is_refused() {
        assert_eq!(told(&["CANCEL_RECEIPT_NOT_STARTED"]).len(), 1);
        assert_eq!(
            told(&["CANCEL_RECEIPT_STOPPED_ON_DEVICE"]).len(),
            1,
            "it ended later"
        );
        assert_eq!(told(&["CANCEL_RECEIPT_TOO_LATE"]).len(), 0);
    }

    #[test]
    fn a_receipt_that_changes_is_refused() {
        let receipts = ["CANCEL_RECEIPT_TOO_LATE", "CANCEL_RECEIPT_STOP_UNCONFIRMED"];
        assert_eq!(told(&receipts).len(), 1);
    }
}
