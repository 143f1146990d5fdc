//! What must be true of every run, whatever goes wrong in it. One property per file, each a
//! function of a [`History`], each with a history that it must refuse.
//!
//! | invariant | says | source |
//! |---|---|---|
//! | ends_are_final | nothing changes an end | Eigen-OS qrtx.md §4.4, RFC 0007 |
//! | one_device_one_run | no execution runs twice, no slot is given twice | D8, D14, D15 |
//! | acked_is_durable | what a client was told is in the store | D11, D21 |
//! | public_never_goes_back | system-api sees states in one order | D10 |
//! | events_are_gapless | a watcher misses nothing and hears nothing twice | proto WatchJob |
//! | result_before_done | Completed means that the results are there | D13 |
//! | moves_are_legal | jobs move as the RFC says | RFC 0007 |
//! | statuses_are_true | a status is what the job's events make of it | proto JobStatus, RFC 0007 |
//! | details_are_true | so is what is told beside state and counts, and what the device said is kept | proto, D14 |
//! | answers_agree | whichever way one asks, the answer is what is stored | D10, D11 |
//! | documents_are_true | what lies in a job's folder is so | D13 |
//! | away_devices_rest | no job is given a device that is known to be away | issue 6 |
//! | devices_are_told_as_heard | what is told of a device is the newest word about it | issue 6 |
//! | commits_are_kept | what was committed stays | D11 |
//! | attempts_have_reasons | no second run without a reason, none is paid for twice | D14, D18 |
//! | tokens_rise | an older execution never follows a newer one | D8 |
//! | only_circuits_run | garbage never reaches a device | D19 |
//! | wishes_are_passed_on | compiler and device are told what the client asked for, and for whom | proto, D9 |
//! | runs_where_it_may | on the device, or of the class, that the client named, if it can | proto target |
//! | who_fits_is_found | no job fails for want of a device that is there | issue 6 |
//! | no_retry_storm | a neighbour in trouble is not made worse | D18 |
//! | backlog_is_bounded | too much to do is refused, and does not pile up | D17 |
//! | deadlines_are_kept | no deadline passes early or late | D19, D22 |
//! | receipts_are_true | what a cancel was told is so | D15 |
//! | results_are_stored | nobody sees results that are not stored | D11, D13 |
//! | one_key_one_job | one key, one job | D21 |
//! | the_urgent_go_first | the more urgent job gets the device | D9 |
//! | no_device_idles | a free slot goes to whoever waits for it | D17 |
//! | shares_are_fair | tenants share a device by weight, so nobody starves | Goyal et al. 1996 |
//! | tenant_limit_is_kept | no tenant runs more at once than it may | D9 |
//! | every_submit_is_answered | nobody is put off for ever | D17 |
//! | ready_in_time | a kernel that starts can be reached soon, whatever it finds | D17 |
//! | reservations_are_honoured | a reserved slot is its holder's until the end, and no longer | D8, issue 6 |
//! | a_device_is_asked_first | an execution follows the word of its device that it is ready | D8 |
//! | back_offs_are_kept | later means later | D18 |
//! | back_offs_grow | and twice as late with each try, up to a bound | D18 |
//! | calls_are_bounded | no call to a neighbour waits for ever | D19 |
//! | cancels_are_answered | whoever cancels is told what that achieved, and soon | D15 |
//! | news_comes_in_time | a watch is no poll | proto WatchJob |
//! | no_place_idles | a place to compile in goes to whoever waits for it | D17 |
//! | nobody_gives_up_early | a job fails when its tries or its time are spent, not before | D18, D19 |
//! | refusals_are_true | nobody is turned away for a reason that is none | D21 |
//! | the_fenced_stop | a kernel that was replaced does nothing more | D21 |
//! | executions_are_bounded | an execution is over when its time is | D19 |
//! | drained_devices_rest | no job is given a device that drains | issue 6 |
//! | unsteady_devices_rest | nor one that was lost too often and has not stayed yet | issue 6 |
//! | nothing_is_left_running | no task outlives its job | D17 |
//! | every_job_ends | no job is stuck once the faults are over | D19 |
//! | ledger_closes | the ledger and the devices agree on every shot | D14 |

pub mod a_device_is_asked_first;
pub mod acked_is_durable;
pub mod answers_agree;
pub mod attempts_have_reasons;
pub mod away_devices_rest;
pub mod back_offs_are_kept;
pub mod back_offs_grow;
pub mod backlog_is_bounded;
pub mod calls_are_bounded;
pub mod cancels_are_answered;
pub mod commits_are_kept;
pub mod deadlines_are_kept;
pub mod details_are_true;
pub mod devices_are_told_as_heard;
pub mod documents_are_true;
pub mod drained_devices_rest;
pub mod ends_are_final;
pub mod events_are_gapless;
pub mod every_job_ends;
pub mod every_submit_is_answered;
pub mod executions_are_bounded;
pub mod ledger_closes;
pub mod moves_are_legal;
pub mod news_comes_in_time;
pub mod no_device_idles;
pub mod no_place_idles;
pub mod no_retry_storm;
pub mod nobody_gives_up_early;
pub mod nothing_is_left_running;
pub mod one_device_one_run;
pub mod one_key_one_job;
pub mod only_circuits_run;
pub mod public_never_goes_back;
pub mod ready_in_time;
pub mod receipts_are_true;
pub mod refusals_are_true;
pub mod reservations_are_honoured;
pub mod result_before_done;
pub mod results_are_stored;
pub mod runs_where_it_may;
#[cfg(test)]
mod sample;
pub mod shares_are_fair;
pub mod statuses_are_true;
pub mod tenant_limit_is_kept;
pub mod the_fenced_stop;
pub mod the_urgent_go_first;
pub mod tokens_rise;
pub mod unsteady_devices_rest;
pub mod who_fits_is_found;
pub mod wishes_are_passed_on;

