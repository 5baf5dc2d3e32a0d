//! gRPC from end to end: trailers, and streams both ways at the same time.

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::version::TLS13;

use crate::harness::{
    Gateway, GrpcBackend, GrpcClient, TlsClient, TlsServer, authority, eventually, gateway, grpc_backend,
    soon,
};

const STREAM: &str = "/test.Echo/Stream";

fn started() -> (GrpcBackend, Gateway) {
    let backend = grpc_backend(None);
    let gateway = gateway().upstream("api", [&backend]).with("protocol = \"h2\"").start();
    (backend, gateway)
}

/// A message there, the same one back, twice; then both ends.
async fn converse(client: &mut GrpcClient) {
    let mut call = client.call(STREAM).await;
    call.send("one");
    assert_eq!(call.head().await.headers()["content-type"], "application/grpc");
    assert_eq!(call.next().await.as_deref(), Some("one"));
    call.send("two");
    assert_eq!(call.next().await.as_deref(), Some("two"), "while the request still goes on");
    let count = (HeaderName::from_static("x-count"), HeaderValue::from_static("2"));
    call.end(HeaderMap::from_iter([count]));
    assert_eq!(call.next().await, None);
    let trailers = call.trailers().await;
    assert_eq!([&trailers["grpc-status"], &trailers["x-count"]], ["0", "2"]);
}

#[test]
fn messages_stream_both_ways_and_trailers_pass_both_ways() {
    let (backend, gateway) = started();
    soon(async {
        let mut client = GrpcClient::connect(gateway.address(), None).await.unwrap();
        converse(&mut client).await;
        converse(&mut client).await;
    });

    let head = &backend.heads()[0];
    assert_eq!(
        (head.uri().to_string(), &head.headers()["te"]),
        (format!("http://test{STREAM}"), &"trailers".parse().unwrap())
    );
    assert_eq!(gateway.backend("api", &backend, "success"), 2);
}

#[test]
fn the_same_with_tls_on_both_sides() {
    let authority = authority();
    let backend = grpc_backend(Some(TlsServer::build(&authority.issue(&["127.0.0.1"]), None, &["h2"])));
    let gateway = gateway()
        .file("ca.pem", authority.pem())
        .listen_tls(&authority.issue(&["a.example"]), "")
        .upstream("api", [&backend])
        .with("protocol = \"h2\"")
        .with("tls = { ca = \"ca.pem\" }")
        .start();

    soon(async {
        let tls = TlsClient::new(&authority, None, &[&TLS13], &["h2"]);
        let mut client = GrpcClient::connect(gateway.address(), Some((&tls, "a.example"))).await.unwrap();
        converse(&mut client).await;
    });
    assert_eq!(backend.heads()[0].uri().scheme_str(), Some("https"));
}

#[test]
fn a_status_without_messages_passes() {
    let (_backend, gateway) = started();
    let head = soon(async {
        let mut client = GrpcClient::connect(gateway.address(), None).await.unwrap();
        client.call("/test.Echo/Missing").await.head().await
    });

    assert_eq!((head.status().as_u16(), &head.headers()["grpc-status"]), (200, &"12".parse().unwrap()));
}

#[test]
fn calls_of_many_clients_are_counted_each_and_share_a_connection() {
    let (backend, gateway) = started();
    soon(async {
        let mut calls = Vec::new();
        for _ in 0..5 {
            let mut client = GrpcClient::connect(gateway.address(), None).await.unwrap();
            let mut call = client.call(STREAM).await;
            call.send("hello");
            call.head().await;
            calls.push(call);
        }
        assert_eq!(gateway.backend("api", &backend, "in_flight"), 5);
        for call in &mut calls {
            call.end(HeaderMap::new());
            assert_eq!(call.next().await.as_deref(), Some("hello"));
            assert_eq!(call.trailers().await["grpc-status"], "0");
        }
    });
    eventually("all have ended", || gateway.backend("api", &backend, "success") == 5);
}

#[test]
fn a_call_that_is_cancelled_ends_at_the_backend() {
    let (backend, gateway) = started();
    soon(async {
        let mut client = GrpcClient::connect(gateway.address(), None).await.unwrap();
        let mut call = client.call(STREAM).await;
        call.send("hello");
        call.head().await;
        drop(call);
        tokio::task::yield_now().await;
        converse(&mut client).await;
    });

    eventually("it is cancelled", || gateway.backend("api", &backend, "cancelled") == 1);
    assert_eq!(gateway.backend("api", &backend, "in_flight"), 0);
}

#[test]
fn without_the_offer_of_http_2_there_is_no_connection() {
    let authority = authority();
    let backend = grpc_backend(Some(TlsServer::build(&authority.issue(&["127.0.0.1"]), None, &["http/1.1"])));
    let old = grpc_backend(Some(TlsServer::build(&authority.issue(&["127.0.0.1"]), None, &[])));
    let gateway = gateway()
        .file("ca.pem", authority.pem())
        .upstream("api", [&backend, &old])
        .with("protocol = \"h2\"")
        .with("tls = { ca = \"ca.pem\" }")
        .start();

    assert_eq!(gateway.get("/").status(), 502);
    assert_eq!([&backend, &old].map(|it| gateway.backend("api", it, "connect_failed")), [1, 1]);
}
