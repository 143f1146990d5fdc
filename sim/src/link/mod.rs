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
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
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
use crate::chance::{mix, number_of};
use crate::nemesis::{CallSite, Mishap, Nemesis, WeakNemesis};
use crate::process::Process;
use crate::record::CallRecord;
use crate::scenario::Leg;
use crate::trace::{Lane, Trace};

/// As in production: longer than this no connection is waited for.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// As in production: a peer that is silent for a ping and its answer is given up.
const SILENCE_MAX: Duration = Duration::from_secs(40);
/// The fastest packet, and what the slowest takes longer.
const LATENCY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(2));
/// A message that is to be overtaken waits no longer than this.
const OVERTAKEN_WITHIN: Duration = Duration::from_secs(1);

type Head = http::Response<()>;
type Frames = mpsc::UnboundedReceiver<Result<Frame<Bytes>, Status>>;

/// The network. Clones are the same one.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    seed: u64,
    trace: Trace,
    wires: NodeHandle,
    nemesis: OnceLock<WeakNemesis>,
    state: Mutex<State>,
    changed: Notify,
    /// A packet has arrived; told only while one waits to be overtaken.
    arrived: Notify,
}

#[derive(Default)]
struct State {
    listeners: BTreeMap<String, Listener>,
    /// Directions in which nothing arrives: since when, and how many faults want it so.
    cuts: BTreeMap<(String, String), (Duration, u32)>,
    /// Processes that stand still, and since when.
    still: BTreeMap<String, Duration>,
    /// Calls so far of each kind, which number the chance of their packets.
    kinds: BTreeMap<u64, u64>,
    /// Packets that arrived in each direction while one waits to be overtaken.
    arrivals: BTreeMap<(String, String), u64>,
    overtaken: u32,
    /// Answers to which something happens.
    mishaps: BTreeMap<u64, Vec<Mishap>>,
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
    /// A network on which `wires` is the node whose tasks carry the calls.
    pub fn new(seed: u64, trace: Trace, wires: NodeHandle) -> Self {
        Self(Arc::new(Inner {
            seed,
            trace,
            wires,
            nemesis: OnceLock::new(),
            state: Mutex::default(),
            changed: Notify::new(),
            arrived: Notify::new(),
        }))
    }

    /// Who is told of every message, and says what happens to it.
    pub fn given(&self, nemesis: &Nemesis) {
        let given = self.0.nemesis.set(nemesis.weak());
        given.unwrap_or_else(|_| panic!("a run has one nemesis"));
    }

    /// A connection of `from` to whoever listens as `to`; it is made when it is first needed.
    pub fn channel(&self, from: &Process, to: &str) -> Channel {
        self.channel_for(from, to, None)
    }

    /// The same for a client that asks about one job of the scenario.
    pub fn channel_for(&self, from: &Process, to: &str, job: Option<usize>) -> Channel {
        let (net, from, connected) = (self.clone(), from.clone(), Arc::default());
        Channel::new(Link {
            net,
            from,
            to: to.into(),
            connected,
            job,
        })
    }

    /// Serves `routes` for the process `me`, which must be the one that calls. Handlers run on
    /// its node, and die with it.
    pub async fn serve(&self, me: Process, routes: Routes) {
        // The address is with whoever was started last, also when an earlier one gets here late.
        if !self.nemesis().is_current(&me) {
            return;
        }
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
        self.nemesis().serves(&me);
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
        let way = (from.to_owned(), to.to_owned());
        self.state().cuts.entry(way).or_insert((since, 0)).1 += 1;
        self.0.changed.notify_waiters();
    }

