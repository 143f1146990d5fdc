//! The device book: what the driver-manager told last, and how old that is. Pure data behind a lock; the kernel's poller fills it.

mod fitting;
mod status;
mod steadiness;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use crate::ids::DeviceId;
use crate::job::event::OnUnknown;
use crate::limits::Limits;
use crate::planted::{Bug, planted};
use crate::ports::devices::{DeviceInfo, Hardware};
use crate::schedule::fit::{Profile, Want};
use crate::time::{Moment, Monotonic, Timestamp};

pub use fitting::Standing;
pub use status::{Known, Obstacle, Status};
pub use steadiness::{Held, Patience, Steadiness};

/// What is known of the devices.
#[derive(Debug)]
pub struct Book {
    policy: Policy,
    patience: Patience,
    pages: Mutex<Pages>,
}

/// What the operator decided about devices.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// What to do when an outcome stays unknown; by `backend_type` for a device not in here.
    pub on_unknown_outcome: BTreeMap<DeviceId, OnUnknown>,
    /// Slots of a device; its own word, else a number by `backend_type`, for one not in here.
    pub slots: BTreeMap<DeviceId, u32>,
}

#[derive(Debug, Default)]
struct Pages {
    devices: BTreeMap<DeviceId, Page>,
    as_of: Option<Timestamp>,
    /// When the last list was asked for.
    list_asked: Option<Monotonic>,
    problem: Option<String>,
    /// When was asked what told last whether the driver-manager can be.
    reach_asked: Option<Monotonic>,
    /// Whether something was heard since the schedule was shown the lanes.
    has_news: bool,
    /// Devices that an operator lets take no new jobs, and the look at the store that told so.
    draining: BTreeSet<DeviceId>,
    draining_seen: u64,
    looks: u64,
}

#[derive(Debug, Clone)]
struct Page {
    info: DeviceInfo,
    /// What it is and can do, by all that it ever told: what it leaves out stands as it was.
    profile: Profile,
    /// When it said so.
    heard_at: Timestamp,
    /// When it was asked what it said then.
    asked: Monotonic,
    /// Whether the driver-manager listed it the last time.
    listed: bool,
    steadiness: Steadiness,
}

/// A device as the schedule needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Which.
    pub device: DeviceId,
    /// What it is and can do.
    pub profile: Profile,
    /// Jobs it may run at a time.
    pub slots: u32,
    /// How it stands: it takes jobs if it is ONLINE.
    pub status: Status,
    /// How often it was lost since start.
    pub lost_times: u64,
}

/// A device as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// What it said last.
    pub info: DeviceInfo,
    /// When.
    pub heard_at: Timestamp,
    /// Whether an operator lets it take no new jobs.
    pub draining: bool,
    /// Everything that keeps work from it.
    pub obstacles: Vec<Obstacle>,
}

impl Shown {
    /// How it stands, in one word.
    pub fn status(&self) -> Status {
        Status::of(&self.obstacles)
    }
}

