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
    /// One that was listed since start fits, by what it told of itself.
    Known,
    /// The driver-manager was reached, and none that it ever listed fits.
    Unknown,
    /// The driver-manager was never reached.
    NeverReached,
}

/// Devices of which it is told what they lack, and devices that are named at all: the text lies in
/// events and answers.
const LACKS_TOLD: usize = 5;
const DEVICES_TOLD: usize = 20;

/// The first of many, and how many more there are; `None` if there are none.
fn listed(mut each: impl Iterator<Item = String>, most: usize, between: &str) -> Option<String> {
    let told: Vec<_> = each.by_ref().take(most).collect();
    let told = (!told.is_empty()).then(|| told.join(between))?;
    Some(match each.count() {
        0 => told,
        more => format!("{told}{between}and {more} more"),
    })
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
            let lack = want.lacks(&page.profile)?;
            Some(format!("{} can not run it: {lack}", page.info.id))
        });
        if let Some(lacks) = listed(lack, LACKS_TOLD, "; ") {
            return lacks;
        }
        let known = pages.devices.keys().map(ToString::to_string);
        let known = listed(known, DEVICES_TOLD, ", ").unwrap_or_else(|| "none".to_owned());
        match target {
            Target::Device(id) => format!("there is no device {id}; there are: {known}"),
            Target::Class(_) => {
                let target = target.as_str();
                format!("no device is meant by {target:?}; there are: {known}")
            }
        }
    }

    /// What the device says it can do.
    pub fn capabilities(&self, device: &DeviceId) -> Option<Capabilities> {
        let pages = self.pages();
        let page = pages.devices.get(device);
        page.map(|page| page.profile.capabilities.clone())
    }

    /// What a program may be compiled to for a target, in the order in which to try: what all of
    /// its devices have in common that have what it requires, then what each has, as far as that is
    /// more. Empty if nothing is known of any.
    pub fn grounds(&self, target: &Target) -> Vec<Capabilities> {
        let pages = self.pages();
        let any = Want::from(target.clone());
        let each = pages
            .fit(&any)
            .map(|page| page.profile.capabilities.clone());
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
        named.filter(move |page| want.fits(&page.info.id, Some(&page.profile)))
    }
}