use std::time::Duration;

use crate::history::History;

/// One promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// When that can be seen, since the start of the run; `None` if only the whole run shows it.
    pub at: Option<Duration>,
    /// How.
    pub how: String,
}

impl Breach {
    fn at(at: Duration, how: String) -> Self {
        Self { at: Some(at), how }
    }
}

impl From<String> for Breach {
    fn from(how: String) -> Self {
        Self { at: None, how }
    }
}

#[cfg(test)]
impl PartialEq<&str> for Breach {
    fn eq(&self, how: &&str) -> bool {
        self.how == *how
    }
}

/// Whether something bad happened, or something good did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It must never be broken.
    Safety,
    /// It must hold once the faults are over and time has passed.
    Liveness,
}

/// A property of every run.
#[derive(Debug, Clone, Copy)]
pub struct Invariant {
    /// Its name, as scenarios use it.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// Says what breaks it; empty when nothing does.
    pub check: fn(&History) -> Vec<Breach>,
}

/// All of them.
pub const ALL: [Invariant; 49] = [
    safety("ends_are_final", ends_are_final::check),
    safety("one_device_one_run", one_device_one_run::check),
    safety("acked_is_durable", acked_is_durable::check),
    safety("public_never_goes_back", public_never_goes_back::check),
    safety("events_are_gapless", events_are_gapless::check),
    safety("result_before_done", result_before_done::check),
    safety("moves_are_legal", moves_are_legal::check),
    safety("answers_agree", answers_agree::check),
    safety("commits_are_kept", commits_are_kept::check),
    safety("attempts_have_reasons", attempts_have_reasons::check),
    safety("tokens_rise", tokens_rise::check),
    safety("only_circuits_run", only_circuits_run::check),
    safety("wishes_are_passed_on", wishes_are_passed_on::check),
    safety("runs_where_it_may", runs_where_it_may::check),
    safety("who_fits_is_found", who_fits_is_found::check),
    safety("no_retry_storm", no_retry_storm::check),
    safety("back_offs_grow", back_offs_grow::check),
    safety("backlog_is_bounded", backlog_is_bounded::check),
    safety("deadlines_are_kept", deadlines_are_kept::check),
    safety("receipts_are_true", receipts_are_true::check),
    safety("results_are_stored", results_are_stored::check),
    safety("one_key_one_job", one_key_one_job::check),
    safety("the_urgent_go_first", the_urgent_go_first::check),
    safety("no_device_idles", no_device_idles::check),
    safety("shares_are_fair", shares_are_fair::check),
    safety("tenant_limit_is_kept", tenant_limit_is_kept::check),
    safety(
        "reservations_are_honoured",
        reservations_are_honoured::check,
    ),
    safety("away_devices_rest", away_devices_rest::check),
    safety("documents_are_true", documents_are_true::check),
    safety("statuses_are_true", statuses_are_true::check),
    safety("details_are_true", details_are_true::check),
    safety("drained_devices_rest", drained_devices_rest::check),
    safety(
        "devices_are_told_as_heard",
        devices_are_told_as_heard::check,
    ),
    safety("unsteady_devices_rest", unsteady_devices_rest::check),
    safety("ledger_closes", ledger_closes::check),
    liveness("every_job_ends", every_job_ends::check),
    liveness("every_submit_is_answered", every_submit_is_answered::check),
    liveness("ready_in_time", ready_in_time::check),
    safety("a_device_is_asked_first", a_device_is_asked_first::check),
    safety("back_offs_are_kept", back_offs_are_kept::check),
    liveness("calls_are_bounded", calls_are_bounded::check),
    liveness("cancels_are_answered", cancels_are_answered::check),
    liveness("news_comes_in_time", news_comes_in_time::check),
    liveness("no_place_idles", no_place_idles::check),
    safety("nobody_gives_up_early", nobody_gives_up_early::check),
    safety("refusals_are_true", refusals_are_true::check),
    safety("the_fenced_stop", the_fenced_stop::check),
    liveness("executions_are_bounded", executions_are_bounded::check),
    liveness("nothing_is_left_running", nothing_is_left_running::check),
];

const fn safety(name: &'static str, check: fn(&History) -> Vec<Breach>) -> Invariant {
    Invariant {
        name,
        kind: Kind::Safety,
        check,
    }
}

const fn liveness(name: &'static str, check: fn(&History) -> Vec<Breach>) -> Invariant {
    Invariant {
        name,
        kind: Kind::Liveness,
        check,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_history_breaks_nothing() {
        for invariant in ALL {
            assert_eq!(
                (invariant.check)(&sample::good()),
                [""; 0],
                "{}",
                invariant.name
            );
        }
    }

    #[test]
    fn an_empty_history_breaks_nothing() {
        for invariant in ALL {
            assert_eq!(
                (invariant.check)(&History::default()),
                [""; 0],
                "{}",
                invariant.name
            );
        }
    }
}
