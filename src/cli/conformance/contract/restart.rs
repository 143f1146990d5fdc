//! What a restart of the driver must not lose.

use crate::cli::conformance::contract::{Before, Finding, Subject, broken, fate, kept, open};
use crate::ports::devices::Fate;
use crate::ports::{Clock, Devices};

impl<D: Devices, C: Clock> Subject<'_, D, C> {
    /// What must hold after the restart.
    pub(in crate::cli::conformance) async fn after_restart(&self, before: &Before) -> Vec<Finding> {
        let remembers = self.remembers(before).await;
        let (again, fenced) = (
            "runs an execution once, across the restart",
            "refuses a token older than one before the restart",
        );
        let [again, fenced] = match remembers.1 {
            Memory::Kept => [
                self.runs_once(again, before.ran, &before.counts).await,
                self.refuses(before.stale, fenced).await,
            ],
            // What it does not remember it may run, and shots may be worth money.
            Memory::Gone => [again, fenced].map(|rule| {
                let why = "not tried: it does not say that it remembers that time";
                open(rule, why)
            }),
        };
        // A tombstone is kept with its token, whatever else is forgotten; and before the buried one
        // is sent nothing but the tombstone tells that token.
        let older = "refuses what is older than a tombstone from before";
        let older = self.refuses(before.fenced, older).await;
        let buried = "refuses what was buried before the restart";
        let buried = self.refuses(before.buried, buried).await;
        vec![remembers.0, again, older, buried, fenced]
    }

    /// It may forget what it ran, but not pretend that it did not.
    async fn remembers(&self, before: &Before) -> (Finding, Memory) {
        let rule = "remembers, or says that it has forgotten";
        let told = match self.inspect(before.ran).await {
            Ok(told) => told,
            Err(why) => return (broken(rule, why), Memory::Gone),
        };
        let finding = match (&told.fate, told.remembers_since) {
            (Fate::Done(result), _) if result.counts == before.counts => {
                let same = "DONE, with the counts that it answered before";
                return (kept(rule, same), Memory::Kept);
            }
            (Fate::NotFound, Some(since)) if since > before.at => {
                kept(rule, "NOT_FOUND, and it remembers only what came later")
            }
            (Fate::NotFound, _) => broken(
                rule,
                "NOT_FOUND, but it claims to remember that time: shots would be bought twice",
            ),
            (other, _) => broken(rule, fate(other)),
        };
        (finding, Memory::Gone)
    }
}

/// Whether it still knows what ran before the restart.
enum Memory {
    Kept,
    Gone,
}
