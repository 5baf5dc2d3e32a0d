//! Both ends of gRPC (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md) without its
//! messages: what the gateway carries is HTTP/2 with trailers and streams both ways.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{PATIENCE, TlsClient, TlsServer};

/// A socket of either kind.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Runs something that is not blocking; fails the test when it does not end.
#[track_caller]
pub fn soon<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await }).expect("an end in time")
}

/// A backend of gRPC with two methods: `/test.Echo/Stream` gives back each message at once and ends
/// with `grpc-status: 0`, `/test.Echo/Missing` is not there. Displays as its address.
pub struct GrpcBackend {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<Request<()>>>>,
}

/// A backend of gRPC, in clear text or with TLS.
pub fn grpc_backend(tls: Option<TlsServer>) -> GrpcBackend {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let heads = Arc::default();
    let seen = Arc::clone(&heads);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        // The process of the test ends it.
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = tls.as_ref().map(|tls| TlsAcceptor::from(tls.config()));
                tokio::spawn(serve(socket, acceptor, Arc::clone(&seen)));
            }
        });
    });
    GrpcBackend { address, heads }
}

impl GrpcBackend {
    /// The heads of the calls that it got.
    pub fn heads(&self) -> Vec<Request<()>> {
        self.heads.lock().expect("nobody panics with it").clone()
    }
}

impl Display for GrpcBackend {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

async fn serve(
    socket: TcpStream,
    acceptor: Option<TlsAcceptor>,
    heads: Arc<Mutex<Vec<Request<()>>>>,
) -> Option<()> {
    let socket: Pin<Box<dyn Socket>> = match acceptor {
        None => Box::pin(socket),
        Some(acceptor) => Box::pin(acceptor.accept(socket).await.ok()?),
    };
    let mut connection = h2::server::handshake(socket).await.ok()?;
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (parts, body) = request.into_parts();
        let head = Request::from_parts(parts, ());
        let path = head.uri().path().to_owned();
        heads.lock().expect("nobody panics with it").push(head);
        tokio::spawn(async move { call(&path, body, respond).await });
    }
    Some(())
}

async fn call(path: &str, mut body: RecvStream, mut respond: SendResponse<Bytes>) -> Option<()> {
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", "application/grpc".parse().ok()?);
    if path != "/test.Echo/Stream" {
        head.headers_mut().insert("grpc-status", "12".parse().ok()?);
        respond.send_response(head, true).ok()?;
        return Some(());
    }
    let mut answer = respond.send_response(head, false).ok()?;
    while let Some(Ok(data)) = body.data().await {
        body.flow_control().release_capacity(data.len()).ok()?;
        answer.send_data(data, false).ok()?;
    }
    let mut trailers = body.trailers().await.ok()?.unwrap_or_default();
    trailers.insert("grpc-status", "0".parse().ok()?);
    answer.send_trailers(trailers).ok()
}

/// A client's connection.
pub struct GrpcClient(SendRequest<Bytes>);

impl GrpcClient {
    /// Connects in clear text, or with TLS and this name.
    pub async fn connect(address: &str, tls: Option<(&TlsClient, &str)>) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        let socket: Pin<Box<dyn Socket>> = match tls {
            None => Box::pin(socket),
            Some((client, name)) => {
                let name = ServerName::try_from(name.to_owned()).expect("a name");
                Box::pin(TlsConnector::from(client.config()).connect(name, socket).await?)
            }
        };
        let (requests, connection) = h2::client::handshake(socket).await.map_err(io::Error::other)?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self(requests))
    }

    /// Begins a call.
    pub async fn call(&mut self, path: &str) -> Call {
        let request = Request::post(format!("http://test{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .expect("a request");
        let (answer, messages) = self.0.send_request(request, false).expect("a stream");
        Call { messages, answer: Answer::Awaited(answer) }
    }
}

/// A call: messages go out and come in.
pub struct Call {
    messages: SendStream<Bytes>,
    answer: Answer,
}

enum Answer {
    Awaited(ResponseFuture),
    Body(RecvStream),
}

impl Call {
    /// Sends a message.
    pub fn send(&mut self, message: &'static str) {
        self.messages.send_data(Bytes::from_static(message.as_bytes()), false).expect("a stream");
    }

    /// Says that there are no more messages, with these trailers.
    pub fn end(&mut self, trailers: HeaderMap) {
        self.messages.send_trailers(trailers).expect("a stream");
    }

    /// The head of the answer.
    pub async fn head(&mut self) -> Response<()> {
        let Answer::Awaited(answer) = &mut self.answer else { panic!("the head came already") };
        let (parts, body) = answer.await.expect("an answer").into_parts();
        self.answer = Answer::Body(body);
        Response::from_parts(parts, ())
    }

    /// The next piece of the answer; none at its end.
    pub async fn next(&mut self) -> Option<String> {
        let Answer::Body(body) = &mut self.answer else { panic!("the head comes first") };
        let data = body.data().await?.expect("an answer");
        body.flow_control().release_capacity(data.len()).expect("a stream");
        Some(String::from_utf8_lossy(&data).into_owned())
    }

    /// The trailers of the answer.
    pub async fn trailers(&mut self) -> HeaderMap {
        let Answer::Body(body) = &mut self.answer else { panic!("the head comes first") };
        body.trailers().await.expect("an answer").expect("trailers")
    }
}
