//! Serves doubles on loopback sockets, and plays what sockets do wrong.
//!
//! Each server has a runtime of its own, which dies with it: connections break as they do when
//! a process is killed, whatever the test's own runtime is doing.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::Server;

/// No frame of HTTP/2, and no answer of HTTP/1.
const GARBAGE: &[u8] = b"\x00\xff\xfe\xfdthis is not the protocol that you are looking for\r\n\r\n";

/// A server on 127.0.0.1. Dropping it is [`Self::cut`], but does not wait for it.
pub struct Served {
    /// Where.
    pub addr: SocketAddr,
    runtime: Option<Runtime>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

impl Served {
    /// Serves `routes` on a free port. Clients may connect at once.
    pub fn start(routes: Routes) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), routes)
    }

    /// Serves `routes` where a server was before, for clients that know its address.
    ///
    /// # Panics
    /// If the address is taken.
    pub fn start_at(addr: SocketAddr, routes: Routes) -> Self {
        Self::host(addr, |listener, stop| async move {
            let stopped = async {
                // A sender that is gone means the same: nobody holds the server any more.
                let _ = stop.await;
            };
            let incoming = TcpListenerStream::new(listener);
            let server = Server::builder().add_routes(routes);
            server
                .serve_with_incoming_shutdown(incoming, stopped)
                .await
                .expect("a listener");
        })
    }

    /// Accepts connections and never says a word.
    pub fn silent() -> Self {
        Self::host(
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            |listener, _stop| async move {
                let mut open = Vec::new();
                while let Ok((connection, _)) = listener.accept().await {
                    open.push(connection);
                }
            },
        )
    }

    /// Accepts connections, says something that is not HTTP/2, and closes them.
    pub fn garbage() -> Self {
        Self::host(
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            |listener, _stop| async move {
                while let Ok((mut connection, _)) = listener.accept().await {
                    // A caller that is gone already has heard enough.
                    let _ = connection.write_all(GARBAGE).await;
                }
            },
        )
    }

    /// The address as clients of tonic want it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Takes no more calls, and returns when those under way are answered.
    pub async fn stop(mut self) {
        let runtime = self.runtime.take().expect("taken only here and in drop");
        let (unused, _) = oneshot::channel();
        let stop = std::mem::replace(&mut self.stop, unused);
        // A server that has ended by itself does not listen.
        let _ = stop.send(());
        (&mut self.ended).await.expect("the server does not panic");
        runtime.shutdown_background();
    }

    /// Drops the listener and all connections, with whatever is under way on them. On return
    /// the address is free; connections break at about the same time.
    pub async fn cut(mut self) {
        self.ended.abort();
        // A task is over for its handle only when everything in it is dropped.
        let _ = (&mut self.ended).await;
    }

    fn host<F>(
        addr: SocketAddr,
        serve: impl FnOnce(TcpListener, oneshot::Receiver<()>) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("a thread and a poll");
        let listener = std::net::TcpListener::bind(addr).expect("a free address");
        let addr = listener.local_addr().expect("a bound listener");
        listener.set_nonblocking(true).expect("a bound listener");
        let (stop, stopped) = oneshot::channel();
        let ended = {
            let _inside = runtime.enter();
            let listener = TcpListener::from_std(listener).expect("a listener");
            runtime.spawn(serve(listener, stopped))
        };
        Self {
            addr,
            runtime: Some(runtime),
            stop,
            ended,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An address that is taken, so that nobody else gets it, and where nothing listens.
#[derive(Debug)]
pub struct Unserved {
    /// Where.
    pub addr: SocketAddr,
    _socket: TcpSocket,
}

impl Unserved {
    /// A free address on 127.0.0.1; connecting to it is refused as long as this lives.
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .expect("a free port");
        Self {
            addr: socket.local_addr().expect("a bound socket"),
            _socket: socket,
        }
    }

    /// The address as clients of tonic want it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Default for Unserved {
    fn default() -> Self {
        Self::new()
    }
}
