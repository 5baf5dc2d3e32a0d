//! Active checks: backends are asked themselves, whether requests come or not.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::SeqCst};

use bytes::Bytes;
use http::{HeaderMap, Response};

use crate::harness::{
    Backend, Gateway, TlsServer, authority, backend, backends, eventually, gateway, grpc_backend, ok,
    with_body,
};

const FAST: &str = "interval = \"20ms\", timeout = \"500ms\", rise = 2, fall = 2";

/// A backend that is well as long as the flag says so, by its `/health`.
fn patient(name: &'static str) -> (Backend, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&well);
    let reply = move |request: &crate::harness::Message| match (request.target(), flag.load(SeqCst)) {
        ("/health", false) => b"HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ("/health", true) => with_body(name, "all is well here"),
        _ => ok(name),
    };
    (backend(name, reply), well)
}

/// Two backends, the first one with a flag, checked as these keys say.
fn checked(keys: &str) -> (Backend, Arc<AtomicBool>, Backend, Gateway) {
    let (a, well) = patient("a");
    let (b, _) = patient("b");
    let gateway = gateway().upstream("api", [&a, &b]).with(&format!("check = {{ {keys}, {FAST} }}")).start();
    (a, well, b, gateway)
}

fn becomes(gateway: &Gateway, backend: &impl ToString, state: &str) {
    eventually(state, || gateway.backend_state("api", backend) == state);
}

#[test]
fn who_fails_its_checks_gets_no_request_and_who_passes_them_does() {
    let (a, well, _b, gateway) = checked("path = \"/health\"");
    well.store(false, SeqCst);
    becomes(&gateway, &a, "failing");
    gateway.says(&format!("{a} fails its checks: it answered 503"));
    assert_eq!(gateway.picks(6), vec!["b"; 6]);

    well.store(true, SeqCst);
    becomes(&gateway, &a, "up");
    gateway.says(&format!("{a} passes its checks again"));
    eventually("it serves", || gateway.picks(2).contains(&"a".to_owned()));
    assert!(gateway.backend("api", &a, "checks_failed") >= 2);
    assert!(gateway.backend("api", &a, "checks_passed") >= 2);
}

#[test]
fn the_body_must_contain_what_is_expected() {
    let (a, _, b, gateway) = checked("path = \"/health\", body = \"is well\"");
    eventually("both are checked", || gateway.backend("api", &b, "checks_passed") > 3);
    assert_eq!(gateway.backend_state("api", &a), "up");

    gateway.rewrite(|text| text.replace("is well", "is ill"));
    gateway.reload();
    becomes(&gateway, &a, "failing");
    gateway.says("fails its checks: its answer does not contain `is ill`");
}

#[test]
fn the_status_must_be_one_of_those_expected() {
    let (a, _, _b, gateway) = checked("path = \"/health\", status = [\"204\", \"300-399\"]");
    becomes(&gateway, &a, "failing");
    gateway.says("fails its checks: it answered 200");
}

#[test]
fn a_check_may_go_to_a_port_of_its_own() {
    let (a, _, b, gateway) = checked("path = \"/\"");
    assert_eq!(gateway.backend_state("api", &a), "up");
    let port = b.to_string().rsplit(':').next().unwrap_or_default().to_owned();
    drop(gateway);

    let other = crate::harness::refusing();
    let check = format!("check = {{ type = \"tcp\", port = {port}, {FAST} }}");
    let gateway = crate::harness::gateway().upstream("api", [&other]).with(&check).start();
    eventually("it passes", || gateway.backend("api", &other, "checks_passed") > 3);
    assert_eq!(gateway.backend_state("api", &other), "up", "nobody listens at its own port");
}

