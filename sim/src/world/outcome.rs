//! What is left of a run when it is over: the history that is held against the kernel.

use std::collections::BTreeMap;
use std::time::Duration;

use madsim::runtime::Handle;
use qrtx::ports::JobStore as _;
use qrtx::ports::store::Filter;
use qrtx_testkit::history::{Asked, Committed, Device, History, Start, Stored};

use super::World;
use super::clock::BEFORE_START;
use super::jobs::on;
use super::troubles::Troubles;
use crate::record::CallRecord;
use crate::verdict::Outcome;

impl World {
    pub(super) async fn outcome(&self, ended: Duration) -> Outcome {
        let left = self.kept.jobs.left();
        let all = Filter::default();
        let (mut listed, mut next) = (Vec::new(), Some(u64::MAX));
        let mut damaged = Vec::new();
        while let Some(below) = next {
            let page = on!(&left, jobs => jobs.list(&all, below, usize::MAX).await);
            let page = page.expect("what is left can be listed");
            listed.extend(page.jobs);
            let unreadable = page.unreadable.into_iter();
            damaged.extend(unreadable.map(|job| format!("the head of {job} is damaged")));
            next = page.next;
        }
        let mut history = self.history(ended);
        history.damaged = damaged;
        let reservations = on!(&left, jobs => jobs.reservations().await);
        history.reservations = reservations.expect("what is left can be listed");
        // Also of jobs of which nothing is left.
        let commits = self.trace.records().commits.clone();
        let named = commits.iter();
        let mut ordinals: BTreeMap<_, _> = named
            .filter_map(|commit| Some((commit.job, commit.ordinal?)))
            .collect();
        for head in listed {
            let job = on!(&left, jobs => jobs.job(head.id).await);
            let events = on!(&left, jobs => jobs.events(head.id, 0, usize::MAX).await);
            // What cannot be read is not there, whoever was told of it.
            let (job, events) = match (job, events) {
                (Ok(Some(job)), Ok(events)) => (job, events),
                (job, events) => {
                    let why = job.err().or(events.err());
                    let why =
                        why.map_or_else(|| format!("{} is gone", head.id), |why| why.to_string());
                    history.damaged.push(why);
                    continue;
                }
            };
            let artifacts = self.kept.qfs.of(job.id);
            let at_completion = self.kept.qfs.at_completion(job.id);
            let before_manifest = self.kept.qfs.before_manifest(job.id);
            ordinals.extend(self.nemesis.ordinal(job.id).map(|n| (job.id, n)));
            history.stored.insert(
                job.id,
                Stored {
                    job,
                    events,
                    artifacts,
                    at_completion,
                    before_manifest,
                },
            );
        }
        self.trace.close();
        Outcome {
            lines: self.trace.taken(),
            records: std::mem::take(&mut *self.trace.records()),
            history,
            ordinals,
            unfired: self.nemesis.unfired(),
            stopped: self.stopped.lock().expect("no holder panics").clone(),
            broke: None,
            disk: self.kept.jobs.sum(),
            ended,
        }
    }

