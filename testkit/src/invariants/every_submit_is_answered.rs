//! Whoever submits a job is told in the end that it is accepted, or why it never will be (D17):
//! a kernel that has room again does not go on refusing.

use super::Breach;
use crate::history::History;

/// Says who was put off until the end.
pub fn check(history: &History) -> Vec<Breach> {
    let put_off = history.unanswered.iter();
    let told = put_off.map(|who| format!("{who} was never accepted, nor refused for good").into());
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::sample::good;

    #[test]
    fn a_client_that_is_put_off_until_the_end_is_missed() {
        let mut history = good();
        history.unanswered.push("job 3 of client-1".to_owned());
        assert_eq!(check(&history).len(), 1);
    }
}
