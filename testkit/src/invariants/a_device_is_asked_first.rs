//! Nothing is asked of a device that has just said that it takes nothing (D8): the last word before
//! an execution was that it is ready. The contrary costs tries, and may fail a job for no reason.

use std::time::Duration;

use qrtx::job::event::Event;

use super::Breach;
use crate::history::{Asked, History};

/// Says who was asked to run something though it had said no.
pub fn check(history: &History) -> Vec<Breach> {
    let runs = history.asked.iter().enumerate();
    let runs = runs.filter(|(_, call)| call.what == "ExecuteCircuit");
    let against = runs.filter_map(|(nth, call)| {
        let job = call.job?;
        let before = history.asked[..nth].iter().rev();
        let mut before = before.filter(|other| {
            // Two kernels at once know nothing of each other.
            other.job == Some(job) && other.what == STATUS && other.life == call.life
        });
        let Some(asked) = before.next() else {
            let how = format!("{job} was executed, and nobody asked whether its device is ready");
            return Some(Breach::at(call.at, how));
        };
        let devices = devices(history, call);
        let refused = devices
            .iter()
            .all(|device| was_away(history, device, asked));
        (refused && !devices.is_empty()).then(|| {
            let (device, at) = (devices.join(", "), asked.at.as_secs_f64());
            let how = format!("{job} was executed on {device}, which was not ready at {at:.3} s");
            Breach::at(call.at, how)
        })
    });
    against.collect()
}

const STATUS: &str = "GetDeviceStatus";

/// The devices that the job of a call was ever given: it is one of them that is asked.
fn devices<'h>(history: &'h History, call: &Asked) -> Vec<&'h str> {
    let stored = call.job.and_then(|job| history.stored.get(&job));
    let events = stored.into_iter().flat_map(|stored| &stored.events);
    let given = events.filter_map(|recorded| match &recorded.event {
        Event::Assigned { device, .. } => Some(device.as_str()),
        _ => None,
    });
    given.collect()
}

/// Whether a device said no to this question: it was away for all the time that it took.
fn was_away(history: &History, device: &str, asked: &Asked) -> bool {
    let until = asked.ended.unwrap_or(Duration::MAX);
    let mut spans = history.away.get(device).into_iter().flatten();
    asked.end == "Ok" && spans.any(|&(from, to)| from <= asked.at && until <= to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{asked, good, secs};

    #[test]
    fn an_execution_on_a_device_that_said_no_is_refused() {
        let mut history = good();
        history.asked = vec![asked(STATUS, 1, 2), asked("ExecuteCircuit", 3, 4)];
        assert_eq!(check(&history), [""; 0]);
        let away = vec![(secs(0), secs(9))];
        history.away.insert("qpu".to_owned(), away);
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn an_execution_on_a_device_that_nobody_asked_is_refused() {
        let mut history = good();
        history.asked = vec![asked("ExecuteCircuit", 3, 4)];
        assert_eq!(check(&history).len(), 1);
    }
}
