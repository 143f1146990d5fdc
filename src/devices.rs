//! The device book: what the driver-manager told last, and how old that is. Pure data behind a lock; the kernel's poller fills it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use crate::ids::DeviceId;
use crate::job::event::OnUnknown;
use crate::job::target::Target;
use crate::limits::Limits;
use crate::planted::{Bug, planted};
use crate::ports::compiler::Capabilities;
use crate::ports::devices::{DeviceInfo, Hardware};
use crate::schedule::fit::{Profile, Want};
use crate::time::Timestamp;

/// What is known of the devices.
#[derive(Debug)]
pub struct Book {
    policy: Policy,
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
    problem: Option<String>,
    /// Devices that an operator lets take no new jobs, and the look at the store that told so.
    draining: BTreeSet<DeviceId>,
    draining_seen: u64,
    looks: u64,
}

#[derive(Debug, Clone)]
struct Page {
    info: DeviceInfo,
    /// Whether the driver-manager listed it the last time.
    listed: bool,
}

/// Why no job gets its turn on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The driver-manager was never reached; why, if it was tried.
    NeverReached(Option<String>),
    /// The driver-manager cannot be asked, for this reason.
    Unreachable(String),
    /// The driver-manager does not list the device any more.
    Gone,
    /// What the device says of itself.
    Hardware(Hardware),
    /// An operator lets it take no new jobs.
    Draining,
}

impl Obstacle {
    /// The obstacle on the way to `device` in one sentence for a person.
    pub fn sentence(&self, device: &str) -> String {
        match self {
            Self::NeverReached(None) => "the devices have not been asked yet".to_owned(),
            Self::NeverReached(Some(problem)) | Self::Unreachable(problem) => {
                format!("the devices cannot be asked: {problem}")
            }
            Self::Gone => format!("{device} is gone: the driver-manager does not list it any more"),
            Self::Hardware(hardware) => format!("{device} is {}", hardware.name()),
            Self::Draining => {
                format!("{device} is DRAINING until an operator says `qrtx undrain {device}`")
            }
        }
    }
}

/// Whether there is a device for what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// One that fits was listed at least once since start.
    Known,
    /// The driver-manager was reached and has never listed one that fits.
    Unknown,
    /// The driver-manager was never reached.
    NeverReached,
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
    /// Whether it takes jobs now.
    pub open: bool,
}

/// A device as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// What it said last.
    pub info: DeviceInfo,
    /// Whether an operator lets it take no new jobs.
    pub draining: bool,
}

impl Book {
    /// An empty book.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            pages: Mutex::default(),
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages
            .lock()
            .expect("no code panics while it holds the book")
    }

    /// The driver-manager listed its devices. One that is gone from the list is offline.
    pub fn listed(&self, devices: Vec<DeviceInfo>, at: Timestamp) {
        let mut pages = self.pages();
        for page in pages.devices.values_mut() {
            page.info.hardware = Hardware::Offline;
            page.listed = false;
        }
        for info in devices {
            let page = Page { info, listed: true };
            pages.devices.insert(page.info.id.clone(), page);
        }
        pages.as_of = Some(at);
        if !planted(Bug::DevicesStayLost) {
            pages.problem = None;
        }
    }

    /// The driver-manager could not be asked; until it can, no device takes jobs.
    pub fn lost(&self, problem: &str) {
        self.pages().problem = Some(problem.to_owned());
    }

    /// A device told its own status.
    pub fn heard(&self, device: &DeviceId, hardware: Hardware) {
        if let Some(page) = self.pages().devices.get_mut(device) {
            page.info.hardware = hardware;
        }
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
        page.is_none_or(|page| matches!(page.info.hardware, Hardware::Offline | Hardware::Error))
    }

    /// Whether there is a device for what is asked for.
    pub fn standing(&self, want: &Want) -> Standing {
        let pages = self.pages();
        if pages.fit(want).next().is_some() {
            Standing::Known
        } else if pages.as_of.is_some() {
            Standing::Unknown
        } else {
            Standing::NeverReached
        }
    }

    /// Why jobs that ask for this fail: no device that is known can run them, and this is what
    /// each of them lacks.
    pub fn unfit(&self, want: &Want) -> String {
        let pages = self.pages();
        let target = &want.target;
        let named = pages.named(target);
        let lack = named.filter_map(|page| {
            let lack = want.lacks(&page.profile())?;
            Some(format!("{} can not run it: {lack}", page.info.id))
        });
        let lacks: Vec<_> = lack.collect();
        if !lacks.is_empty() {
            return lacks.join("; ");
        }
        let known: Vec<_> = pages.devices.keys().map(DeviceId::as_str).collect();
        format!(
            "there is no device {target}; there are: {}",
            known.join(", ")
        )
    }

    /// What the device says it can do.
    pub fn capabilities(&self, device: &DeviceId) -> Option<Capabilities> {
        let pages = self.pages();
        let page = pages.devices.get(device);
        page.map(|page| page.profile().capabilities)
    }

    /// What a program may be compiled to for a target, in the order in which to try: what all
    /// its devices have in common, then what each has, as far as that is more. Empty if nothing
    /// is known of any.
    pub fn grounds(&self, target: &Target) -> Vec<Capabilities> {
        let pages = self.pages();
        let each = pages.named(target).map(|page| page.profile().capabilities);
        let each: BTreeSet<_> = each.collect();
        let common = Capabilities::common(&each);
        let more = each.into_iter();
        let more = more.filter(|one| common.as_ref().is_some_and(|common| common.ops != one.ops));
        let more: Vec<_> = more.collect();
        common.into_iter().chain(more).collect()
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

    /// Every known device, for the schedule.
    pub fn lanes(&self, limits: &Limits) -> Vec<Lane> {
        let pages = self.pages();
        let reachable = pages.problem.is_none();
        let lane = |page: &Page| Lane {
            device: page.info.id.clone(),
            profile: page.profile(),
            slots: self.slots(&page.info, limits),
            open: reachable
                && page.info.hardware == Hardware::Online
                && !pages.draining.contains(&page.info.id),
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
            draining: pages.draining.contains(&page.info.id),
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
    /// The devices that a target names.
    fn named(&self, target: &Target) -> impl Iterator<Item = &Page> {
        let pages = self.devices.values();
        pages.filter(move |page| target.names(&page.info.id, &page.info.backend_type))
    }

    /// The devices on which a job may run that asks for this.
    fn fit(&self, want: &Want) -> impl Iterator<Item = &Page> {
        let named = self.named(&want.target);
        named.filter(move |page| want.fits(&page.info.id, Some(&page.profile())))
    }

    fn out_of_reach(&self) -> Option<Obstacle> {
        match self.as_of {
            None => Some(Obstacle::NeverReached(self.problem.clone())),
            Some(_) => self.problem.clone().map(Obstacle::Unreachable),
        }
    }

    /// What is against a device beside that it may be out of reach.
    fn obstacles(&self, page: &Page) -> Vec<Obstacle> {
        let hardware = match page {
            Page { listed: false, .. } => Some(Obstacle::Gone),
            page if page.info.hardware == Hardware::Online => None,
            page => Some(Obstacle::Hardware(page.info.hardware)),
        };
        let draining = self.draining.contains(&page.info.id);
        let draining = draining.then_some(Obstacle::Draining);
        hardware.into_iter().chain(draining).collect()
    }
}

impl Page {
    fn profile(&self) -> Profile {
        Profile {
            backend_type: self.info.backend_type.clone(),
            capabilities: Capabilities::parse(&self.info.capabilities),
        }
    }
}
