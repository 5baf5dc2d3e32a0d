//! Certificates of clients.

use rustls::DEFAULT_VERSIONS;
use rustls::version::{TLS12, TLS13};

use crate::harness::{
    Authority, Backend, Gateway, TlsClient, authority, backends, eventually, gateway, tls_client,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

fn started(server: &Authority, clients: &Authority, demand: &str) -> (Backend, Gateway) {
    let [a] = backends(["a"]);
    let fields = "path = \"/\"\nupstream = \"api\"\nrequest_headers = { X-Client = \"$ssl_client_verify $ssl_client_s_dn\" }";
    let keys = format!("client_ca = \"ca.pem\", client_certificate = \"{demand}\"");
    let gateway = gateway()
        .file("ca.pem", clients.pem())
        .listen_tls(&server.issue(&["a.example"]), &keys)
        .route(fields)
        .upstream("api", [&a])
        .start();
    (a, gateway)
}

#[test]
fn who_has_a_certificate_is_let_in_and_named() {
    let (server, staff) = (authority(), authority());
    let (a, gateway) = started(&server, &staff, "required");
    let own = staff.issue(&["client-7"]);

    for version in [&TLS12, &TLS13] {
        let client = TlsClient::new(&server, Some(&own), &[version], &[]);
        let mut wire = client.connect(gateway.address(), "a.example");
        wire.send(GET);
        assert_eq!(wire.answer().backend(), "a");
    }
    let named: Vec<_> = a.requests().iter().map(|request| request.field("x-client")).collect();
    assert_eq!(named, ["SUCCESS CN=client-7", "SUCCESS CN=client-7"]);
}

#[test]
fn who_has_none_or_a_strangers_gets_nowhere() {
    let (server, staff) = (authority(), authority());
    let (a, gateway) = started(&server, &staff, "required");
    let strangers = authority().issue(&["client-7"]);

    for own in [None, Some(&strangers)] {
        for version in [&TLS12, &TLS13] {
            let client = TlsClient::new(&server, own, &[version], &[]);
            // In 1.3 the client believes to be done before its certificate is looked at.
            if let Ok(mut wire) = client.try_connect(gateway.address(), "a.example") {
                let _ = wire.try_send(GET);
                assert!(wire.try_answer().is_none());
            }
        }
    }
    assert_eq!(a.hits(), 0);
}

#[test]
fn where_it_is_optional_only_a_strangers_is_refused() {
    let (server, staff) = (authority(), authority());
    let (a, gateway) = started(&server, &staff, "optional");
    let strangers = authority().issue(&["client-7"]);

    let mut wire = tls_client(&server).connect(gateway.address(), "a.example");
    wire.send(GET);
    wire.answer();
    assert_eq!(a.only_request().field("x-client"), "NONE");
    let client = TlsClient::new(&server, Some(&strangers), &[&TLS12], &[]);
    assert!(client.try_connect(gateway.address(), "a.example").is_err());
}

#[test]
fn a_session_from_before_is_worth_nothing_once_other_authorities_are_believed() {
    let (server, old, new) = (authority(), authority(), authority());
    let (_a, gateway) = started(&server, &old, "required");
    let client = TlsClient::new(&server, Some(&old.issue(&["client-7"])), DEFAULT_VERSIONS, &[]);
    let ask = || {
        let mut wire = client.try_connect(gateway.address(), "a.example").ok()?;
        wire.try_send(GET).ok()?;
        wire.try_answer()
    };
    assert!(ask().is_some() && ask().is_some());

    gateway.write("ca.pem", new.pem());
    eventually("the old authority's clients are refused", || ask().is_none());
}

#[test]
fn a_session_of_a_listener_that_asks_nobody_opens_no_other() {
    let (server, staff, [a]) = (authority(), authority(), backends(["a"]));
    let own = server.issue(&["a.example"]);
    let gateway = gateway()
        .file("ca.pem", staff.pem())
        .listen_tls(&own, "")
        .listen_tls_at("127.0.0.2:0", &own, "client_ca = \"ca.pem\"")
        .upstream("api", [&a])
        .start();
    let client = tls_client(&server);
    let ask = |address: &str| {
        let mut wire = client.try_connect(address, "a.example").ok()?;
        wire.try_send(GET).ok()?;
        wire.try_answer()
    };

    assert!(ask(&gateway.addresses()[0]).is_some(), "and a ticket came with it");
    assert!(ask(&gateway.addresses()[1]).is_none());
}
