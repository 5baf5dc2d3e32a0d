//! Every key of the configuration: its type, its default, and what nginx calls it.
//!
//! This table is the only place where these are written down in code. The reading in `fields`
//! takes types, bounds and defaults from it, unknown keys are those that are not in it, and a test
//! holds `docs/configuration.md` against it.

use std::fmt;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Text,
    /// Text with nginx's variables.
    Template,
    /// Path, relative to the file it is written in.
    Path,
    /// `host:port` or `unix:/path`.
    Address,
    OneOf(&'static [&'static str]),
    Flag,
    /// From, to.
    Number(i64, i64),
    /// From, to.
    Duration(&'static str, &'static str),
    /// From, to.
    Size(&'static str, &'static str),
    /// Requests in a time: `10/s`.
    Rate,
    /// One text or a list of texts.
    Texts,
    /// A table of texts with variables, or of tables with one of those.
    Headers,
    /// A status, an address or a table.
    Answer,
    /// A table of pages by status.
    Pages,
    /// A table of texts.
    Labels,
    /// A list of addresses and tables.
    Backends,
    /// A name or a table.
    Policy,
    /// A table of TLS towards clients.
    Tls,
    /// `true`, or a table of TLS towards backends.
    BackendTls,
    /// A list of tables.
    Certificates,
    /// One policy or a list of them.
    Policies,
    /// A policy that tries itself out: a table.
    Canary,
    /// From, to, per cent.
    Share(&'static str, &'static str),
    /// `[name]`.
    Table,
    /// `[[name]]`.
    Tables,
    /// `[name.any]`.
    NamedTables,
}

