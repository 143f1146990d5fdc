//! What takes time, or cannot be done from inside the node that it is done to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use madsim::runtime::Handle;
use madsim::task::NodeId;
use madsim::time::sleep;
use tokio::sync::mpsc;

use super::{Brought, Nemesis};
use crate::scenario::{Act, Kill, When};
use crate::trace::Lane;

pub(super) enum Order {
    Kill(Kill),
    /// Another kernel beside the one that stands still, as this step says.
    Another(usize),
    /// A device goes away and comes back, as this step says.
    Flap(usize),
    /// A process that ended by itself is gone, with all that still runs of it.
    Gone(NodeId),
    Later(usize, Duration),
    End(usize, Duration),
}

/// The side of the nemesis that only the run itself may hold.
pub struct Orders(pub(super) mpsc::UnboundedReceiver<Order>);

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orders").finish_non_exhaustive()
    }
}

/// What the world does when it is told to.
#[derive(Clone)]
pub struct Hands {
    /// What a process on that node has lost when it comes back; `true` after a power failure.
    pub lost: Arc<dyn Fn(&str, bool) + Send + Sync>,
    /// Starts a kernel on a node of its own.
    pub another_kernel: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Hands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hands").finish_non_exhaustive()
    }
}

impl Nemesis {
    /// Takes orders until the run is over.
    pub async fn command(self, mut orders: Orders, hands: Hands) {
        for (number, step) in self.0.steps.iter().enumerate() {
            if let When::At(span) = step.when {
                self.order(Order::Later(number, span.0));
            }
        }
        while let Some(order) = orders.0.recv().await {
            let (me, hands) = (self.clone(), hands.clone());
            match order {
                Order::Kill(kill) => self.kill(kill, hands),
                Order::Another(number) => self.another(number, hands),
                Order::Flap(number) => self.flap(number),
                Order::Gone(node) => {
                    Handle::current().kill(node);
                    me.done();
                }
                Order::Later(number, span) => {
                    madsim::task::spawn(async move {
                        sleep(span).await;
                        me.act(number, None, &mut Brought::default());
                        me.done();
                    });
                }
                Order::End(number, span) => {
                    madsim::task::spawn(async move {
                        sleep(span).await;
                        me.undo(number);
                        me.done();
                    });
                }
            }
        }
    }

    fn kill(&self, kill: Kill, hands: Hands) {
        let me = self.clone();
        let node = self.state().nodes.get(&kill.node).copied();
        let node = node.expect("a process that can be killed is on a node");
        let handle = Handle::current();
        handle.kill(node);
        self.0.network.stall(&kill.node, false);
        madsim::task::spawn(async move {
            sleep(kill.down.0).await;
            (hands.lost)(&kill.node, kill.power);
            handle.restart(node);
            me.happened();
            me.done();
        });
    }

    fn flap(&self, number: usize) {
        let Act::Flap(flapping) = self.0.steps[number].act.clone() else {
            unreachable!("it is about a device that flaps");
        };
        let me = self.clone();
        madsim::task::spawn(async move {
            let mut left = flapping.lasts.0;
            let turns = [
                (Some(flapping.says), flapping.away.0),
                (None, flapping.back.0),
            ];
            for (says, span) in turns.into_iter().cycle() {
                if left.is_zero() {
                    break;
                }
                me.doubles().device_says(&flapping.id, says);
                me.happened();
                let span = span.min(left);
                sleep(span).await;
                left -= span;
            }
            me.undo(number);
            me.done();
        });
    }

    fn another(&self, number: usize, hands: Hands) {
        let (old, node) = {
            let state = self.state();
            (
                state.processes.get("kernel").cloned(),
                state.nodes.get("kernel").copied(),
            )
        };
        let me = self.clone();
        let lasts = self.pauses(number);
        // A supervisor needs a moment to notice.
        let notices = lasts / 4;
        madsim::task::spawn(async move {
            sleep(notices).await;
            (hands.another_kernel)();
            me.0.network.stall("kernel", false);
            sleep(lasts - notices).await;
            if let (Some(old), Some(node)) = (old, node) {
                me.0.trace.note(Lane::Fault, "the old kernel wakes up");
                old.stand_still(false);
                Handle::current().resume(node);
            }
            me.happened();
            me.done();
        });
    }
}
