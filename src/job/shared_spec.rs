//! A spec as a job, its first event and every stored head of it share it: what a store makes of
//! it is made once, because it never changes.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::job::key::Key;
use crate::job::spec::{JobSpec, Owner};

/// A spec that never changes. Clones share it.
#[derive(Clone)]
pub struct SharedSpec(Arc<Shared>);

struct Shared {
    spec: JobSpec,
    key: OnceLock<Option<Key>>,
    json: OnceLock<Box<RawValue>>,
}

impl SharedSpec {
    /// The client's key for the job in its scope, if it gave one.
    pub fn key(&self) -> Option<Key> {
        *self.0.key.get_or_init(|| {
            let Owner {
                tenant, project, ..
            } = &self.owner;
            let key = self.idempotency_key.as_ref();
            key.map(|key| Key::new(tenant, project, key))
        })
    }

    /// Keeps the JSON of the spec from now on, and writes that wherever the spec is written. For
    /// those alone that write it more than once: it is larger than the spec itself.
    pub(crate) fn encode_once(&self) {
        self.0
            .json
            .get_or_init(|| to_raw_value(&self.0.spec).expect("a spec has a JSON form"));
    }
}

impl From<JobSpec> for SharedSpec {
    fn from(spec: JobSpec) -> Self {
        Self(Arc::new(Shared {
            spec,
            key: OnceLock::new(),
            json: OnceLock::new(),
        }))
    }
}

impl Deref for SharedSpec {
    type Target = JobSpec;

    fn deref(&self) -> &JobSpec {
        &self.0.spec
    }
}

impl fmt::Debug for SharedSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.spec.fmt(f)
    }
}

impl PartialEq for SharedSpec {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.spec == other.0.spec
    }
}

impl Eq for SharedSpec {}

impl Serialize for SharedSpec {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.json.get() {
            Some(json) => json.serialize(to),
            None => self.0.spec.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for SharedSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        JobSpec::deserialize(from).map(Self::from)
    }
}