/// What holds when a key is absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Absent {
    /// Nothing: it must be written.
    Required,
    /// This value, as one would write it (texts without quotes).
    Value(&'static str),
    /// Something that is not a value; the words of the reference.
    Otherwise(&'static str),
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Absent,
    /// nginx's directive or parameter for it; empty if it has none.
    pub(super) nginx: &'static str,
}

/// The keys of one kind of table.
#[derive(Debug)]
pub(super) struct Section {
    /// How its beginning is written, as in a sentence.
    pub(super) title: &'static str,
    /// What one such table is, with article.
    pub(super) noun: &'static str,
    pub(super) keys: &'static [Key],
    /// Whether other keys are allowed, because they are somebody else's.
    pub(super) open: bool,
}

const fn key(name: &'static str, kind: Kind, default: Absent, nginx: &'static str) -> Key {
    Key { name, kind, default, nginx }
}

const fn section(title: &'static str, noun: &'static str, keys: &'static [Key]) -> Section {
    Section { title, noun, keys, open: false }
}

use Absent::{Otherwise, Required, Value};
use Kind::{
    Address, Answer, BackendTls, Backends, Canary, Certificates, Duration, Flag, Headers, Labels,
    NamedTables, Number, OneOf, Pages, Path, Policies, Policy, Rate, Share, Size, Table, Tables, Template,
    Text, Texts, Tls,
};

/// Versions of the PROXY protocol towards backends.
pub(super) const PROXY_PROTOCOL: &[&str] = &["off", "v1", "v2"];

/// What an upstream does with the backend that was picked.
pub(super) const MODES: &[&str] = &["proxy", "redirect"];

/// How much a client's certificate matters.
pub(super) const DEMANDS: &[&str] = &["required", "optional"];

/// What is spoken with backends.
pub(super) const PROTOCOLS: &[&str] = &["http1", "h2"];

/// The levels of the log, from few lines to many.
pub(super) const LEVELS: &[&str] = &["error", "warn", "info", "debug"];

pub(super) static TOP: Section = section(
    "the top of the main file",
    "the configuration",
    &[
        key("workers", Number(1, 1024), Otherwise("number of cores"), "worker_processes"),
        key("policies", Path, Value("policies"), ""),
        key("policy_cache", Path, Otherwise("the user's cache folder"), ""),
        key("control", Path, Value("pointsman.sock"), ""),
        key("pid_file", Path, Otherwise("none is written"), "pid"),
        key("user", Text, Otherwise("it stays who started it"), "user"),
        key("quit_timeout", Duration("0", "24h"), Value("30s"), "worker_shutdown_timeout"),
        key("resolve_interval", Duration("1s", "24h"), Value("10s"), "resolver"),
        key("include", Texts, Otherwise("nothing"), "include"),
        key("admin", Table, Otherwise("no TCP address"), ""),
        key("log", Table, Otherwise("see there"), ""),
        key("sandbox", Table, Otherwise("see there"), ""),
        key("limits", Table, Otherwise("see there"), ""),
        key("error_pages", Pages, Otherwise("the status and the reason, in two lines"), "error_page"),
        key("compression", Table, Otherwise("nothing is compressed"), "gzip"),
        key("rate_limit", NamedTables, Otherwise("none"), "limit_req_zone"),
        key("connection_limit", NamedTables, Otherwise("none"), "limit_conn_zone"),
        key("listen", Tables, Required, "server"),
        key("route", Tables, Required, "location"),
        key("upstream", NamedTables, Otherwise("none"), "upstream"),
    ],
);

/// What of it an included file may have.
pub(super) static INCLUDED: Section = section(
    "an included file",
    "an included file",
    &[
        key("listen", Tables, Otherwise("nothing"), "server"),
        key("route", Tables, Otherwise("nothing"), "location"),
        key("upstream", NamedTables, Otherwise("nothing"), "upstream"),
    ],
);

pub(super) static ADMIN: Section =
    section("`[admin]`", "`[admin]`", &[key("address", Address, Required, "")]);

pub(super) static LOG: Section = section(
    "`[log]`",
    "`[log]`",
    &[
        key("level", OneOf(LEVELS), Value("info"), ""),
        key("file", Path, Otherwise("standard error"), "error_log"),
        key("access", Text, Value("off"), "access_log"),
        key("format", Template, Value("combined"), "log_format"),
    ],
);

pub(super) static SANDBOX: Section = section(
    "`[sandbox]`",
    "`[sandbox]`",
    &[
        key("pick_deadline", Duration("1ms", "1s"), Value("10ms"), ""),
        key("init_deadline", Duration("1ms", "60s"), Value("1s"), ""),
        key("memory", Size("64k", "4g"), Value("64m"), ""),
        key("max_faults", Number(1, 1_000_000), Value("5"), ""),
        key("fault_window", Duration("1s", "24h"), Value("60s"), ""),
    ],
);

pub(super) static LIMITS: Section = section(
    "`[limits]`",
    "`[limits]`",
    &[
        key("header_timeout", Duration("1ms", "24h"), Value("60s"), "client_header_timeout"),
        key("body_timeout", Duration("1ms", "24h"), Value("60s"), "client_body_timeout"),
        key("idle_timeout", Duration("1ms", "24h"), Value("75s"), "keepalive_timeout"),
        key("send_timeout", Duration("1ms", "24h"), Value("60s"), "send_timeout"),
        key("max_requests", Number(0, 1_000_000_000), Value("0"), "keepalive_requests"),
        key("max_head", Size("8k", "1m"), Value("32k"), "large_client_header_buffers"),
        key("max_body", Size("0", "1048576g"), Value("1g"), "client_max_body_size"),
        key("max_connections", Number(0, 10_000_000), Value("0"), "worker_connections"),
        key("max_connections_per_client", Number(0, 10_000_000), Value("0"), ""),
        key("rate_limits", Texts, Otherwise("none"), "limit_req"),
        key("connection_limits", Texts, Otherwise("none"), "limit_conn"),
    ],
);

pub(super) static COMPRESSION: Section = section(
    "`[compression]`",
    "`[compression]`",
    &[
        key("codings", Texts, Otherwise("`[\"zstd\", \"br\", \"gzip\"]`"), "gzip"),
        key("types", Texts, Otherwise("text, scripts, JSON, XML, SVG, fonts and WebAssembly"), "gzip_types"),
        key("min_size", Size("0", "1g"), Value("256"), "gzip_min_length"),
        key("gzip_level", Number(1, 9), Value("5"), "gzip_comp_level"),
        key("brotli_level", Number(0, 11), Value("4"), "brotli_comp_level"),
        key("zstd_level", Number(1, 19), Value("3"), "zstd_comp_level"),
    ],
);

pub(super) static RATE_LIMIT: Section = section(
    "`[rate_limit.<name>]`",
    "a rate limit",
    &[
        key("rate", Rate, Required, "rate"),
        key("key", Template, Value("$binary_remote_addr"), "limit_req_zone"),
        key("burst", Number(0, 1_000_000_000), Value("0"), "burst"),
        key("delay", Number(0, 1_000_000_000), Value("0"), "delay"),
        key("nodelay", Flag, Value("false"), "nodelay"),
        key("status", Number(400, 599), Value("429"), "limit_req_status"),
        key("size", Size("1k", "4g"), Value("1m"), "zone"),
        key("dry_run", Flag, Value("false"), "limit_req_dry_run"),
    ],
);

pub(super) static CONNECTION_LIMIT: Section = section(
    "`[connection_limit.<name>]`",
    "a connection limit",
    &[
        key("max", Number(1, 16_777_215), Required, "limit_conn"),
        key("key", Template, Value("$binary_remote_addr"), "limit_conn_zone"),
        key("status", Number(400, 599), Value("429"), "limit_conn_status"),
        key("size", Size("1k", "4g"), Value("1m"), "zone"),
        key("dry_run", Flag, Value("false"), "limit_conn_dry_run"),
    ],
);

pub(super) static LISTEN: Section = section(
    "`[[listen]]`",
    "a listener",
    &[
        key("address", Address, Required, "listen"),
        key("backlog", Number(1, 65535), Value("1024"), "backlog"),
        key("trusted_proxies", Texts, Otherwise("nobody"), "set_real_ip_from"),
        key(
            "real_ip_header",
            Text,
            Otherwise("`X-Forwarded-For`, if there are `trusted_proxies`"),
            "real_ip_header",
        ),
        key("proxy_protocol", Flag, Value("false"), "proxy_protocol"),
        key("tls", Tls, Otherwise("connections are not encrypted"), "ssl"),
    ],
);

pub(super) static LISTEN_TLS: Section = section(
    "`[[listen]] tls = { ... }`",
    "TLS of a listener",
    &[
        key("certificate", Path, Otherwise("the first of `certificates`"), "ssl_certificate"),
        key("key", Path, Otherwise("in the file `certificate`"), "ssl_certificate_key"),
        key("certificates", Certificates, Otherwise("nothing"), "ssl_certificate"),
        key("protocols", Texts, Otherwise("both"), "ssl_protocols"),
        key("http2", Flag, Value("true"), "http2"),
        key("client_ca", Path, Otherwise("clients are not asked"), "ssl_client_certificate"),
        key("client_certificate", OneOf(DEMANDS), Value("required"), "ssl_verify_client"),
        key("handshake_timeout", Duration("1ms", "24h"), Value("10s"), "ssl_handshake_timeout"),
    ],
);

pub(super) static CERTIFICATE: Section = section(
    "`certificates = [{ ... }]`",
    "a certificate",
    &[
        key("certificate", Path, Required, "ssl_certificate"),
        key("key", Path, Otherwise("in the file `certificate`"), "ssl_certificate_key"),
    ],
);

pub(super) static ROUTE: Section = section(
    "`[[route]]`",
    "a route",
    &[
        key("host", Texts, Otherwise("every host"), "server_name"),
        key("path", Text, Value("/"), "location"),
        key("upstream", Text, Otherwise("needed, unless there is `return`"), "proxy_pass"),
        key("return", Answer, Otherwise("the upstream answers"), "return"),
        key("rewrite", Template, Otherwise("the path is passed on as it came"), "rewrite"),
        key("max_body", Size("0", "1048576g"), Otherwise("`limits.max_body`"), "client_max_body_size"),
        key("timeout", Duration("0", "24h"), Value("0"), ""),
        key("request_headers", Headers, Otherwise("nothing"), "proxy_set_header"),
        key("response_headers", Headers, Otherwise("nothing"), "add_header"),
        key("error_pages", Pages, Otherwise("those at the top"), "error_page"),
        key("intercept_errors", Flag, Value("false"), "proxy_intercept_errors"),
        key("rate_limits", Texts, Otherwise("`limits.rate_limits`"), "limit_req"),
        key("connection_limits", Texts, Otherwise("`limits.connection_limits`"), "limit_conn"),
        key("compression", Flag, Otherwise("`true` if there is `[compression]`"), "gzip"),
    ],
);

pub(super) static PAGE: Section = section(
    "`return = { ... }`, `error_pages = { 404 = { ... } }`",
    "a page",
    &[
        key(
            "status",
            Number(200, 599),
            Otherwise("302 with `to`, else 200; in `error_pages` that of the error"),
            "",
        ),
        key("to", Template, Otherwise("no redirect"), ""),
        key("text", Template, Otherwise("the status, in a line"), ""),
        key("file", Path, Otherwise("`text`"), ""),
        key("type", Text, Otherwise("by the file's ending, by the beginning of the text"), "default_type"),
    ],
);

pub(super) static HEADER: Section = section(
    "`request_headers = { Name = { ... } }`",
    "a rule for a header",
    &[
        key("set", Template, Otherwise("nothing"), "proxy_set_header"),
        key("add", Template, Otherwise("nothing"), "add_header"),
        key("default", Template, Otherwise("nothing"), ""),
        key("remove", Flag, Value("false"), "proxy_hide_header"),
        key("always", Flag, Value("true"), "always"),
    ],
);

pub(super) static UPSTREAM: Section = section(
    "`[upstream.<name>]`",
    "an upstream",
    &[
        key("backends", Backends, Required, "server"),
        key(
            "policy",
            Policy,
            Otherwise("`\"adaptive\"`, or `\"round_robin\"` with `mode = \"redirect\"`"),
            "",
        ),
        key("shadow", Policies, Otherwise("none"), ""),
        key("shadow_share", Share("0%", "100%"), Value("100%"), ""),
        key("canary", Canary, Otherwise("none"), ""),
        key("hash_key", Template, Otherwise("nothing"), "hash"),
        key("connect_timeout", Duration("1ms", "24h"), Value("5s"), "proxy_connect_timeout"),
        key("send_timeout", Duration("1ms", "24h"), Value("60s"), "proxy_send_timeout"),
        key("read_timeout", Duration("1ms", "24h"), Value("60s"), "proxy_read_timeout"),
        key("idle_connections", Number(0, 65535), Value("64"), "keepalive"),
        key("idle_timeout", Duration("1ms", "24h"), Value("60s"), "keepalive_timeout"),
        key("tries", Number(0, 1000), Value("0"), "proxy_next_upstream_tries"),
        key(
            "retry_on",
            Texts,
            Otherwise("`[\"error\", \"timeout\", \"invalid_header\"]`"),
            "proxy_next_upstream",
        ),
        key("retry_timeout", Duration("0", "24h"), Value("0"), "proxy_next_upstream_timeout"),
        key("retry_budget", Number(0, 100), Value("20"), ""),
        key("retry_body", Size("0", "64m"), Value("64k"), ""),
        key("max_fails", Number(0, 1_000_000), Value("0"), "max_fails"),
        key("fail_timeout", Duration("1ms", "24h"), Value("10s"), "fail_timeout"),
        key("ejection", Table, Otherwise("see there"), ""),
        key("check", Table, Otherwise("none"), "health_check"),
        key("panic_threshold", Number(0, 100), Value("0"), ""),
        key("max_conns", Number(0, 1_000_000), Value("0"), "max_conns"),
        key("queue", Number(0, 1_000_000), Value("0"), "queue"),
        key("queue_timeout", Duration("1ms", "24h"), Value("60s"), "timeout"),
        key("slow_start", Duration("0", "24h"), Value("0"), "slow_start"),
        key("sticky", Table, Otherwise("none"), "sticky"),
        key("proxy_protocol", OneOf(PROXY_PROTOCOL), Value("off"), "proxy_protocol"),
        key("mode", OneOf(MODES), Value("proxy"), ""),
        key("redirect_status", Number(301, 308), Otherwise("302 for `GET` and `HEAD`, else 307"), ""),
        key("tls", BackendTls, Otherwise("connections are not encrypted"), "proxy_ssl"),
        key("protocol", OneOf(PROTOCOLS), Value("http1"), "proxy_http_version"),
        key("max_streams", Number(1, 100_000), Value("100"), "http2_max_concurrent_streams"),
        key("request_headers", Headers, Otherwise("nothing"), "proxy_set_header"),
        key("response_headers", Headers, Otherwise("nothing"), "add_header"),
    ],
);

pub(super) static UPSTREAM_TLS: Section = section(
    "`[upstream.<name>] tls = { ... }`",
    "TLS of an upstream",
    &[
        key("server_name", Text, Otherwise("the backend's host"), "proxy_ssl_name"),
        key("verify", Flag, Value("true"), "proxy_ssl_verify"),
        key("ca", Path, Otherwise("the system's authorities"), "proxy_ssl_trusted_certificate"),
        key("certificate", Path, Otherwise("none"), "proxy_ssl_certificate"),
        key("key", Path, Otherwise("in the file `certificate`"), "proxy_ssl_certificate_key"),
        key("protocols", Texts, Otherwise("both"), "proxy_ssl_protocols"),
    ],
);

pub(super) static BACKEND: Section = section(
    "`backends = [{ ... }]`",
    "a backend",
    &[
        key("address", Address, Required, "server"),
        key("weight", Number(1, 65535), Value("1"), "weight"),
        key("backup", Flag, Value("false"), "backup"),
        key("down", Flag, Value("false"), "down"),
        key("drain", Flag, Value("false"), "drain"),
        key("max_fails", Number(0, 1_000_000), Otherwise("that of the upstream"), "max_fails"),
        key("fail_timeout", Duration("1ms", "24h"), Otherwise("that of the upstream"), "fail_timeout"),
        key("max_conns", Number(0, 1_000_000), Otherwise("that of the upstream"), "max_conns"),
        key("slow_start", Duration("0", "24h"), Otherwise("that of the upstream"), "slow_start"),
        key("zone", Text, Otherwise("none"), ""),
        key("public", Text, Otherwise("`http://` and its address"), ""),
        key("labels", Labels, Otherwise("none"), ""),
    ],
);

pub(super) static CANARY: Section = section(
    "`canary = { ... }`",
    "a canary",
    &[
        key("use", Policy, Required, ""),
        key("share", Share("0%", "100%"), Value("5%"), ""),
        key("max_failures", Share("0%", "100%"), Value("2%"), ""),
        key("max_latency", Share("0%", "10000%"), Value("50%"), ""),
        key("window", Duration("1s", "1h"), Value("30s"), ""),
        key("least_requests", Number(1, 1_000_000), Value("200"), ""),
        key("promote_after", Duration("1s", "30d"), Otherwise("never by itself"), ""),
    ],
);

pub(super) static EJECTION: Section = section(
    "`[upstream.<name>.ejection]`",
    "`ejection`",
    &[
        key("errors", Number(0, 1_000_000), Value("5"), ""),
        key("first", Duration("1ms", "24h"), Value("10s"), ""),
        key("longest", Duration("1ms", "24h"), Value("300s"), ""),
        key("share", Number(1, 100), Value("50"), ""),
    ],
);

pub(super) static CHECK: Section = section(
    "`[upstream.<name>.check]`",
    "`check`",
    &[
        key("type", OneOf(&["http", "tcp", "grpc"]), Value("http"), ""),
        key("path", Text, Value("/"), "uri"),
        key("host", Text, Otherwise("the backend's address"), ""),
        key("status", Texts, Otherwise("`\"200-399\"`"), "match"),
        key("body", Text, Otherwise("anything"), "match"),
        key("service", Text, Otherwise("the whole server"), "grpc_service"),
        key("port", Number(1, 65535), Otherwise("that of the backend"), "port"),
        key("interval", Duration("10ms", "24h"), Value("5s"), "interval"),
        key("jitter", Number(0, 100), Value("10"), "jitter"),
        key("timeout", Duration("1ms", "1h"), Value("2s"), ""),
        key("rise", Number(1, 1000), Value("2"), "passes"),
        key("fall", Number(1, 1000), Value("3"), "fails"),
    ],
);

pub(super) static STICKY: Section = section(
    "`[upstream.<name>.sticky]`",
    "`sticky`",
    &[
        key("cookie", Text, Otherwise("none"), "cookie"),
        key("secret", Text, Otherwise("none"), ""),
        key("path", Text, Value("/"), "path"),
        key("domain", Text, Otherwise("that of the request"), "domain"),
        key("max_age", Duration("0", "10y"), Value("0"), "expires"),
        key("http_only", Flag, Value("true"), "httponly"),
        key("secure", Flag, Value("false"), "secure"),
        key("same_site", OneOf(&["lax", "strict", "none"]), Value("lax"), "samesite"),
        key("learn_cookie", Text, Otherwise("none"), "learn"),
        key("learn_header", Text, Otherwise("none"), ""),
        key("sessions", Number(1, 100_000_000), Value("100000"), "zone"),
        key("timeout", Duration("1s", "10y"), Value("1h"), "timeout"),
    ],
);

pub(super) static POLICY: Section = Section {
    title: "`policy = { ... }`",
    noun: "a policy",
    keys: &[key("use", Text, Required, "")],
    open: true,
};

/// All of them, in the order of the reference.
pub(super) static SECTIONS: &[&Section] = &[
    &TOP,
    &ADMIN,
    &LOG,
    &SANDBOX,
    &LIMITS,
    &COMPRESSION,
    &RATE_LIMIT,
    &CONNECTION_LIMIT,
    &LISTEN,
    &LISTEN_TLS,
    &CERTIFICATE,
    &ROUTE,
    &HEADER,
    &PAGE,
    &UPSTREAM,
    &UPSTREAM_TLS,
    &EJECTION,
    &CHECK,
    &STICKY,
    &BACKEND,
    &CANARY,
];

impl Section {
    /// The key of this name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of the keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

/// As the reference names the type.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text => f.write_str("text"),
            Template => f.write_str("text with variables"),
            Path => f.write_str("path"),
            Address => f.write_str("address"),
            OneOf(words) => write!(f, "`{}`", words.join("`, `")),
            Flag => f.write_str("`true` or `false`"),
            Number(from, to) => write!(f, "number, {from} to {to}"),
            Duration(from, to) => write!(f, "duration, {from} to {to}"),
            Size(from, to) => write!(f, "size, {from} to {to}"),
            Rate => f.write_str("rate"),
            Texts => f.write_str("text or list of texts"),
            Headers => f.write_str("table of texts with variables or of tables"),
            Answer => f.write_str("status, address or table"),
            Pages => f.write_str("table of pages by status"),
            Labels => f.write_str("table of texts"),
            Backends => f.write_str("list of addresses or tables"),
            Policy => f.write_str("name or table"),
            BackendTls => f.write_str("`true` or table"),
            Certificates => f.write_str("list of tables"),
            Policies => f.write_str("policy or list of policies"),
            Share(from, to) => write!(f, "share, {from} to {to}"),
            Canary | Table | Tls => f.write_str("table"),
            Tables => f.write_str("tables"),
            NamedTables => f.write_str("named tables"),
        }
    }
}

