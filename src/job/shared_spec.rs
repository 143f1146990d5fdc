//! A spec as a job and its first event share it: what is made of it is made once, because it never
//! changes.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::job::key::Key;
use crate::job::spec::{JobSpec, Owner};

/// A spec that never changes. Clones share it.
#[derive(Clone)]
pub struct SharedSpec(Arc<Shared>);

struct Shared {
    spec: JobSpec,
    key: OnceLock<Option<Key>>,
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
}

impl From<JobSpec> for SharedSpec {
    fn from(spec: JobSpec) -> Self {
        Self(Arc::new(Shared {
            spec,
            key: OnceLock::new(),
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
        self.0.spec.serialize(to)
    }
}

impl<'de> Deserialize<'de> for SharedSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        JobSpec::deserialize(from).map(Self::from)
    }
}
