//! One life of a process. A kill ends it before anything of it is dropped: from then on its
//! ports do nothing, so that no destructor can have an effect that a real crash would not have.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::task::NodeId;
use qrtx::job::key::Key;
use qrtx::ports::store::KeyHolder;

use crate::chance::mix;

/// One life of the process on a node. Clones are the same life.
#[derive(Debug, Clone)]
pub struct Process(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    life: u32,
    node: NodeId,
    alive: AtomicBool,
    still: AtomicBool,
    chance: AtomicU64,
    /// For a planted mistake: keys that only this life knows.
    keys: Mutex<BTreeMap<Key, KeyHolder>>,
}

impl Process {
    /// A process that has just been started: life number `life` of the node of that name.
    pub fn start(name: &str, life: u32, node: NodeId, seed: u64) -> Self {
        let chance = mix(seed ^ mix(crate::chance::number_of(name) ^ u64::from(life)));
        Self(Arc::new(Inner {
            name: name.to_owned(),
            life,
            node,
            alive: AtomicBool::new(true),
            still: AtomicBool::new(false),
            chance: AtomicU64::new(chance),
            keys: Mutex::default(),
        }))
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The node it is on.
    pub fn node(&self) -> NodeId {
        self.0.node
    }

    /// Which life of its node this is, from 1.
    pub fn life(&self) -> u32 {
        self.0.life
    }

    /// Whether it lives.
    pub fn is_alive(&self) -> bool {
        self.0.alive.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub fn end(&self) {
        self.0.alive.store(false, Ordering::Relaxed);
    }

    /// Lets it stand still, or go on. Its node is paused besides; this is for the task that is
    /// running at this very moment.
    pub fn stand_still(&self, still: bool) {
        self.0.still.store(still, Ordering::Relaxed);
    }

    /// Returns at once while it lives and moves; when it moves again; and never when it is dead.
    pub async fn living(&self) {
        while self.0.still.load(Ordering::Relaxed) && self.is_alive() {
            madsim::time::sleep(Duration::from_millis(1)).await;
        }
        if !self.is_alive() {
            std::future::pending::<()>().await;
        }
    }

    /// Keeps a key for as long as this life lasts.
    pub fn remember(&self, key: Key, holder: KeyHolder) {
        self.0
            .keys
            .lock()
            .expect("no holder panics")
            .insert(key, holder);
    }

    /// A key that was kept in this life.
    pub fn remembered(&self, key: &Key) -> Option<KeyHolder> {
        self.0
            .keys
            .lock()
            .expect("no holder panics")
            .get(key)
            .copied()
    }

    /// Fills `bytes` with this process's own chance.
    pub fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let drawn = mix(self
                .0
                .chance
                .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed));
            chunk.copy_from_slice(&drawn.to_le_bytes()[..chunk.len()]);
        }
    }
}