impl Key {
    /// How the key could be written, for a message.
    pub(super) fn example(&self) -> String {
        let name = self.name;
        match (self.kind, self.default) {
            (Tls, _) => format!("{name} = {{ certificate = \"chain.pem\", key = \"key.pem\" }}"),
            (BackendTls, _) => format!("{name} = true` or `{name} = {{ ca = \"ca.pem\" }}"),
            (Certificates, _) => format!("{name} = [{{ certificate = \"chain.pem\", key = \"key.pem\" }}]"),
            (Path, _) if matches!(name, "certificate" | "key" | "ca" | "client_ca") => {
                format!("{name} = \"{name}.pem\"")
            }
            (Texts, _) if name == "protocols" => format!("{name} = [\"TLSv1.2\", \"TLSv1.3\"]"),
            (Number(..) | Flag, Value(value)) => format!("{name} = {value}"),
            (Policy, _) => format!("{name} = \"fair\"` or `{name} = {{ use = \"fair\" }}"),
            (Policies, _) => {
                format!("{name} = \"fair\"` or `{name} = [\"fair\", {{ use = \"random\", choices = 2 }}]")
            }
            (Canary, _) => format!("{name} = {{ use = \"fair\", share = \"5%\" }}"),
            (_, Value(value)) => format!("{name} = \"{value}\""),
            (Share(..), _) => format!("{name} = \"5%\""),
            (Number(from, _), _) => format!("{name} = {from}"),
            (Flag, _) => format!("{name} = true"),
            (Duration(..), _) => format!("{name} = \"30s\""),
            (Rate, _) => format!("{name} = \"10/s\""),
            (Size(..), _) => format!("{name} = \"50m\""),
            (Address, _) => format!("{name} = \"127.0.0.1:8080\""),
            (Path, _) => format!("{name} = \"pointsman.{}\"", name.split('_').next().unwrap_or_default()),
            (Texts, _) if name == "trusted_proxies" => format!("{name} = [\"10.0.0.0/8\", \"unix:\"]"),
            (Texts, _) if name.ends_with("_limits") => format!("{name} = [\"a\"]"),
            (Texts, _) if name == "status" => {
                format!("{name} = \"200\"` or `{name} = [\"200\", \"300-399\"]")
            }
            (Texts, _) if name == "retry_on" => format!("{name} = [\"error\", \"timeout\", \"http_503\"]"),
            (Texts, _) if name == "include" => format!("{name} = [\"conf.d/*.toml\"]"),
            (Texts, _) => format!("{name} = \"a.example\"` or `{name} = [\"a.example\", \"*.b.example\"]"),
            (Headers, _) => format!("{name} = {{ \"X-Real-IP\" = \"$remote_addr\" }}"),
            (Answer, _) => format!("{name} = {{ status = 301, to = \"https://$host$request_uri\" }}"),
            (Pages, _) => format!("{name} = {{ \"502-504\" = \"50x.html\" }}"),
            (Labels, _) => format!("{name} = {{ gpu = \"yes\" }}"),
            (Backends, _) => format!("{name} = [\"127.0.0.1:8001\", \"127.0.0.1:8002\"]"),
            (Template, _) => format!("{name} = \"$request_uri\""),
            (Text | OneOf(_), _) => format!("{name} = \"a\""),
            (Table, _) if name == "check" => format!("{name} = {{ path = \"/health\" }}"),
            (Table, _) if name == "sticky" => format!("{name} = {{ cookie = \"backend\" }}"),
            (Table, _) if name == "ejection" => format!("{name} = {{ errors = 5, first = \"10s\" }}"),
            (Table, _) => format!("[{name}]"),
            (Tables, _) => format!("[[{name}]]"),
            (NamedTables, _) => format!("[{name}.a]"),
        }
    }
}