impl Book {
    /// An empty book.
    pub fn new(policy: Policy, patience: Patience) -> Self {
        Self {
            policy,
            patience,
            pages: Mutex::default(),
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages
            .lock()
            .expect("no code panics while it holds the book")
    }

    /// The driver-manager listed its devices, when it was asked to at `asked`. One that is gone from
    /// the list is offline. What a device has said since is newer, whichever word came first; so is
    /// a list that was asked for later.
    pub fn listed(&self, devices: Vec<DeviceInfo>, asked: Monotonic, at: Moment) {
        let mut pages = self.pages();
        if pages.list_asked.is_some_and(|last| asked < last) {
            return;
        }
        pages.list_asked = Some(asked);
        pages.has_news = true;
        let named = devices.into_iter().map(|info| (info.id.clone(), info));
        let mut listed: BTreeMap<_, _> = named.collect();
        for (id, page) in &mut pages.devices {
            page.listed = listed.contains_key(id) || planted(Bug::GoneCountsAsThere);
            let said = page.info.hardware;
            let told = match listed.remove(id) {
                Some(info) => {
                    let told = info.hardware;
                    page.profile.hear(&info.backend_type, &info.capabilities);
                    page.info = info;
                    told
                }
                None if planted(Bug::GoneCountsAsThere) => said,
                None => Hardware::Offline,
            };
            page.info.hardware = said;
            page.hear(told, asked, at);
        }
        let new = listed.into_iter().map(|(id, info)| {
            let mut profile = Profile::default();
            profile.hear(&info.backend_type, &info.capabilities);
            let page = Page {
                info,
                profile,
                heard_at: at.wall,
                asked,
                listed: true,
                steadiness: Steadiness::default(),
            };
            (id, page)
        });
        pages.devices.extend(new);
        for page in pages.devices.values_mut() {
            let hardware = page.info.hardware;
            page.steadiness.hear(hardware, at, self.patience);
        }
        pages.as_of = Some(at.wall);
        if pages.is_news_of_reach(asked) && !planted(Bug::DevicesStayLost) {
            pages.problem = None;
        }
    }

    /// The driver-manager could not be asked at `asked`; until it can, no device takes jobs. That is
    /// no news if something that was asked for later has told by then.
    pub fn lost(&self, problem: &str, asked: Monotonic) {
        let mut pages = self.pages();
        if planted(Bug::UnreachableCountsAsThere) || !pages.is_news_of_reach(asked) {
            return;
        }
        pages.has_news |= pages.problem.is_none();
        pages.problem = Some(problem.to_owned());
    }

    /// A device told its own status, when it was asked at `asked`.
    pub fn heard(&self, device: &DeviceId, hardware: Hardware, asked: Monotonic, at: Moment) {
        let mut pages = self.pages();
        if let Some(page) = pages.devices.get_mut(device) {
            let before = page.info.hardware;
            page.hear(hardware, asked, at);
            page.steadiness.hear(page.info.hardware, at, self.patience);
            pages.has_news |= page.info.hardware != before;
        }
    }

    /// When the first of the devices that are held back may work again, if they stay; without another
    /// word from anybody.
    pub fn next_release(&self) -> Option<Monotonic> {
        let pages = self.pages();
        let held = pages
            .devices
            .values()
            .filter_map(|page| page.steadiness.held());
        held.map(|held| held.ends).min()
    }

    /// Whether something was heard that [`Book::lanes`] has not told yet.
    pub fn has_news(&self) -> bool {
        self.pages().has_news
    }

    /// Numbers a look at the store for the devices that are draining.
    pub fn look(&self) -> u64 {
        let mut pages = self.pages();
        pages.looks += 1;
        pages.looks
    }

    /// What such a look saw. What a later one has seen stands.
    pub fn set_draining(&self, look: u64, devices: BTreeSet<DeviceId>) {
        let mut pages = self.pages();
        if look > pages.draining_seen {
            pages.draining_seen = look;
            pages.draining = devices;
        }
    }

    /// Whether an operator lets `device` take no new jobs.
    pub fn is_draining(&self, device: &DeviceId) -> bool {
        self.pages().draining.contains(device)
    }

    /// Whether a device was away or broken when the driver-manager was last asked.
    pub fn is_lost(&self, device: &DeviceId) -> bool {
        let pages = self.pages();
        let page = pages.devices.get(device);
        page.is_none_or(|page| steadiness::is_lost(page.info.hardware))
    }

    /// What to do when the outcome of an execution on `device` stays unknown.
    pub fn on_unknown(&self, device: &DeviceId) -> OnUnknown {
        let declared = self.policy.on_unknown_outcome.get(device).copied();
        declared.unwrap_or_else(|| {
            let pages = self.pages();
            match pages.devices.get(device) {
                Some(page) if page.info.backend_type == "simulator" => OnUnknown::Rerun,
                _ if planted(Bug::PaidRunsAgain) => OnUnknown::Rerun,
                _ => OnUnknown::Fail,
            }
        })
    }

    /// Every known device, for the schedule, as it stands at `now`.
    pub fn lanes(&self, limits: &Limits, now: Monotonic) -> Vec<Lane> {
        let mut pages = self.pages();
        pages.has_news = false;
        for page in pages.devices.values_mut() {
            page.steadiness.look(now);
        }
        let lane = |page: &Page| Lane {
            device: page.info.id.clone(),
            profile: page.profile.clone(),
            slots: self.slots(&page.info, limits),
            status: Status::of(&pages.known(page).obstacles()),
            lost_times: page.steadiness.lost_times(),
        };
        pages.devices.values().map(lane).collect()
    }

    fn slots(&self, info: &DeviceInfo, limits: &Limits) -> u32 {
        let told = || {
            info.capabilities
                .get("slots")
                .and_then(|slots| slots.trim().parse().ok())
        };
        let usual = || match info.backend_type.as_str() {
            "simulator" => limits.simulator_slots,
            _ => limits.device_slots,
        };
        self.policy
            .slots
            .get(&info.id)
            .copied()
            .or_else(told)
            .unwrap_or_else(usual)
            .max(1)
    }

    /// Every known device, when the list was made, and why it cannot be renewed.
    pub fn show(&self) -> (Vec<Shown>, Option<Timestamp>, Option<String>) {
        let pages = self.pages();
        let shown = |page: &Page| Shown {
            info: page.info.clone(),
            heard_at: page.heard_at,
            draining: pages.draining.contains(&page.info.id),
            obstacles: pages.known(page).obstacles(),
        };
        (
            pages.devices.values().map(shown).collect(),
            pages.as_of,
            pages.problem.clone(),
        )
    }

    /// What keeps jobs from their turn on each of the devices that fit; with nothing against it,
    /// a device takes them.
    pub fn obstacles(&self, want: &Want) -> Vec<(DeviceId, Vec<Obstacle>)> {
        let pages = self.pages();
        let fit = pages.fit(want);
        fit.map(|page| (page.info.id.clone(), pages.obstacles(page)))
            .collect()
    }

    /// Why nothing at all can be told of devices, or asked of them, now.
    pub fn out_of_reach(&self) -> Option<Obstacle> {
        self.pages().out_of_reach()
    }

    /// One sentence on why no job that asks for this has its turn, for a person.
    pub fn why_waiting(&self, want: &Want) -> Option<String> {
        if let Some(obstacle) = self.out_of_reach() {
            return Some(obstacle.sentence(""));
        }
        let obstacles = self.obstacles(want);
        let sentences = obstacles.iter().map(|(device, obstacles)| {
            let first = obstacles.first()?;
            Some(first.sentence(device.as_str()))
        });
        // One that takes jobs is enough.
        let sentences: Vec<_> = sentences.collect::<Option<_>>()?;
        (!sentences.is_empty()).then(|| sentences.join("; "))
    }
}

impl Pages {
    /// Whether nothing that was asked for later has told yet whether the driver-manager can be asked.
    fn is_news_of_reach(&mut self, asked: Monotonic) -> bool {
        let is_news = self.reach_asked.is_none_or(|last| last <= asked);
        if is_news {
            self.reach_asked = Some(asked);
        }
        is_news
    }

    fn out_of_reach(&self) -> Option<Obstacle> {
        match self.as_of {
            None => Some(Obstacle::NeverReached(self.problem.clone())),
            Some(_) => self.problem.clone().map(Obstacle::Unreachable),
        }
    }

    /// What is known of a device.
    fn known(&self, page: &Page) -> Known {
        let draining = self.draining.contains(&page.info.id);
        Known {
            out_of_reach: self.out_of_reach(),
            listed: page.listed,
            hardware: page.info.hardware,
            held: page.steadiness.held(),
            draining: draining && !planted(Bug::DrainingIsIgnored),
        }
    }

    /// What is against a device beside that it may be out of reach.
    fn obstacles(&self, page: &Page) -> Vec<Obstacle> {
        let known = Known {
            out_of_reach: None,
            ..self.known(page)
        };
        known.obstacles()
    }
}

impl Page {
    /// An answer that was asked for before the last one is old, however late it comes.
    fn hear(&mut self, hardware: Hardware, asked: Monotonic, at: Moment) {
        if asked >= self.asked || planted(Bug::OldWordsHold) {
            (self.info.hardware, self.heard_at, self.asked) = (hardware, at.wall, asked);
        }
    }
}

#[cfg(test)]
mod tests;
