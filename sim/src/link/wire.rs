//! The way of one call through the network.

use std::io;

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::{mpsc, oneshot};
use tonic::{Code, Status};

use super::caller::reset;
use super::{Frames, Head, Incoming, Network};

/// Carries one call: the request there, the answer back, and the news that the caller has given
/// up. It runs on the network's node and outlives both ends.
pub(super) async fn carry(
    net: Network,
    (from, to): (String, String),
    (call, life): (u64, u64),
    request: http::Request<Bytes>,
    mut caller: oneshot::Sender<Result<(Head, Frames), io::Error>>,
) {
    net.travel(&from, &to).await;
    let (answer, mut answered) = oneshot::channel();
    let arrived = {
        let state = net.state();
        let listener = state
            .listeners
            .get(&to)
            .filter(|listener| listener.life == life);
        let incoming = Incoming {
            call,
            request,
            answer,
        };
        listener.is_some_and(|listener| listener.calls.send(incoming).is_ok())
    };
    if !arrived {
        net.travel(&to, &from).await;
        let _ = caller.send(Err(reset("the peer is gone")));
        return;
    }
    net.note(call, format_args!("arrives at {to}"));

    let answered = tokio::select! {
        biased;
        answered = &mut answered => answered,
        () = caller.closed() => {
            // The handler works on until it hears of it, and that is when this returns.
            net.travel(&from, &to).await;
            return;
        }
        () = net.silence(&from, &to) => {
            let _ = caller.send(Err(reset("the keep-alive was not answered")));
            return;
        }
    };
    let Ok((head, mut frames)) = answered else {
        net.travel(&to, &from).await;
        let _ = caller.send(Err(reset("the peer died")));
        return;
    };
    net.travel(&to, &from).await;
    if net.loses(&to, &from) {
        net.note(call, format_args!("answer is lost"));
        let _ = caller.send(Err(reset("the connection broke before the answer came")));
        return;
    }
    if let Some(code) = code(head.headers()) {
        net.note(call, format_args!("is answered {code:?} at {from}"));
    }
    let (send, given) = mpsc::unbounded_channel();
    if caller.send(Ok((head, given))).is_err() {
        net.travel(&from, &to).await;
        return;
    }
    loop {
        let frame = tokio::select! {
            biased;
            frame = frames.recv() => frame,
            () = send.closed() => {
                net.travel(&from, &to).await;
                return;
            }
            () = net.silence(&from, &to) => {
                let _ = send.send(Err(Status::unknown("the keep-alive was not answered")));
                return;
            }
        };
        // The end without trailers is a peer that died; the reader of the body tells so.
        let Some(frame) = frame else { return };
        net.travel(&to, &from).await;
        match frame.as_ref().map(Frame::trailers_ref) {
            Ok(Some(trailers)) => {
                let code = code(trailers).unwrap_or(Code::Unknown);
                net.note(call, format_args!("is answered {code:?} at {from}"));
            }
            Ok(None) => net.note(call, format_args!("message arrives at {from}")),
            Err(why) => net.note(call, format_args!("breaks: {}", why.message())),
        }
        if send.send(frame).is_err() {
            net.travel(&from, &to).await;
            return;
        }
    }
}

impl Network {
    fn loses(&self, from: &str, to: &str) -> bool {
        let mut state = self.state();
        let at = state
            .losing
            .iter()
            .position(|way| way.0 == from && way.1 == to);
        at.map(|at| state.losing.remove(at)).is_some()
    }
}

fn code(headers: &http::HeaderMap) -> Option<Code> {
    Some(Code::from_bytes(headers.get("grpc-status")?.as_bytes()))
}
