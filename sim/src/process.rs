//! One life of a process. A kill ends it before anything of it is dropped: from then on its
//! ports do nothing, so that no destructor can have an effect that a real crash would not have.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One life of the process on a node. Clones are the same life.
#[derive(Debug, Clone)]
pub struct Process {
    name: Arc<str>,
    alive: Arc<AtomicBool>,
}

impl Process {
    /// A process that has just been started on the node of that name.
    pub fn start(name: &str) -> Self {
        Self {
            name: name.into(),
            alive: Arc::new(AtomicBool::new(true)),
        }
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it lives.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub fn end(&self) {
        self.alive.store(false, Ordering::Relaxed);
    }

    /// Returns at once while it lives, and never after.
    pub async fn living(&self) {
        if !self.is_alive() {
            std::future::pending::<()>().await;
        }
    }
}
