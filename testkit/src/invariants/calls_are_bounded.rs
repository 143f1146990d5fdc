//! No call waits for ever (D19): each that a kernel makes has an end within the bound that its kind
//! has, whatever the neighbour does. The deadline of the job is no substitute.

use std::time::Duration;

use super::Breach;
use crate::history::{Asked, History};

/// What may come to a bound on the way: connecting, and what happens in one moment.
const MORE: Duration = Duration::from_secs(6);

/// Says which call had no end. That the store is away is no excuse.
pub fn check(history: &History) -> Vec<Breach> {
    let each = history.asked.iter().filter_map(|call| {
        let bound = Duration::from_millis(bound_ms(history, &call.what)?) + MORE;
        let over = lived_until(history, call).min(call.ended.unwrap_or(Duration::MAX));
        let late = over > call.at + bound;
        // A process that stands still gives nothing up.
        (late && !stood_still(history, call.at, call.at + bound)).then(|| {
            let (what, whom) = (&call.what, &call.whom);
            let (at, over) = (call.at.as_secs_f64(), over.as_secs_f64());
            let how = format!("{what} at {whom} went on from {at:.3} s to {over:.3} s");
            Breach::at(call.at + bound, how)
        })
    });
    each.collect()
}

/// The bound on a call of this kind; `None` for what lasts as long as an execution.
fn bound_ms(history: &History, what: &str) -> Option<u64> {
    let limits = &history.limits;
    Some(match what {
        "CompileCircuit" | "CompileJob" | "OptimizeCircuit" => limits.compile_ms,
        "ValidateCircuit" => limits.validate_ms,
        "GetDeviceStatus" => limits.allocate_ms,
        "ExecuteCircuit" => limits.execute_ms,
        "GetExecution" | "CancelExecution" | "ListDevices" => limits.call_ms,
        _ => return None,
    })
}

/// When the kernel that made a call died, or everything was over.
fn lived_until(history: &History, call: &Asked) -> Duration {
    let life = usize::try_from(call.life).unwrap_or(0);
    let start = life.checked_sub(1).and_then(|nth| history.starts.get(nth));
    let ended = start.and_then(|start| start.ended);
    ended.unwrap_or(history.ended).min(history.ended)
}

fn stood_still(history: &History, from: Duration, until: Duration) -> bool {
    let mut broke_off = history.broke_off.iter();
    broke_off.any(|&at| at <= until && from <= at + history.stood_still)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{asked, good, secs};

    #[test]
    fn a_call_that_outlives_its_bound_is_refused() {
        let mut history = good();
        history.ended = secs(10_000);
        history.asked = vec![asked("CompileCircuit", 1, 100)];
        assert_eq!(check(&history), [""; 0]);
        history.asked = vec![asked("CompileCircuit", 1, 200)];
        assert_eq!(check(&history).len(), 1);
        history.asked[0].ended = None;
        assert_eq!(check(&history).len(), 1);
        history.asked[0].what = "WatchExecution".to_owned();
        assert_eq!(check(&history), [""; 0]);
    }
}