    /// All but what is stored.
    fn history(&self, ended: Duration) -> History {
        let records = self.trace.records();
        let committed = records.commits.iter().filter(|commit| commit.written);
        let troubles = Troubles::of(&self.scenario, &self.settings.limits, &records);
        // An answer that cannot be read is none.
        let garbage = troubles.garbled();
        let garbled =
            |call: &CallRecord| garbage && call.end == "Ok" && call.method == "ExecuteCircuit";
        let asked = records.calls.iter().filter(|call| call.from == "kernel");
        let devices = self.scenario.devices.iter();
        // A kernel that was replaced may have tried to store a job under an id that never was.
        let (written, tried): (Vec<_>, Vec<_>) =
            records.commits.iter().partition(|commit| commit.written);
        let named = tried.into_iter().chain(written);
        let ids: BTreeMap<_, _> = named
            .filter_map(|commit| Some((commit.ordinal?, commit.job)))
            .collect();
        let mut runs = self.doubles.driver.runs();
        for run in &mut runs {
            // Devices are measured with the run's own time, as everything else here.
            run.started.0 = run.started.0.saturating_sub(BEFORE_START);
            if let Some(ended) = &mut run.ended {
                ended.0 = ended.0.saturating_sub(BEFORE_START);
            }
        }
        History {
            told: self.heard.lock().expect("no holder panics").clone(),
            runs,
            reserving: !self.scenario.reservations.is_empty(),
            promises: self
                .slots
                .promises(&self.scenario, ended, |device| troubles.lost(device)),
            slots: devices
                .map(|device| (device.id.clone(), device.slots as usize))
                .collect(),
            devices: self
                .doubles
                .driver
                .devices()
                .into_iter()
                .map(|(id, told)| {
                    let backend_type = told.backend_type;
                    let capabilities = told.capabilities.into_iter().collect();
                    (
                        id,
                        Device {
                            backend_type,
                            capabilities,
                        },
                    )
                })
                .collect(),
            stored: BTreeMap::new(),
            reservations: Vec::new(),
            committed: committed
                .map(|commit| Committed {
                    confirmed: commit.confirmed,
                    at: commit.at,
                    job: commit.job,
                    seq: commit.seq,
                    events: commit.events.clone(),
                    state: commit.state,
                })
                .collect(),
            turns: records.turns.clone(),
            given: records.given.values().cloned().collect(),
            words: records.words.clone(),
            looks: records.looks.clone(),
            drained: records.drained.clone(),
            asked: asked
                .map(|call| Asked {
                    at: call.sent,
                    whom: call.to.clone(),
                    what: call.method.clone(),
                    job: call.job.and_then(|job| ids.get(&job).copied()),
                    life: call.life,
                    ended: call.ended,
                    end: match garbled(call) {
                        true => "garbled".to_owned(),
                        false => call.end.clone(),
                    },
                })
                .collect(),
            passed: self.doubles.passed(),
            taken: self.kept.qfs.taken(),
            damaged: Vec::new(),
            unreadable: self.doubles.driver.unreadable(),
            paid: self
                .scenario
                .devices
                .iter()
                .filter(|device| device.backend_type != "simulator")
                .map(|device| device.id.clone())
                .collect(),
            made: self.doubles.compiler.made().into_iter().collect(),
            wall_moved: troubles.wall_moved(),
            broke_off: troubles.broke_off(),
            pauses: troubles.pauses(),
            stood_still: troubles.stood_still(),
            unwatched: self
                .scenario
                .planned()
                .iter()
                .filter(|planned| planned.plan.unwatched)
                .filter_map(|planned| ids.get(&planned.ordinal).copied())
                .collect(),
            unanswered: records
                .submitting
                .iter()
                .map(|(client, job)| format!("job {job} of {client}"))
                .collect(),
            refused: records.refused.clone(),
            cancels: records.cancels.clone(),
            fenced: records.fenced.clone(),
            away: troubles.away(),
            troubles: troubles.beyond_neighbours(),
            kernel_troubles: troubles.of_kernels(),
            epochs: records.epochs.iter().map(|(at, _)| *at).collect(),
            driver_was_well: troubles.driver_was_well(),
            submits: records
                .calls
                .iter()
                .filter(|call| call.method == "EnqueueJob")
                .filter_map(|call| {
                    let answered = call.left.filter(|_| call.end == "Ok");
                    Some((call.arrived?, answered.unwrap_or(Duration::MAX)))
                })
                .collect(),
            starts: records
                .lives
                .iter()
                .filter(|life| life.node == "kernel")
                .map(|life| Start {
                    at: life.began,
                    ready: life.ready,
                    ended: life.ended,
                })
                .collect(),
            store_troubles: troubles.of_store(),
            left_running: left_running(&troubles),
            calm_until: troubles.first().unwrap_or(ended),
            last_fault: self.nemesis.last_fault(),
            ended,
            limits: self.settings.limits.clone(),
            askable: self.scenario.askable,
        }
    }
}

/// Tasks of the kernel that are left; where several were on several nodes, nobody can tell.
fn left_running(troubles: &Troubles<'_>) -> usize {
    if troubles.was_replaced() {
        return 0;
    }
    let tasks = Handle::current().metrics().num_tasks_by_node();
    tasks.get("kernel").copied().unwrap_or_default()
}
