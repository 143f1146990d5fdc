//! What a tombstone is for: it proves that nothing ran, and sees to it that nothing will.

use crate::cli::conformance::contract::{Finding, Subject, broken, fate, kept};
use crate::ids::ExecutionId;
use crate::ports::devices::Fate;
use crate::ports::{Clock, Devices};

impl<D: Devices, C: Clock> Subject<'_, D, C> {
    /// Buries one that has not arrived, and sends it after an older one of its job.
    pub(super) async fn tombstones(&self, buried: ExecutionId, older: ExecutionId) -> [Finding; 4] {
        [
            self.buries(buried).await,
            self.tells_of_a_tombstone(buried).await,
            // Before the buried one is sent: its token must be known by the tombstone alone.
            self.refuses(older, "refuses what is older than a tombstone")
                .await,
            self.refuses(buried, "refuses what is buried").await,
        ]
    }

    /// Twice: to repeat it must be safe.
    async fn buries(&self, id: ExecutionId) -> Finding {
        let rule = "buries what has not arrived";
        for _ in 0..2 {
            let told = match self.stop(id).await {
                Ok(told) => told,
                Err(why) => return broken(rule, why),
            };
            let Fate::Cancelled {
                shots_used: 0,
                never_started: true,
            } = told.fate
            else {
                return broken(rule, fate(&told.fate));
            };
            // Never started is half of the proof that no shot was fired, and this is the other.
            if let Err(why) = self.is_from_before(told.remembers_since) {
                return broken(rule, format!("nothing is proved by it: {why}"));
            }
        }
        kept(rule, "CANCELLED, never started, twice")
    }

    async fn tells_of_a_tombstone(&self, id: ExecutionId) -> Finding {
        let rule = "tells of a tombstone";
        match self.inspect(id).await.map(|told| told.fate) {
            Ok(Fate::Cancelled { .. }) => kept(rule, "CANCELLED, when it is asked"),
            Ok(other) => broken(rule, fate(&other)),
            Err(why) => broken(rule, why),
        }
    }
}
