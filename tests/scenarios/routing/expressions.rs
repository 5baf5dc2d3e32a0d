//! Regular expressions in paths, and the path that the backend gets.

use crate::harness::{Backend, Gateway, backends, gateway};

fn routed(routes: &[&str]) -> (Gateway, Backend) {
    let [a] = backends(["a"]);
    let mut plan = gateway();
    for route in routes {
        plan = plan
            .route(&format!("{route}\nupstream = \"api\"\nresponse_headers = {{ X-Route = \"$route\" }}"));
    }
    (plan.upstream("api", [&a]).start(), a)
}

/// The target that the backend sees.
fn seen(routes: &[&str], target: &str) -> String {
    let (gateway, a) = routed(routes);
    let answer = gateway.get(target);
    assert_eq!(answer.status(), 200, "{answer:?}");
    a.only_request().target().to_owned()
}

#[test]
fn expressions_come_between_final_and_plain_prefixes() {
    let (gateway, _a) = routed(&[
        "path = '/'",
        "path = '^~ /static/'",
        "path = '~ \\.(png|gif)$'",
        "path = '~* \\.PNG$'",
        "path = '= /x.png'",
    ]);
    let route = |path: &str| gateway.get(path).field("x-route").trim_start_matches("every host ").to_owned();

    assert_eq!(route("/a/b.png"), r"~ \.(png|gif)$");
    assert_eq!(route("/a/b.Png"), r"~* \.PNG$");
    assert_eq!(route("/static/b.png"), "^~ /static/");
    assert_eq!(route("/x.png"), "= /x.png");
    assert_eq!(route("/x.txt"), "/");
    assert_eq!(route("/a%2Epng"), r"~ \.(png|gif)$", "what is compared is decoded");
}

#[test]
fn a_prefix_is_replaced_and_the_rest_kept_as_it_was_written() {
    let route = ["path = '/api/'\nrewrite = '/v2/'"];
    assert_eq!(seen(&route, "/api/x?y=1"), "/v2/x?y=1");
    assert_eq!(seen(&route, "/%61pi//a%2Fb%20c"), "/v2/a%2Fb%20c");
    assert_eq!(seen(&route, "/api/"), "/v2/");
    assert_eq!(seen(&["path = '/api'\nrewrite = '/'"], "/api"), "/");
    assert_eq!(seen(&["path = '/'\nrewrite = '/base/'"], "/x"), "/base/x");
}

#[test]
fn an_exact_path_is_replaced_whole() {
    assert_eq!(seen(&["path = '= /login'\nrewrite = '/auth/v1/login'"], "/login?a"), "/auth/v1/login?a");
}

#[test]
fn groups_build_the_path_and_bring_no_query_of_their_own() {
    let route = [r"path = '~ ^/users/(?<id>[^/]+)/(.*)$'
rewrite = '/u/$2?id=$id'"];
    assert_eq!(seen(&route, "/users/7/mail?x=1"), "/u/mail?id=7", "a query in `rewrite` takes the place");
    assert_eq!(seen(&route, "/users/7%26x%3D1%3F/a%23b"), "/u/a%23b?id=7&x=1%3F");
}

#[test]
fn the_backend_never_sees_dots_that_a_rewrite_has_put_together() {
    let route = ["path = '~ ^/x/([^/]*)-([^/]*)/(.*)$'\nrewrite = '/public/$1$2/$3'"];
    assert_eq!(seen(&route, "/x/.-./open"), "/open");
    assert_eq!(seen(&route, "/x/a-b/open"), "/public/ab/open");
}

#[test]
fn the_log_and_headers_keep_the_path_that_was_asked_for() {
    let [a] = backends(["a"]);
    let gateway = gateway()
        .section("[log]\naccess = \"access.log\"\nformat = \"$request_uri $request\"")
        .route("path = '/api/'\nrewrite = '/'\nupstream = 'api'\nrequest_headers = { X-Original-URI = '$request_uri' }")
        .upstream("api", [&a])
        .start();
    gateway.get("/api/x?y");

    assert_eq!(gateway.lines("access.log", 1), ["/api/x?y GET /api/x?y HTTP/1.1"]);
    let request = a.only_request();
    assert_eq!((request.target(), request.field("x-original-uri")), ("/x?y", "/api/x?y".into()));
}