    /// One fault less wants this direction cut.
    pub fn mend(&self, from: &str, to: &str) {
        let way = (from.to_owned(), to.to_owned());
        let mut state = self.state();
        if let Some((_, faults)) = state.cuts.get_mut(&way) {
            *faults -= 1;
            if *faults == 0 {
                state.cuts.remove(&way);
            }
        }
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// Everything arrives again.
    pub fn heal(&self) {
        self.state().cuts.clear();
        self.0.changed.notify_waiters();
    }

    /// A process stands still, so it answers no keep-alive; or it goes on.
    pub fn stall(&self, name: &str, still: bool) {
        let now = self.0.trace.now();
        let mut state = self.state();
        match still {
            true => drop(state.still.entry(name.to_owned()).or_insert(now)),
            false => drop(state.still.remove(name)),
        }
        drop(state);
        self.0.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no holder panics")
    }

    fn nemesis(&self) -> Nemesis {
        let given = self.0.nemesis.get();
        given.expect("a run has a nemesis before it begins").here()
    }

    fn note(&self, call: u64, what: fmt::Arguments<'_>) {
        self.0.trace.note(Lane::Wire, format!("#{call} {what}"));
    }

    /// Changes what is recorded of a call.
    fn record(&self, call: u64, change: impl FnOnce(&mut CallRecord, Duration)) {
        let now = self.0.trace.now();
        let at = usize::try_from(call - 1).expect("calls are counted from 1");
        if let Some(record) = self.0.trace.records().calls.get_mut(at) {
            change(record, now);
        }
    }

    fn ended(&self, call: u64, how: &str) {
        self.record(call, |record, now| {
            if record.ended.is_none() {
                record.ended = Some(now);
                how.clone_into(&mut record.end);
            }
        });
    }

    fn site<R>(&self, call: u64, leg: Leg, ask: impl FnOnce(CallSite<'_>) -> R) -> R {
        let at = usize::try_from(call - 1).expect("calls are counted from 1");
        let (from, to, method, job) = {
            let records = self.0.trace.records();
            let CallRecord {
                from,
                to,
                method,
                job,
                ..
            } = &records.calls[at];
            (from.clone(), to.clone(), method.clone(), *job)
        };
        ask(CallSite {
            from: &from,
            to: &to,
            method: &method,
            job,
            leg,
        })
    }

    fn is_cut(&self, from: &str, to: &str) -> bool {
        let state = self.state();
        // Looking for a way makes two strings, and mostly there is no cut at all.
        !state.cuts.is_empty() && state.cuts.contains_key(&(from.to_owned(), to.to_owned()))
    }

    /// The chance of a call's packets: a function of the seed, of what the call is for, and of
    /// how many such calls there were, so that a fault elsewhere does not change it.
    fn packets(&self, from: &str, to: &str, method: &str, job: Option<usize>) -> u64 {
        let job = job.map_or(u64::MAX, |job| job as u64);
        let names = [from, to, method].map(number_of);
        let kind = names
            .into_iter()
            .fold(mix(job), |sum, name| mix(sum ^ name));
        let mut state = self.state();
        let number = state.kinds.entry(kind).or_default();
        *number += 1;
        mix(self.0.seed ^ mix(kind ^ mix(*number)))
    }

    /// One packet on its way: it takes its time, and waits for as long as the way is cut.
    async fn travel(&self, from: &str, to: &str, packet: u64) {
        let more = u64::try_from(LATENCY.1.as_nanos()).expect("a short span");
        let latency = LATENCY.0 + Duration::from_nanos(packet % more);
        sleep(latency).await;
        loop {
            let changed = self.0.changed.notified();
            if !self.is_cut(from, to) {
                break;
            }
            changed.await;
            sleep(latency).await;
        }
        let mut state = self.state();
        if state.overtaken > 0 {
            let way = (from.to_owned(), to.to_owned());
            *state.arrivals.entry(way).or_default() += 1;
            drop(state);
            self.0.arrived.notify_waiters();
        }
    }

    /// Waits until another packet has arrived in this direction.
    async fn be_overtaken(&self, from: &str, to: &str) {
        let way = (from.to_owned(), to.to_owned());
        let so_far = |state: &State| state.arrivals.get(&way).copied().unwrap_or_default();
        let before = {
            let mut state = self.state();
            state.overtaken += 1;
            so_far(&state)
        };
        let overtaken = async {
            loop {
                let arrived = self.0.arrived.notified();
                if so_far(&self.state()) > before {
                    return;
                }
                arrived.await;
            }
        };
        // Nobody may be there to overtake it.
        let _ = timeout(OVERTAKEN_WITHIN, overtaken).await;
        self.state().overtaken -= 1;
    }

    /// Returns when nothing has been heard between the two for too long.
    async fn silence(&self, one: &str, other: &str) {
        loop {
            let changed = self.0.changed.notified();
            let since = {
                let state = self.state();
                let way = |from: &str, to: &str| (from.to_owned(), to.to_owned());
                let cut = |from, to| Some(state.cuts.get(&way(from, to))?.0);
                let still = |name: &str| state.still.get(name).copied();
                match state.cuts.is_empty() && state.still.is_empty() {
                    true => None,
                    false => [cut(one, other), cut(other, one), still(one), still(other)]
                        .into_iter()
                        .flatten()
                        .min(),
                }
            };
            let Some(since) = since else {
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
        let mishaps = self.site(call, Leg::Answer, |site| self.nemesis().at_call(site));
        me.living().await;
        self.note(call, format_args!("answer leaves {}", me.name()));
        self.record(call, |record, now| {
            record.left.get_or_insert(now);
        });
        if !mishaps.is_empty() {
            self.state().mishaps.insert(call, mishaps);
        }
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
