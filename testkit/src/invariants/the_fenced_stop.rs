//! A kernel that hears that another has taken its place does nothing more (D21, epochs).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Breach;
use crate::history::History;

/// To come to a stop.
const SOON: Duration = Duration::from_secs(1);

/// Says who went on.
pub fn check(history: &History) -> Vec<Breach> {
    let mut first: BTreeMap<u32, Duration> = BTreeMap::new();
    let mut broken = BTreeMap::new();
    for &(life, at) in &history.fenced {
        let since = *first.entry(life).or_insert(at);
        if at > since + SOON {
            broken.entry(life).or_insert(at);
        }
    }
    for call in &history.asked {
        let since = first.get(&call.life);
        if since.is_some_and(|since| call.at > *since + SOON) {
            broken.entry(call.life).or_insert(call.at);
        }
    }
    let told = broken.into_iter().map(|(life, at)| {
        let (since, until) = (first[&life].as_secs_f64(), at.as_secs_f64());
        let how = format!(
            "life {life} of the kernel knew at {since:.3} s that it was replaced, and went on at {until:.3} s"
        );
        Breach::at(at, how)
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::{asked, good, secs};

    #[test]
    fn a_kernel_that_goes_on_without_its_place_is_refused() {
        let mut history = good();
        history.fenced = vec![(1, secs(5)), (1, secs(5)), (2, secs(9))];
        assert_eq!(check(&history), [""; 0]);
        history.fenced.push((1, secs(7)));
        assert_eq!(check(&history).len(), 1);
        history.fenced.pop();
        history.asked = vec![asked("ListDevices", 7, 8)];
        assert_eq!(check(&history).len(), 1);
    }
}
