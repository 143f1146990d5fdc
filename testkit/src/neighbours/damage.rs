//! Breaks answers after tonic has made them: what no handler can do wrong by itself.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use prost::encoding::{WireType, encode_key, encode_varint};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

/// Compression flag and length in front of a gRPC message.
const PREFIX_BYTES: usize = 5;
/// No message of the contracts has this field, so its reader skips it.
const PADDING_FIELD: u32 = 1000;

/// What shall happen to an answer; a handler puts it in the extensions of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    Garbage,
    Reset,
    Pad(usize),
}

/// A service whose answers suffer the [`Damage`] that is in their extensions.
#[derive(Debug, Clone)]
pub(super) struct Damaged<S>(pub(super) S);

impl<S: NamedService> NamedService for Damaged<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Damaged<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let (mut head, body) = answer.await?.into_parts();
            let body = match head.extensions.remove::<Damage>() {
                None => body,
                Some(Damage::Garbage) => whole(message(&[0xff; 16])),
                Some(Damage::Reset) => {
                    let cut = Status::unavailable("connection reset mid-stream");
                    Body::new(StreamBody::new(stream::iter([Err::<Frame<Bytes>, _>(cut)])))
                }
                Some(Damage::Pad(bytes)) => padded(body, bytes).await,
            };
            Ok(http::Response::from_parts(head, body))
        })
    }
}

async fn padded(body: Body, bytes: usize) -> Body {
    let Ok(body) = body.collect().await else {
        return Body::empty();
    };
    let good = body.to_bytes();
    let mut longer = BytesMut::from(good.get(PREFIX_BYTES..).unwrap_or_default());
    encode_key(PADDING_FIELD, WireType::LengthDelimited, &mut longer);
    encode_varint(bytes as u64, &mut longer);
    longer.put_bytes(0, bytes);
    whole(message(&longer))
}

/// A message in its frame, not compressed.
fn message(bytes: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + bytes.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(bytes.len()).expect("no test sends 4 GiB"));
    framed.put_slice(bytes);
    framed.freeze()
}

/// A whole answer that says OK.
fn whole(data: Bytes) -> Body {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let frames = [
        Ok::<_, Infallible>(Frame::data(data)),
        Ok(Frame::trailers(trailers)),
    ];
    Body::new(StreamBody::new(stream::iter(frames)))
}
