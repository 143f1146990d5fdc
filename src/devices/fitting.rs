//! Which of the known devices a job may run on, and what it is compiled for.

use std::collections::BTreeSet;

use super::{Book, Page, Pages};
use crate::ids::DeviceId;
use crate::job::target::Target;
use crate::planted::{Bug, planted};
use crate::ports::compiler::Capabilities;
use crate::schedule::fit::Want;

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

impl Book {
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
    /// its devices that have what it requires have in common, then what each has, as far as that is more. Empty if nothing
    /// is known of any.
    pub fn grounds(&self, target: &Target) -> Vec<Capabilities> {
        let pages = self.pages();
        let any = Want::from(target.clone());
        let each = pages.fit(&any).map(|page| page.profile().capabilities);
        let each: BTreeSet<_> = each.collect();
        let common = Capabilities::common(&each);
        let more = each.into_iter().filter(|one| {
            let is_more = common.as_ref().is_some_and(|common| common.ops != one.ops);
            is_more && !planted(Bug::CommonGroundOnly)
        });
        let more: Vec<_> = more.collect();
        common.into_iter().chain(more).collect()
    }
}

impl Pages {
    /// The devices that a target names.
    fn named(&self, target: &Target) -> impl Iterator<Item = &Page> {
        let pages = self.devices.values();
        pages.filter(move |page| target.names(&page.info.id, &page.info.backend_type))
    }

    /// The devices on which a job may run that asks for this.
    pub(super) fn fit(&self, want: &Want) -> impl Iterator<Item = &Page> {
        let named = self.named(&want.target);
        named.filter(move |page| want.fits(&page.info.id, Some(&page.profile())))
    }
}
