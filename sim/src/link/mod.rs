//! The simulated network: carries real, encoded gRPC calls between nodes.
//!
//! What is on its way does not die with its sender: each call is carried by a task of the
//! network's own node. A cut swallows what is sent until it is mended, and tells nobody; a peer
//! that dies breaks its connections; where nobody listens, connecting is refused. The three look
//! different to a caller, as they do on real sockets, because the kernel decides by it whether
//! shots were paid for (D18).
//!
//! Not here: flow control, GOAWAY, and request streams, which no contract of ours has.

mod caller;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;
use madsim::runtime::NodeHandle;
use madsim::time::{sleep, timeout};
use qrtx::grpc::Channel;
use tokio::sync::{Notify, mpsc, oneshot};
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service as _;

use self::caller::Link;
use crate::process::Process;
use crate::trace::{Lane, Trace};

/// As in production: longer than this no connection is waited for.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// As in production: a peer that is silent for a ping and its answer is given up.
const SILENCE_MAX: Duration = Duration::from_secs(40);
/// The fastest packet, and what the slowest takes longer.
const LATENCY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(2));

type Head = http::Response<()>;
type Frames = mpsc::UnboundedReceiver<Result<Frame<Bytes>, Status>>;

/// The network. Clones are the same one.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    seed: u64,
    trace: Trace,
    wires: NodeHandle,
    describe: Box<dyn Fn(&http::HeaderMap) -> String + Send + Sync>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    listeners: BTreeMap<String, Listener>,
    /// Directions in which nothing arrives, and since when.
    cuts: BTreeMap<(String, String), Duration>,
    /// Directions in which the next answer is lost.
    losing: Vec<(String, String)>,
    packets: BTreeMap<(String, String), u64>,
    calls: u64,
    lives: u64,
}

struct Listener {
    life: u64,
    calls: mpsc::UnboundedSender<Incoming>,
}

/// A call that has arrived.
struct Incoming {
    call: u64,
    request: http::Request<Bytes>,
    answer: oneshot::Sender<(Head, Frames)>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

impl Network {
    /// A network on which `wires` is the node whose tasks carry the calls; `describe` says for
    /// the trace whom a request with these headers is for.
    pub fn new(
        seed: u64,
        trace: Trace,
        wires: NodeHandle,
        describe: impl Fn(&http::HeaderMap) -> String + Send + Sync + 'static,
    ) -> Self {
        let (state, changed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Inner {
            seed,
            trace,
            wires,
            describe: Box::new(describe),
            state,
            changed,
        }))
    }

    /// A connection of `from` to whoever listens as `to`; it is made when it is first needed.
    pub fn channel(&self, from: &Process, to: &str) -> Channel {
        let (net, from, connected) = (self.clone(), from.clone(), Arc::default());
        Channel::new(Link {
            net,
            from,
            to: to.into(),
            connected,
        })
    }

    /// Serves `routes` for the process `me`, which must be the one that calls. Handlers run on
    /// its node, and die with it.
    pub async fn serve(&self, me: Process, routes: Routes) {
        let (calls, mut arriving) = mpsc::unbounded_channel();
        {
            let mut state = self.state();
            state.lives += 1;
            let listener = Listener {
                life: state.lives,
                calls,
            };
            state.listeners.insert(me.name().to_owned(), listener);
        }
        while let Some(incoming) = arriving.recv().await {
            me.living().await;
            madsim::task::spawn(self.clone().handle(me.clone(), routes.clone(), incoming));
        }
    }

    /// Nobody listens there any more, and whoever is connected will notice.
    pub fn close(&self, name: &str) {
        self.state().listeners.remove(name);
    }

    /// From now on nothing arrives in this direction.
    pub fn cut(&self, from: &str, to: &str) {
        let since = self.0.trace.now();
        self.state()
            .cuts
            .entry((from.to_owned(), to.to_owned()))
            .or_insert(since);
        self.0.changed.notify_waiters();
    }

    /// Everything arrives again.
    pub fn heal(&self) {
        self.state().cuts.clear();
        self.0.changed.notify_waiters();
    }

