//! Sessions stay at the backend that they began with.

use crate::harness::{Gateway, Message, backend, backends, eventually, gateway};

/// The answer to a GET with this cookie.
fn with_cookie(gateway: &Gateway, cookie: &str) -> Message {
    gateway.ask(&format!("GET / HTTP/1.1\r\nHost: test\r\nCookie: a=b; {cookie}; c=d\r\n\r\n"))
}

/// Name and value of the cookie that an answer sets.
fn cookie_of(answer: &Message) -> String {
    let cookies = answer.all("set-cookie");
    assert_eq!(cookies.len(), 1, "{answer:?}");
    cookies[0].split(';').next().unwrap_or_default().to_owned()
}

#[test]
fn a_cookie_keeps_a_client_where_it_began() {
    let [a, b, c] = backends(["a", "b", "c"]);
    let gateway = gateway().upstream("api", [&a, &b, &c]).with("sticky = { cookie = \"at\" }").start();
    for _ in 0..3 {
        let first = gateway.get("/");
        let cookie = cookie_of(&first);
        for _ in 0..4 {
            let again = with_cookie(&gateway, &cookie);
            assert_eq!((again.backend(), again.has("set-cookie")), (first.backend(), false));
        }
    }
    assert!(a.hits() > 0 && b.hits() > 0 && c.hits() > 0, "who has none is balanced");
}

#[test]
fn it_has_the_attributes_that_are_configured() {
    let [a] = backends(["a"]);
    let sticky = "sticky = { cookie = \"at\", path = \"/app\", domain = \"a.example\", max_age = \"1h\", secure = true, same_site = \"strict\" }";
    let gateway = gateway().upstream("api", [&a]).with(sticky).start();
    let answer = gateway.get("/");

    let (_, attributes) = answer.all("set-cookie")[0].split_once("; ").expect("attributes");
    assert_eq!(attributes, "Path=/app; Domain=a.example; Max-Age=3600; HttpOnly; Secure; SameSite=Strict");
}

#[test]
fn it_says_nothing_about_the_backend_and_a_signed_one_cannot_be_made() {
    let [a, b] = backends(["a", "b"]);
    let start = |secret: &str| {
        let sticky = format!("sticky = {{ cookie = \"at\"{secret} }}");
        gateway().upstream("api", [&a, &b]).with(&sticky).start()
    };
    let plain = start("");
    let (one, other) =
        (start(", secret = \"one-one-one-one-one\""), start(", secret = \"two-two-two-two-two\""));
    let cookie = |gateway: &Gateway, name: &str| loop {
        let answer = gateway.get("/");
        if answer.backend() == name {
            return cookie_of(&answer);
        }
    };

    assert!(!cookie(&plain, "a").contains(&a.to_string()));
    assert_eq!(cookie(&one, "a"), cookie(&one, "a"));
    assert_ne!(cookie(&one, "a"), cookie(&other, "a"));
    assert_ne!(cookie(&one, "a"), cookie(&plain, "a"));
    assert!(with_cookie(&one, &cookie(&other, "a")).has("set-cookie"), "a foreign value is no value");
}

#[test]
fn when_its_backend_fails_the_session_moves_for_good() {
    let mut fleet = backends(["a", "b"]);
    let gateway = gateway().upstream("api", &fleet).with("sticky = { cookie = \"at\" }").start();
    let first = gateway.get("/");
    let (old, new) = if first.backend() == "a" { (0, 1) } else { (1, 0) };
    fleet[old].stop();

    let moved = with_cookie(&gateway, &cookie_of(&first));
    assert_eq!(moved.backend(), fleet[new].name);
    fleet[old].restart();
    assert_eq!(with_cookie(&gateway, &cookie_of(&moved)).backend(), fleet[new].name);
}

