//! The side of a call that its caller holds: the connection, and the answer as it comes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use madsim::time::timeout;
use qrtx::grpc::Broken;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::{ConnectError, Status};

use super::wire::{Sent, carry};
use super::{CONNECT_WITHIN, Frames, Network};
use crate::chance::mix;
use crate::process::Process;
use crate::record::CallRecord;
use crate::scenario::Leg;

/// One caller's connection to one peer.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) net: Network,
    pub(super) from: Process,
    pub(super) to: Arc<str>,
    /// Which life of the peer the connection was made to.
    pub(super) connected: Arc<Mutex<Option<u64>>>,
    /// The job that all its calls are about, for callers whose headers do not say.
    pub(super) job: Option<usize>,
}

impl tower::Service<http::Request<Body>> for Link {
    type Response = http::Response<Body>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Broken>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let link = self.clone();
        Box::pin(async move {
            link.from.living().await;
            let from = link.from.clone();
            let answered = link.exchange(request).await;
            from.living().await;
            answered
        })
    }
}

impl Link {
    async fn exchange(self, request: http::Request<Body>) -> Result<http::Response<Body>, Broken> {
        let (head, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|why| Broken(why.into()))?
            .to_bytes();
        let method = head
            .uri
            .path()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        let job = self.job.or_else(|| self.job_in(&head.headers));
        let (from, to) = (self.from.name().to_owned(), self.to.to_string());
        let whom = job.map(|job| format!(" for job {job}")).unwrap_or_default();
        let packets = self.net.packets(&from, &to, &method, job);
        let call = self.begin(&method, job);
        self.net
            .note(call, format_args!("{from} -> {to}: {method}{whom}"));
        let mut open = Open {
            net: self.net.clone(),
            from: self.from.clone(),
            call,
            ended: false,
        };

        let life = match self.connect(packets).await {
            Ok(life) => life,
            Err(why) => {
                self.net.note(call, format_args!("cannot be sent: {why}"));
                self.net.ended(call, "cannot be sent");
                open.ended = true;
                return Err(Broken(Box::new(ConnectError(Box::new(why)))));
            }
        };
        let mishaps = self
            .net
            .site(call, Leg::Request, |site| self.net.nemesis().at_call(site));
        self.from.living().await;
        let (answer, answered) = oneshot::channel();
        let request = http::Request::from_parts(head, body);
        let sent = Sent {
            from,
            to,
            call,
            life,
            packets,
            mishaps,
        };
        let carried = carry(self.net.clone(), sent, request, answer);
        self.net.0.wires.spawn(carried);
        let answered = answered.await;
        // The network itself only drops a call when the run is over.
        let answered = answered.unwrap_or_else(|_| Err(reset("the network is gone")));
        match answered {
            Ok((head, frames)) => Ok(head.map(|()| body_of(frames, open))),
            Err(why) => {
                open.ended = true;
                self.net.note(call, format_args!("breaks: {why}"));
                self.net.ended(call, "breaks");
                *self.connected.lock().expect("no holder panics") = None;
                Err(Broken(Box::new(why)))
            }
        }
    }

    /// The job in the headers of a call to a neighbour.
    fn job_in(&self, headers: &http::HeaderMap) -> Option<usize> {
        let id = headers.get("x-correlation-id")?.to_str().ok()?;
        self.net.nemesis().ordinal(id.parse().ok()?)
    }

    fn begin(&self, method: &str, job: Option<usize>) -> u64 {
        let mut records = self.net.0.trace.records();
        let sent = self.net.0.trace.now();
        records.calls.push(CallRecord {
            from: self.from.name().to_owned(),
            life: self.from.life(),
            to: self.to.to_string(),
            method: method.to_owned(),
            job,
            sent,
            arrived: None,
            left: None,
            ended: None,
            end: String::new(),
        });
        records.calls.len() as u64
    }

    /// The peer's life that this connection is to, made now if there is none.
    async fn connect(&self, packets: u64) -> Result<u64, io::Error> {
        let there = || {
            self.net
                .state()
                .listeners
                .get(&*self.to)
                .map(|listener| listener.life)
        };
        let known = *self.connected.lock().expect("no holder panics");
        // A peer that died has broken its connections; that much has been noticed.
        if let Some(life) = known.filter(|life| there() == Some(*life)) {
            return Ok(life);
        }
        let handshake = async {
            let packets = mix(packets);
            self.net.travel(self.from.name(), &self.to, packets).await;
            let life = there();
            self.net
                .travel(&self.to, self.from.name(), packets >> 32)
                .await;
            life
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "connecting took too long");
        let life = timeout(CONNECT_WITHIN, handshake).await.map_err(late)?;
        let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let life = life.ok_or_else(refused)?;
        *self.connected.lock().expect("no holder panics") = Some(life);
        Ok(life)
    }
}

pub(super) fn reset(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, why.to_owned())
}

/// A call as its caller holds it; dropping it is giving it up.
struct Open {
    net: Network,
    from: Process,
    call: u64,
    ended: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        // A process that is dead says nothing, and its destructors are not to be seen.
        if !self.ended && self.from.is_alive() && !self.net.0.trace.is_closed() {
            self.net.note(
                self.call,
                format_args!("is given up by {}", self.from.name()),
            );
            self.net.ended(self.call, "given up");
        }
    }
}

/// The body of an answer: frames as they come. An end that is none is a broken connection.
fn body_of(frames: Frames, open: Open) -> Body {
    let stream = futures::stream::unfold((frames, open), |(mut frames, mut open)| async move {
        if open.ended {
            return None;
        }
        let frame = frames.recv().await;
        open.from.living().await;
        let frame = frame.unwrap_or_else(|| {
            open.net
                .note(open.call, format_args!("breaks: the peer died"));
            Err(Status::unknown("error reading a body from connection"))
        });
        open.ended = frame.as_ref().map_or(true, Frame::is_trailers);
        Some((frame, (frames, open)))
    });
    Body::new(StreamBody::new(stream))
}