#[test]
fn a_connection_is_enough_for_tcp() {
    let [mut a, b] = backends(["a", "b"]);
    let gateway =
        gateway().upstream("api", [&a, &b]).with(&format!("check = {{ type = \"tcp\", {FAST} }}")).start();
    eventually("it passes", || gateway.backend("api", &a, "checks_passed") > 0);
    a.stop();
    becomes(&gateway, &a, "failing");
    assert_eq!(gateway.picks(4), vec!["b"; 4]);
    assert_eq!(gateway.backend("api", &a, "connect_failed"), 0, "no request found out");

    a.restart();
    becomes(&gateway, &a, "up");
}

#[test]
fn when_all_fail_their_checks_all_serve() {
    let (a, well, b, gateway) = checked("path = \"/nowhere\", status = \"404\"");
    assert!(well.load(SeqCst));
    becomes(&gateway, &a, "failing");
    becomes(&gateway, &b, "failing");
    eventually("it shows", || gateway.upstream("api")["panic"] == true);
    assert_eq!(gateway.get("/").status(), 200, "a check that is wrong is no outage");
}

#[test]
fn what_checks_have_found_outlives_a_reload_but_not_the_checks() {
    let (a, well, _b, gateway) = checked("path = \"/health\"");
    well.store(false, SeqCst);
    becomes(&gateway, &a, "failing");
    gateway.reload();
    assert_eq!(gateway.backend_state("api", &a), "failing");

    gateway.rewrite(|text| {
        text.lines().filter(|line| !line.starts_with("check")).collect::<Vec<_>>().join("\n")
    });
    gateway.reload();
    becomes(&gateway, &a, "up");
}

/// A gRPC server whose health service answers with this status of a service `chat.Chat`.
fn grpc_server(status: Arc<AtomicU8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("a listener");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer_checks(stream, Arc::clone(&status)));
            }
        });
    });
    address
}

async fn answer_checks(stream: tokio::net::TcpStream, status: Arc<AtomicU8>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((mut request, mut respond))) = connection.accept().await {
        let status = status.load(SeqCst);
        tokio::spawn(async move {
            assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
            let asked = request.body_mut().data().await.expect("a message").expect("a message");
            assert_eq!(&asked[..], b"\0\0\0\0\x0b\x0a\x09chat.Chat");
            let response =
                Response::builder().header("content-type", "application/grpc").body(()).expect("a head");
            let mut stream = respond.send_response(response, false).expect("an answer");
            stream.send_data(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]), false).expect("a message");
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().expect("a value"));
            stream.send_trailers(trailers).expect("trailers");
        });
    }
}

#[test]
fn a_grpc_service_says_itself_whether_it_serves() {
    let status = Arc::new(AtomicU8::new(1));
    let server = grpc_server(Arc::clone(&status));
    let check = format!("check = {{ type = \"grpc\", service = \"chat.Chat\", {FAST} }}");
    let gateway = gateway().upstream("api", [server]).with(&check).start();
    eventually("it passes", || gateway.backend("api", &server, "checks_passed") > 2);

    status.store(2, SeqCst);
    becomes(&gateway, &server, "failing");
    gateway.says("fails its checks: it says that it does not serve (NOT_SERVING)");
    status.store(1, SeqCst);
    becomes(&gateway, &server, "up");
}

#[test]
fn checks_are_encrypted_where_requests_are() {
    let authority = authority();
    let server = grpc_backend(Some(TlsServer::build(&authority.issue(&["127.0.0.1"]), None, &["h2"])));
    let gateway = gateway()
        .file("ca.pem", authority.pem())
        .upstream("api", [&server])
        .with("protocol = \"h2\"\ntls = { ca = \"ca.pem\" }")
        .with(&format!("check = {{ type = \"grpc\", {FAST} }}"))
        .start();

    gateway.says("fails its checks: it does not implement health checks (grpc-status 12)");
}

#[test]
fn who_speaks_no_http_2_fails_a_grpc_check() {
    let [a] = backends(["a"]);
    let check = format!("check = {{ type = \"grpc\", {FAST} }}");
    let gateway = gateway().upstream("api", [&a]).with(&check).start();
    becomes(&gateway, &a, "failing");
}
