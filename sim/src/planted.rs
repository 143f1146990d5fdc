//! Mistakes that are planted to measure what is found. Most are in the kernel (`qrtx::planted`);
//! those of an adapter between the kernel and its store are here.

/// A mistake of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// A submit is acknowledged before it is written.
    AckBeforeWrite,
    /// The store takes appends of a kernel that another one has replaced.
    StaleEpochAccepted,
    /// Which keys are taken is known only until the kernel ends.
    KeysInMemoryOnly,
}

const OURS: [(&str, Planted); 3] = [
    ("ack-before-write", Planted::AckBeforeWrite),
    ("stale-epoch-accepted", Planted::StaleEpochAccepted),
    ("keys-in-memory-only", Planted::KeysInMemoryOnly),
];

/// The names of all mistakes that can be planted, the canary first: it is found at once, or the
/// simulation finds nothing.
pub fn all() -> Vec<&'static str> {
    let kernels = qrtx::planted::Bug::ALL.iter().map(|(name, _)| *name);
    let mut all: Vec<_> = [CANARY]
        .into_iter()
        .chain(kernels.filter(|name| *name != CANARY))
        .collect();
    all.extend(OURS.map(|(name, _)| name));
    all
}

/// The mistake that CI plants in every run of the gate.
pub const CANARY: &str = "results-later";

/// Mistakes that change nothing that can be seen, and why.
pub const EQUIVALENT: [(&str, &str); 0] = [];

#[cfg(madsim)]
static PLANTED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(usize::MAX);

/// Whether a mistake of an adapter is planted.
#[cfg(madsim)]
pub fn planted(which: Planted) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) == which as usize
}

/// Plants a mistake in this process; says whether there is one of that name.
#[cfg(madsim)]
pub fn plant(name: &str) -> bool {
    if let Some((_, bug)) = qrtx::planted::Bug::ALL
        .iter()
        .find(|(known, _)| *known == name)
    {
        qrtx::planted::plant(*bug);
        return true;
    }
    let ours = OURS.into_iter().find(|(known, _)| *known == name);
    ours.inspect(|(_, bug)| PLANTED.store(*bug as usize, std::sync::atomic::Ordering::Relaxed))
        .is_some()
}

/// Takes out what is planted in this process.
#[cfg(madsim)]
pub fn weed() {
    qrtx::planted::weed();
    PLANTED.store(usize::MAX, std::sync::atomic::Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = all().into_iter().collect();
        assert_eq!(names.len(), qrtx::planted::Bug::ALL.len() + OURS.len());
        assert!(names.contains(CANARY));
    }
}