    /// Loses the next answer in this direction.
    pub fn lose_answer(&self, from: &str, to: &str) {
        self.state().losing.push((from.to_owned(), to.to_owned()));
    }

    /// Answers that were to be lost, and never came.
    pub fn not_lost(&self) -> usize {
        self.state().losing.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no holder panics")
    }

    fn note(&self, call: u64, what: fmt::Arguments<'_>) {
        self.0.trace.note(Lane::Wire, format!("#{call} {what}"));
    }

    fn cut_since(&self, from: &str, to: &str) -> Option<Duration> {
        self.state()
            .cuts
            .get(&(from.to_owned(), to.to_owned()))
            .copied()
    }

    /// One packet on its way: it takes its time, and waits for as long as the way is cut.
    async fn travel(&self, from: &str, to: &str) {
        sleep(self.latency(from, to)).await;
        loop {
            let changed = self.0.changed.notified();
            if self.cut_since(from, to).is_none() {
                return;
            }
            changed.await;
            sleep(self.latency(from, to)).await;
        }
    }

    /// What the next packet in this direction takes: a function of the seed, the direction and
    /// the packet's number, so that a fault elsewhere does not change it.
    fn latency(&self, from: &str, to: &str) -> Duration {
        let number = {
            let mut state = self.state();
            let number = state
                .packets
                .entry((from.to_owned(), to.to_owned()))
                .or_default();
            *number += 1;
            *number
        };
        let name = qrtx::ids::Sha256Sum::of(format!("{from}>{to}").as_bytes()).prefix();
        let chance = mix(self.0.seed ^ mix(name ^ mix(number)));
        let more = u64::try_from(LATENCY.1.as_nanos()).expect("a short span");
        LATENCY.0 + Duration::from_nanos(chance % more)
    }

    /// Returns when nothing has been heard between the two for too long.
    async fn silence(&self, one: &str, other: &str) {
        loop {
            let changed = self.0.changed.notified();
            let since = [(one, other), (other, one)].map(|(from, to)| self.cut_since(from, to));
            let Some(since) = since.into_iter().flatten().min() else {
                changed.await;
                continue;
            };
            let left = (since + SILENCE_MAX).saturating_sub(self.0.trace.now());
            if timeout(left, changed).await.is_err() {
                return;
            }
        }
    }

    /// Runs the handler of a call on the node that serves it.
    async fn handle(self, me: Process, mut routes: Routes, incoming: Incoming) {
        let Incoming {
            call,
            request,
            mut answer,
        } = incoming;
        let deadline = deadline(request.headers());
        let request = request.map(|bytes| Body::new(http_body_util::Full::new(bytes)));
        let work = async move {
            let done = match deadline {
                Some(span) => timeout(span, routes.call(request)).await,
                None => Ok(routes.call(request).await),
            };
            match done {
                Ok(Ok(answer)) => answer,
                Ok(Err(never)) => match never {},
                // What tonic answers when the deadline of the request has passed.
                Err(_) => Status::cancelled("Timeout expired").into_http(),
            }
        };
        let answered = tokio::select! {
            biased;
            () = answer.closed() => None,
            answered = work => Some(answered),
        };
        me.living().await;
        let Some(answered) = answered else {
            self.note(call, format_args!("is dropped by {}", me.name()));
            return;
        };
        self.note(call, format_args!("answer leaves {}", me.name()));
        let (head, mut body) = answered.into_parts();
        let (send, frames) = mpsc::unbounded_channel();
        if answer
            .send((http::Response::from_parts(head, ()), frames))
            .is_err()
        {
            return;
        }
        loop {
            let frame = tokio::select! {
                biased;
                () = send.closed() => return,
                frame = body.frame() => frame,
            };
            me.living().await;
            let Some(frame) = frame else { return };
            if send.send(frame).is_err() {
                return;
            }
        }
    }
}

/// The deadline that the caller put into the headers.
fn deadline(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at(text.len().checked_sub(1)?);
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// SplitMix64: numbers in, chance out.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
