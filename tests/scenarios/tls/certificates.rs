//! Which certificate for which name, and how it is replaced while the gateway runs.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::harness::{
    Authority, Gateway, TlsClient, Wire, authority, backends, eventually, gateway, guest, tls_client,
};

/// The common name of the certificate that the other side showed.
fn shown(wire: &Wire) -> String {
    let chain: &[CertificateDer<'_>] = wire.tls().peer_certificates().expect("a certificate");
    let (_, parsed) = X509Certificate::from_der(&chain[0]).expect("a certificate");
    let name = parsed.subject().iter_common_name().next().expect("a common name");
    name.as_str().expect("a text").to_owned()
}

/// Serial number of the certificate in force, as the state page has it.
fn serial(gateway: &Gateway) -> String {
    certificate(gateway)["serial"].as_str().expect("a text").to_owned()
}

fn certificate(gateway: &Gateway) -> serde_json::Value {
    gateway.state()["listeners"][0]["tls"]["certificates"][0].clone()
}

fn started(authority: &Authority) -> Gateway {
    let [a] = backends(["a"]);
    gateway().listen_tls(&authority.issue(&["a.example"]), "").upstream("api", [&a]).start()
}

#[test]
fn the_name_decides_exact_before_wildcard_before_the_first() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let (first, wild, exact) = (
        authority.issue(&["a.example"]),
        authority.issue(&["b.example", "*.b.example"]),
        authority.issue(&["x.b.example"]),
    );
    let more = "certificates = [{ certificate = \"w.pem\", key = \"w.key\" }, { certificate = \"x.pem\" }]";
    let gateway = gateway()
        .file("w.pem", &wild.chain)
        .file("w.key", &wild.key)
        .file("x.pem", format!("{}{}", exact.chain, exact.key))
        .listen_tls(&first, more)
        .upstream("api", [&a])
        .start();

    let client = tls_client(&authority);
    for (asked, expected) in [
        ("a.example", "a.example"),
        ("A.EXAMPLE", "a.example"),
        ("b.example", "b.example"),
        ("y.b.example", "b.example"),
        ("x.b.example", "x.b.example"),
    ] {
        assert_eq!(shown(&client.connect(gateway.address(), asked)), expected, "{asked}");
    }
    let stranger = client.try_connect(gateway.address(), "c.example").unwrap_err().to_string();
    assert!(stranger.contains("not valid for name"), "it got the first one: {stranger}");
}

#[test]
fn a_changed_certificate_is_in_force_without_a_reload_and_cuts_nobody() {
    let authority = authority();
    let gateway = started(&authority);
    let client = tls_client(&authority);
    let mut before = client.connect(gateway.address(), "a.example");
    let old = serial(&gateway);

    let renewed = authority.issue(&["a.example", "new.example"]);
    gateway.write("a.key", &renewed.key);
    gateway.write("a.pem", &renewed.chain);
    eventually("the new one is in force", || serial(&gateway) != old);

    client.connect(gateway.address(), "new.example");
    before.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_eq!(before.answer().status(), 502, "its backend is gone, the connection is not");
    assert_eq!(gateway.generation(), 1);
}

#[test]
fn a_bad_new_certificate_leaves_the_old_one_in_force_loudly() {
    let authority = authority();
    let gateway = started(&authority);
    let old = serial(&gateway);

    gateway.write("a.pem", "-----BEGIN CERTIFICATE-----\nhalf of");
    gateway.says("a changed file is not taken up");
    eventually("the state says so", || !certificate(&gateway)["problem"].is_null());
    assert_eq!(serial(&gateway), old);
    let metrics = gateway.control("GET", "/metrics").text();
    assert!(metrics.lines().any(|l| l.starts_with("pointsman_certificate_problem{") && l.ends_with(" 1.0")));
    tls_client(&authority).connect(gateway.address(), "a.example");

    let finished = gateway.command("reload");
    assert!(finished.code != 0 && finished.stderr.contains("cannot use"), "{finished:?}");
    tls_client(&authority).connect(gateway.address(), "a.example");
    assert_eq!(gateway.generation(), 1);

    let renewed = authority.issue(&["a.example"]);
    gateway.write("a.key", &renewed.key);
    gateway.write("a.pem", &renewed.chain);
    eventually("a good one mends it", || {
        certificate(&gateway)["problem"].is_null() && serial(&gateway) != old
    });
}

#[test]
fn a_policy_that_changes_does_not_bring_an_old_certificate_back() {
    let authority = authority();
    let gateway = started(&authority);
    let old = serial(&gateway);
    let renewed = authority.issue(&["a.example"]);
    gateway.write("a.key", &renewed.key);
    gateway.write("a.pem", &renewed.chain);
    eventually("the new one is in force", || serial(&gateway) != old);
    let new = serial(&gateway);

    gateway.write("policies/mine.wat", guest::always(0));
    eventually("policies were looked at", || gateway.generation() > 1);
    assert_eq!(serial(&gateway), new);
}

#[test]
fn a_reload_takes_tls_up_and_down_at_the_same_address() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let own = authority.issue(&["a.example"]);
    let gateway = gateway().file("a.pem", &own.chain).file("a.key", &own.key).upstream("api", [&a]).start();
    assert_eq!(gateway.get("/").backend(), "a");

    let with = "address = \"127.0.0.1:0\"\ntls = { certificate = \"a.pem\", key = \"a.key\" }";
    gateway.rewrite(|text| text.replace("address = \"127.0.0.1:0\"", with));
    gateway.reload();
    tls_client(&authority).connect(gateway.address(), "a.example");
    assert_eq!(gateway.get("/").status(), 400);

    gateway.rewrite(|text| text);
    gateway.reload();
    assert_eq!(gateway.get("/").backend(), "a");
}

#[test]
fn what_expires_soon_is_told_by_check_and_metrics() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let soon = authority.issue_until(&["a.example"], 5);
    let gateway = gateway().listen_tls(&soon, "").upstream("api", [&a]).start();

    gateway.says("the certificate of `a.example` expires in 5 days");
    let checked = gateway.command("check");
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.stderr.contains("expires in 5 days"), "{checked:?}");
    let metrics = gateway.control("GET", "/metrics").text();
    let line = metrics.lines().find(|line| line.starts_with("pointsman_certificate_not_after_seconds{"));
    let told: f64 = line.expect("a metric").rsplit(' ').next().expect("a value").parse().expect("a number");
    assert_eq!(told as i64, certificate(&gateway)["not_after"].as_i64().expect("a number"));
}

#[test]
fn an_address_without_a_name_gets_the_first_certificate() {
    let (authority, [a]) = (authority(), backends(["a"]));
    let own = authority.issue(&["a.example", "127.0.0.1"]);
    let gateway = gateway().listen_tls(&own, "").upstream("api", [&a]).start();

    let client = TlsClient::new(&authority, None, rustls::ALL_VERSIONS, &[]);
    assert_eq!(shown(&client.connect(gateway.address(), "127.0.0.1")), "a.example");
}
