//! The name that a client gives a request, so that a repetition of it is the same job (D21).

use crate::ids::Sha256Sum;

/// An idempotency key in its scope, as the hash under which a store keeps it.
///
/// A change of the hash changes what is stored: the golden stores in `tests/` find that out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key([u8; 32]);

impl Key {
    /// A key of a tenant's project. Each part is told with its length, so that no two scopes run
    /// into one another.
    pub fn new(tenant: &str, project: &str, key: &str) -> Self {
        let parts = [tenant, project, key];
        let bytes: usize = parts.iter().map(|part| size_of::<u64>() + part.len()).sum();
        let mut text = Vec::with_capacity(bytes);
        for part in parts {
            text.extend((part.len() as u64).to_be_bytes());
            text.extend(part.as_bytes());
        }
        Self(Sha256Sum::of(&text).to_bytes())
    }

    /// The key as it is stored.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// What [`Key::to_bytes`] told.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_another_in_every_other_scope() {
        let scopes = [
            ("a", "b", "c"),
            ("ab", "", "c"),
            ("", "ab", "c"),
            ("a", "bc", ""),
            ("b", "a", "c"),
        ];
        let keys: std::collections::BTreeSet<_> = scopes
            .iter()
            .map(|(tenant, project, key)| Key::new(tenant, project, key))
            .collect();
        assert_eq!(keys.len(), scopes.len());
    }
}