#[test]
fn it_is_honoured_while_its_backend_is_drained_and_not_when_it_is_down() {
    let [a, b] = backends(["a", "b"]);
    let gateway = gateway()
        .upstream("api", [a.entry("down = false"), b.to_string()])
        .policy("{ use = \"round_robin\", start = \"first\" }")
        .with("sticky = { cookie = \"at\" }")
        .start();
    let first = gateway.get("/");
    assert_eq!(first.backend(), "a");
    let cookie = cookie_of(&first);

    gateway.tell(&["drain", "api", &a.to_string()]);
    assert_eq!(gateway.picks(4), vec!["b"; 4], "new clients");
    assert_eq!(with_cookie(&gateway, &cookie).backend(), "a");

    gateway.rewrite(|text| text.replace("down = false", "down = true"));
    gateway.reload();
    assert_eq!(with_cookie(&gateway, &cookie).backend(), "b");
}

#[test]
fn it_holds_in_another_gateway_with_the_same_configuration() {
    let [a, b] = backends(["a", "b"]);
    let start = || gateway().upstream("api", [&a, &b]).with("sticky = { cookie = \"at\" }").start();
    let (one, other) = (start(), start());
    let first = one.get("/");

    let cookie = cookie_of(&first);
    assert_eq!((0..6).filter(|_| with_cookie(&other, &cookie).backend() == first.backend()).count(), 6);
}

#[test]
fn a_cookie_of_the_application_is_learnt() {
    let login = |name: &'static str| {
        backend(name, move |request| {
            let cookie = match request.target() {
                "/login" => format!("Set-Cookie: other=1\r\nSet-Cookie: SID=of-{name}; Path=/\r\n"),
                _ => String::new(),
            };
            format!("HTTP/1.1 200 OK\r\nX-Backend: {name}\r\n{cookie}Content-Length: 0\r\n\r\n").into_bytes()
        })
    };
    let [a, b] = ["a", "b"].map(login);
    let plan = gateway().top("workers = 2").upstream("api", [&a, &b]);
    let gateway = plan.with("sticky = { learn_cookie = \"SID\" }").start();
    for name in ["a", "b"] {
        eventually("a login there", || gateway.get("/login").backend() == name);
        for _ in 0..6 {
            let answer = with_cookie(&gateway, &format!("SID=of-{name}"));
            assert_eq!((answer.backend().as_str(), answer.has("set-cookie")), (name, false));
        }
    }
    assert_eq!(gateway.upstream("api")["sessions"], 2);

    gateway.reload();
    assert_eq!((0..6).filter(|_| with_cookie(&gateway, "SID=of-b").backend() == "b").count(), 6);
}

#[test]
fn a_field_of_the_request_is_learnt() {
    let [a, b, c] = backends(["a", "b", "c"]);
    let plan = gateway().top("workers = 2").upstream("api", [&a, &b, &c]);
    let gateway = plan.with("sticky = { learn_header = \"X-User\" }").start();
    let ask = |user: &str| {
        gateway.ask(&format!("GET / HTTP/1.1\r\nHost: test\r\nX-User: {user}\r\n\r\n")).backend()
    };

    for user in ["ann", "bob", "eve"] {
        let first = ask(user);
        assert_eq!((0..5).filter(|_| ask(user) == first).count(), 5, "{user}");
    }
    let names = gateway.picks(6);
    assert!(["a", "b", "c"].iter().all(|name| names.contains(&(*name).to_owned())), "others are balanced");
}

#[test]
fn a_learnt_session_moves_with_its_client_when_the_backend_is_gone() {
    let mut fleet = backends(["a", "b", "c"]);
    let plan = gateway().upstream("api", &fleet).with("sticky = { learn_header = \"X-User\" }");
    let gateway = plan.start();
    let ask = || gateway.ask("GET / HTTP/1.1\r\nHost: test\r\nX-User: ann\r\n\r\n").backend();
    let first = ask();
    let at = fleet.iter().position(|backend| backend.name == first).expect("one of them");
    fleet[at].stop();

    let second = ask();
    assert_ne!(second, first);
    fleet[at].restart();
    eventually("it stays there", || ask() == second);
    assert_eq!((0..5).filter(|_| ask() == second).count(), 5);
}
