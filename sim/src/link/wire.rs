//! The way of one call through the network, and what happens to it there.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use madsim::time::{sleep, timeout};
use tokio::sync::{mpsc, oneshot};
use tonic::{Code, Status};

use super::caller::reset;
use super::{Frames, Head, Incoming, Network};
use crate::chance::mix;
use crate::nemesis::Mishap;

/// A second delivery of a request is given up after this.
const DOUBLE_WITHIN: Duration = Duration::from_secs(120);

/// A call that has left its caller.
pub(super) struct Sent {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) call: u64,
    /// Which life of the peer it is for.
    pub(super) life: u64,
    /// The chance of its packets.
    pub(super) packets: u64,
    /// What happens to the request.
    pub(super) mishaps: Vec<Mishap>,
}

type Caller = oneshot::Sender<Result<(Head, Frames), io::Error>>;

/// Carries one call: the request there, the answer back, and the news that the caller has given
/// up. It runs on the network's node and outlives both ends.
pub(super) async fn carry(
    net: Network,
    sent: Sent,
    request: http::Request<Bytes>,
    mut caller: Caller,
) {
    let Sent {
        from,
        to,
        call,
        life,
        packets,
        mishaps,
    } = sent;
    let mut packet = packets;
    let mut next = || {
        packet = mix(packet);
        packet
    };
    net.travel(&from, &to, next()).await;
    if !net.suffer((&from, &to), &mishaps, &mut caller).await {
        net.note(call, format_args!("request is lost"));
        return;
    }
    let again = mishaps.contains(&Mishap::Doubled).then(|| copy(&request));
    let (answer, mut answered) = oneshot::channel();
    if !net.deliver(&to, life, (call, request, answer)) {
        net.travel(&to, &from, next()).await;
        let _ = caller.send(Err(reset("the peer is gone")));
        return;
    }
    net.note(call, format_args!("arrives at {to}"));
    net.record(call, |record, now| record.arrived = Some(now));
    if let Some(request) = again {
        net.deliver_again(&to, life, (call, request));
    }

    let answered = tokio::select! {
        biased;
        answered = &mut answered => answered,
        () = caller.closed() => {
            // The handler works on until it hears of it, and that is when this returns.
            net.travel(&from, &to, next()).await;
            return;
        }
        () = net.silence(&from, &to) => {
            let _ = caller.send(Err(reset("the keep-alive was not answered")));
            return;
        }
    };
    let Ok((head, frames)) = answered else {
        net.travel(&to, &from, next()).await;
        let _ = caller.send(Err(reset("the peer died")));
        return;
    };
    net.travel(&to, &from, next()).await;
    let mishaps = net.state().mishaps.remove(&call).unwrap_or_default();
    if !net.suffer((&to, &from), &mishaps, &mut caller).await {
        net.note(call, format_args!("answer is lost"));
        return;
    }
    if let Some(code) = code(head.headers()) {
        net.note(call, format_args!("is answered {code:?} at {from}"));
        net.ended(call, &format!("{code:?}"));
    }
    let (send, given) = mpsc::unbounded_channel();
    if caller.send(Ok((head, given))).is_err() {
        net.travel(&from, &to, next()).await;
        return;
    }
    net.stream((from, to, call), frames, send, next).await;
}

impl Network {
    /// Carries the frames of an answer.
    async fn stream(
        &self,
        (from, to, call): (String, String, u64),
        mut frames: Frames,
        send: mpsc::UnboundedSender<Result<Frame<Bytes>, Status>>,
        mut next: impl FnMut() -> u64,
    ) {
        loop {
            // What is there when a packet leaves goes along with it.
            if let Ok(frame) = frames.try_recv() {
                if !self.arrives((&from, call), frame, &send) {
                    self.travel(&from, &to, next()).await;
                    return;
                }
                continue;
            }
            let frame = tokio::select! {
                biased;
                frame = frames.recv() => frame,
                () = send.closed() => {
                    self.travel(&from, &to, next()).await;
                    return;
                }
                () = self.silence(&from, &to) => {
                    let _ = send.send(Err(Status::unknown("the keep-alive was not answered")));
                    return;
                }
            };
            // The end without trailers is a peer that died; the reader of the body tells so.
            let Some(frame) = frame else { return };
            self.travel(&to, &from, next()).await;
            if !self.arrives((&from, call), frame, &send) {
                self.travel(&from, &to, next()).await;
                return;
            }
        }
    }

    /// A frame of an answer is here; says whether anybody still wants it.
    fn arrives(
        &self,
        (from, call): (&str, u64),
        frame: Result<Frame<Bytes>, Status>,
        send: &mpsc::UnboundedSender<Result<Frame<Bytes>, Status>>,
    ) -> bool {
        match frame.as_ref().map(Frame::trailers_ref) {
            Ok(Some(trailers)) => {
                let code = code(trailers).unwrap_or(Code::Unknown);
                self.note(call, format_args!("is answered {code:?} at {from}"));
                self.ended(call, &format!("{code:?}"));
            }
            Ok(None) => self.note(call, format_args!("message arrives at {from}")),
            Err(why) => {
                self.note(call, format_args!("breaks: {}", why.message()));
                self.ended(call, "breaks");
            }
        }
        send.send(frame).is_ok()
    }

    /// Does to a message what happens to it; says whether it arrives.
    async fn suffer(
        &self,
        (from, to): (&str, &str),
        mishaps: &[Mishap],
        caller: &mut Caller,
    ) -> bool {
        for mishap in mishaps {
            match mishap {
                Mishap::Lost => {
                    let (gone, _) = oneshot::channel();
                    let caller = std::mem::replace(caller, gone);
                    let why = "the connection broke before an answer came";
                    let _ = caller.send(Err(reset(why)));
                    return false;
                }
                Mishap::Swallowed => {
                    caller.closed().await;
                    return false;
                }
                Mishap::Overtaken => self.be_overtaken(from, to).await,
                Mishap::Late(span) => sleep(*span).await,
                Mishap::Doubled => {}
            }
        }
        true
    }

    fn deliver(
        &self,
        to: &str,
        life: u64,
        (call, request, answer): (u64, http::Request<Bytes>, oneshot::Sender<(Head, Frames)>),
    ) -> bool {
        let state = self.state();
        let listener = state
            .listeners
            .get(to)
            .filter(|listener| listener.life == life);
        let incoming = Incoming {
            call,
            request,
            answer,
        };
        listener.is_some_and(|listener| listener.calls.send(incoming).is_ok())
    }

    /// The same request once more; its answer goes nowhere.
    fn deliver_again(&self, to: &str, life: u64, (call, request): (u64, http::Request<Bytes>)) {
        let (answer, answered) = oneshot::channel();
        if !self.deliver(to, life, (call, request, answer)) {
            return;
        }
        self.note(call, format_args!("arrives at {to} once more"));
        self.0.wires.spawn(async move {
            let heard = async {
                if let Ok((_, mut frames)) = answered.await {
                    while frames.recv().await.is_some() {}
                }
            };
            let _ = timeout(DOUBLE_WITHIN, heard).await;
        });
    }
}

fn copy(request: &http::Request<Bytes>) -> http::Request<Bytes> {
    let mut copy = http::Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn code(headers: &http::HeaderMap) -> Option<Code> {
    Some(Code::from_bytes(headers.get("grpc-status")?.as_bytes()))
}
