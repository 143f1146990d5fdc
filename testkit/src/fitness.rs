//! Which devices could run a job, told by names alone and without the kernel's own rules.

use std::collections::{BTreeMap, BTreeSet};

use qrtx::ids::Sha256Sum;
use qrtx::job::spec::ProgramFormat;
use serde_json::Value;

use crate::history::{Device, Stored};

/// Why a job must not run on a device; `None` if it may.
pub(crate) fn misfit(stored: &Stored, id: &str, device: &Device) -> Option<String> {
    let target = stored.job.spec.target.as_str();
    let (family, requires) = target.split_once('?').unwrap_or((target, ""));
    if !is_of(family, id, &device.backend_type) {
        return Some(format!("was for {target}"));
    }
    for (key, wanted) in requires.split('&').filter_map(|part| part.split_once('=')) {
        let told = device.list(key);
        let has = match key {
            "qubits" => match told.iter().next().map(|told| told.parse::<u32>()) {
                Some(Ok(told)) => wanted.parse().is_ok_and(|wanted: u32| wanted <= told),
                _ => false,
            },
            "ops" => list(wanted).is_subset(&told),
            // The stem of a format's name is enough.
            _ => {
                let stem = |it: &str| it.split('_').next().map(str::to_owned);
                let has = |it: &String| told.iter().any(|told| stem(told) == stem(it));
                list(wanted).iter().all(has)
            }
        };
        if !has {
            return Some(format!("requires {key} {wanted}"));
        }
    }
    None
}

/// Operations of a circuit, of which a device lacks some.
pub(crate) fn missing(ops: &BTreeSet<String>, device: &Device) -> Option<String> {
    let missing: Vec<_> = ops.difference(&device.list("ops")).cloned().collect();
    (!missing.is_empty()).then(|| missing.join(","))
}

/// The operations of a job's program, if its language tells them.
pub(crate) fn program_ops(stored: &Stored) -> Option<BTreeSet<String>> {
    let format = stored.job.spec.format;
    let known = format == ProgramFormat::AqoJson;
    known.then(|| ops(&stored.artifacts, format.file_name()))?
}

/// The operations of the circuit that a job became, if it became one.
pub(crate) fn circuit_ops(stored: &Stored) -> Option<BTreeSet<String>> {
    let circuit = stored.job.circuit.as_ref()?;
    let file = circuit.format.file_name();
    // A kernel that was replaced may have put another in its place.
    let is_it = |content: &&Vec<u8>| Sha256Sum::of(content) == circuit.sha256;
    stored.artifacts.get(file).filter(is_it)?;
    ops(&stored.artifacts, file)
}

fn ops(artifacts: &BTreeMap<String, Vec<u8>>, file: &str) -> Option<BTreeSet<String>> {
    let document: Value = serde_json::from_slice(artifacts.get(file)?).ok()?;
    let each = document["operations"].as_array()?.iter();
    each.map(|it| it["op"].as_str().map(str::to_owned))
        .collect()
}

fn is_of(family: &str, id: &str, backend_type: &str) -> bool {
    match (family.strip_prefix("backend:"), family.strip_suffix('*')) {
        (Some(wanted), _) => wanted == backend_type,
        (None, Some(start)) => id.starts_with(start),
        (None, None) => id == family,
    }
}

fn list(text: &str) -> BTreeSet<String> {
    let names = text.split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

impl Device {
    fn list(&self, key: &str) -> BTreeSet<String> {
        self.capabilities
            .get(key)
            .map(|it| list(it))
            .unwrap_or_default()
    }
}
