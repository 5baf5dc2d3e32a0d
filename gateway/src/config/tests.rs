//! Whole files: the good ones are read, and each bad one gets exactly the text beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::keys::{self, Absent, Key, Kind, SECTIONS, Section};
use super::model::{
    AccessLog, Backend, Content, HeaderRule, HostPattern, ListenAddress, LogFormat, PathPattern, To,
};
use super::{Loaded, Problems, load_with};
use crate::template::{Escape, Template};

const FOLDER: &str = "../tests/configs/";

/// The environment of all these files.
fn environment(name: &str) -> Option<String> {
    match name {
        "BACKEND_PORT" => Some("8001".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn load(path: &Path) -> Result<Loaded, Problems> {
    load_with(path, &environment)
}

/// The text with file names as they would be shown to somebody in the folder of the tests.
fn shown(problems: &Problems) -> String {
    problems.to_string().replace(FOLDER, "")
}

fn files(folder: &str, ending: &str) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(format!("{FOLDER}{folder}")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|e| e == ending)).collect()
}

/// Compares with the file `expected`, or writes it when `BLESS` is set in the environment.
fn compare(text: &str, expected: &Path, failures: &mut Vec<String>) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(expected, text).unwrap();
    }
    let wanted = fs::read_to_string(expected).unwrap_or_default();
    if wanted != text {
        failures.push(format!("{}\n--- expected\n{wanted}\n--- shown\n{text}", expected.display()));
    }
}

#[test]
fn every_bad_file_gets_the_text_beside_it() {
    let bad = files("", "toml");
    let mut failures = Vec::new();
    for path in &bad {
        match load(path) {
            Ok(_) => failures.push(format!("{} was accepted", path.display())),
            Err(problems) => compare(&shown(&problems), &path.with_extension("err"), &mut failures),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let expected: BTreeSet<_> = bad.iter().map(|path| path.with_extension("err")).collect();
    assert_eq!(files("", "err"), expected, "each text belongs to a file");
}

#[test]
fn every_good_file_is_read_with_the_warnings_beside_it() {
    let mut failures = Vec::new();
    for path in files("good", "toml") {
        match load(&path) {
            Err(problems) => failures.push(format!("{} was refused:\n{problems}", path.display())),
            Ok(loaded) => {
                let expected = path.with_extension("warn");
                if expected.exists() || !loaded.warnings.is_empty() {
                    compare(&shown(&loaded.warnings), &expected, &mut failures);
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// A configuration of one file with this text.
fn of(text: &str) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pointsman.toml");
    fs::write(&path, text).unwrap();
    load(&path)
}

const SMALLEST: &str =
    "[[listen]]\naddress = '8080'\n[[route]]\nupstream = 'a'\n[upstream.a]\nbackends = ['a:80']\n";

#[test]
fn a_key_that_is_not_written_has_the_default_of_the_table() {
    let config = of(SMALLEST).unwrap().config;
    let upstream = &config.upstreams[0];
    assert_eq!(config.quit_timeout, Duration::from_secs(30));
    assert_eq!(config.limits.max_body, 1 << 30);
    assert_eq!(config.routes[0].max_body, 1 << 30);
    assert_eq!(config.sandbox.pick_deadline, Duration::from_millis(10));
    assert_eq!((&*upstream.policy.name, upstream.tries), ("adaptive", None));
    assert_eq!((upstream.connect_timeout, upstream.idle_connections), (Duration::from_secs(5), 64));
    assert_eq!((upstream.backends[0].weight, upstream.backends[0].down), (1, false));
    assert_eq!(config.routes[0].hosts, [HostPattern::Any]);
    assert_eq!(config.routes[0].path, PathPattern::Prefix("/".into()));
    assert!(config.policies.ends_with("policies") && config.policies.is_absolute());
}

#[test]
fn every_value_arrives() {
    let loaded = load(Path::new("../tests/configs/good/everything.toml")).unwrap();
    let config = &loaded.config;
    let folder = Path::new("../tests/configs/good");
    assert_eq!((config.workers.get(), &config.control), (2, &folder.join("pointsman.sock")));
    assert_eq!(config.admin.unwrap().to_string(), "127.0.0.1:9901");
    assert_eq!(config.log.access, AccessLog::Stdout);
    assert!(matches!(config.log.format, LogFormat::Json));
    assert_eq!(config.limits.max_body, u64::MAX, "0 is no limit, as in nginx");
    assert_eq!(config.listen[2].address, ListenAddress::Unix(folder.join("run/pointsman.sock")));

    let chat = &config.upstreams[0];
    let names: Vec<_> = chat.backends.iter().map(|backend| &*backend.name).collect();
    assert_eq!(
        names,
        ["127.0.0.1:8001", "127.0.0.1:8002", "unix:/run/c.sock", "[::1]:8003", "127.0.0.1:8004"]
    );
    assert_eq!((chat.backends[1].weight, chat.backends[1].zone.as_deref()), (2, Some("a")));
    assert_eq!(chat.backends[1].labels, [("gpu".into(), "yes".into())]);
    assert_eq!(chat.send_timeout, Duration::from_secs(90));
    assert_eq!(chat.hash_key.as_ref().unwrap().to_string(), "${request_uri}");
    let options = serde_json::json!({
        "decay": "10s", "share": 0.5, "since": "2026-01-01", "names": ["a", "b"], "inner": { "deep": true },
    });
    assert_eq!(serde_json::Value::Object(chat.policy.options.clone()), options);
}

#[test]
fn a_backend_overrides_what_its_upstream_says_of_health_and_load() {
    let loaded = load(Path::new("../tests/configs/good/everything.toml")).unwrap();
    let chat = &loaded.config.upstreams[0];
    let seconds = |backend: &Backend| (backend.passive.fail_timeout.as_secs(), backend.slow_start.as_secs());
    let (first, last) = (&chat.backends[0], &chat.backends[4]);
    assert_eq!((first.passive.max_fails, first.max_conns, seconds(first)), (1, Some(100), (20, 60)));
    assert_eq!((last.passive.max_fails, last.max_conns, seconds(last)), (3, Some(300), (30, 30)));
    assert_eq!((first.drain, last.drain), (false, true));
    let ejection = chat.ejection.unwrap();
    assert_eq!((ejection.errors, ejection.share, ejection.longest.as_secs()), (3, 30, 60));
    assert_eq!((&*chat.retry.on.statuses, chat.retry.on.non_idempotent), (&[503][..], true));
    assert!(chat.retry.on.error && !chat.retry.on.invalid_header);
    assert_eq!((chat.queue.length, chat.queue.timeout.as_secs()), (1000, 30));
}

#[test]
fn a_route_overrides_its_upstreams_header_rules_one_by_one() {
    let loaded = load(Path::new("../tests/configs/good/everything.toml")).unwrap();
    let rules = |rules: &[HeaderRule]| {
        let value = |rule: &HeaderRule| rule.action.template().map(ToString::to_string);
        rules.iter().map(|rule| (rule.name.to_string(), value(rule))).collect::<Vec<_>>()
    };
    let first = &loaded.config.routes[0];
    assert_eq!(first.hosts, [HostPattern::Below(".example.com".into())]);
    assert_eq!(first.path, PathPattern::Exact("/Chat".into()));
    assert_eq!(
        rules(&first.request_headers),
        [
            ("x-request-time".to_owned(), Some("now".to_owned())),
            ("x-real-ip".to_owned(), Some("$remote_addr".to_owned())),
            ("accept-encoding".to_owned(), None),
        ]
    );
    let second = rules(&loaded.config.routes[1].response_headers);
    assert_eq!(second[..2], [("server".to_owned(), None), ("via".to_owned(), None)]);
}

#[test]
fn a_route_overrides_the_error_pages_of_the_top_one_by_one() {
    let loaded = load(Path::new("../tests/configs/good/everything.toml")).unwrap();
    let content = |route: usize, status| match &loaded.config.routes[route].error_pages.get(status)?.content {
        Content::Text(text, escape) => Some((text.to_string(), *escape)),
        Content::Bytes(bytes) => Some((String::from_utf8_lossy(bytes).into_owned(), Escape::None)),
        Content::Status => None,
    };
    assert_eq!(content(0, 404), Some(("<h1>not here</h1>\n".to_owned(), Escape::None)));
    assert_eq!(content(1, 404), Some(("sorry".to_owned(), Escape::None)));
    assert_eq!(content(1, 503), Some(("{\"status\": $status}".to_owned(), Escape::Json)));
    assert_eq!(content(1, 501), None);
}

#[test]
fn included_files_are_read_once_and_add_to_the_main_one() {
    let loaded = load(Path::new("../tests/configs/good/least_conn.toml")).unwrap();
    let names: Vec<_> = loaded.config.upstreams.iter().map(|upstream| &*upstream.name).collect();
    assert_eq!(names, ["backend", "files"]);
    assert_eq!(loaded.sources.paths().count(), 2);
    assert!(matches!(loaded.config.routes[1].to, To::Upstream(1)));
}

/// A text that gives `key` of this section a date, which nothing takes.
fn with_a_date(section: &Section, key: &str) -> String {
    let title = section.title.trim_matches('`').replace("<name>", "a");
    match title.as_str() {
        "the top of the main file" => format!("{key} = 1979-05-27"),
        "backends = [{ ... }]" => format!("upstream.a.backends = [{{ {key} = 1979-05-27 }}]"),
        "return = { ... }`, `error_pages = { 404 = { ... } }" => {
            format!("route = [{{ return = {{ {key} = 1979-05-27 }} }}]")
        }
        "request_headers = { Name = { ... } }" => {
            format!("route = [{{ request_headers = {{ X = {{ {key} = 1979-05-27 }} }} }}]")
        }
        "[[listen]] tls = { ... }" => format!("[[listen]]\n[listen.tls]\n{key} = 1979-05-27"),
        "certificates = [{ ... }]" => {
            format!("[[listen]]\n[listen.tls]\ncertificates = [{{ {key} = 1979-05-27 }}]")
        }
        "[upstream.a] tls = { ... }" => format!("[upstream.a.tls]\n{key} = 1979-05-27"),
        "canary = { ... }" => format!("upstream.a.canary = {{ {key} = 1979-05-27 }}"),
        "policy = { ... }" => format!("upstream.a.policy = {{ {key} = 1979-05-27 }}"),
        title => format!("{title}\n{key} = 1979-05-27"),
    }
}

#[test]
fn every_key_of_the_table_is_read() {
    for section in SECTIONS.iter().copied().chain([&keys::POLICY]) {
        for key in section.names() {
            let problems = of(&with_a_date(section, key)).unwrap_err().to_string();
            let complaint = format!("`{key}` cannot be a date");
            assert!(problems.contains(&complaint), "{} {key}:\n{problems}", section.title);
        }
    }
}

#[test]
fn no_beginning_of_a_file_makes_it_panic() {
    let read = |file: &str| fs::read_to_string(format!("{FOLDER}{file}")).unwrap();
    let text = read("several_lines.toml") + &read("good/everything.toml");
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)).step_by(5) {
        if let Err(problems) = of(&text[..end]) {
            assert!(!problems.is_empty() && !problems.to_string().is_empty());
            assert!(problems.coloured().contains("Error"));
        }
    }
}

#[test]
fn what_shows_later_is_shown_at_its_place_too() {
    let text = format!("{SMALLEST}policy = {{ use = 'fair', decay = 1 }}\n");
    let loaded = of(&text).unwrap();
    let mut problems = Problems::new(Arc::clone(&loaded.sources));
    let place = loaded.config.upstreams[0].policy.place;
    problems.add(place, "policy `fair` refused its options: no `decay`", "see what it takes");
    let shown = problems.to_string();
    assert!(shown.contains("Error: policy `fair` refused its options: no `decay`"), "{shown}");
    assert!(shown.contains("7 | policy = { use = 'fair', decay = 1 }"), "{shown}");
    assert!(loaded.sources.describe(place).ends_with("pointsman.toml:7:10"));
}

#[test]
fn a_file_that_is_not_there_is_a_problem() {
    let problems = load(Path::new("nowhere.toml")).unwrap_err().to_string();
    assert!(problems.starts_with("Error: cannot read `nowhere.toml`: No such file"), "{problems}");
}

/// The rows of the tables in the reference, by heading: key, type, default, nginx's name.
fn reference() -> Vec<(String, [String; 4])> {
    let page = fs::read_to_string("../docs/configuration.md").unwrap();
    let mut heading = String::new();
    let mut rows = Vec::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title.to_owned();
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        if let ["", key, kind, default, meaning, nginx, ""] = cells[..]
            && key.starts_with('`')
        {
            assert!(!meaning.is_empty(), "{line}");
            rows.push((heading.clone(), [key, kind, default, nginx].map(str::to_owned)));
        }
    }
    rows
}

/// A row as the table of keys has it.
fn row(key: &Key) -> [String; 4] {
    let quoted = !matches!(key.kind, Kind::Number(..) | Kind::Flag);
    let default = match key.default {
        Absent::Required => "required".to_owned(),
        Absent::Value(value) if quoted => format!("`\"{value}\"`"),
        Absent::Value(value) => format!("`{value}`"),
        Absent::Otherwise(words) => words.to_owned(),
    };
    let nginx = if key.nginx.is_empty() { String::new() } else { format!("`{}`", key.nginx) };
    [format!("`{}`", key.name), key.kind.to_string(), default, nginx]
}

#[test]
fn the_reference_has_every_key_with_its_type_default_and_nginx_name() {
    let title = |section: &Section| section.title.replace("the top", "The top");
    let expected: Vec<_> = SECTIONS
        .iter()
        .flat_map(|section| section.keys.iter().map(move |key| (title(section), row(key))))
        .collect();
    let written = reference();
    for (written, expected) in written.iter().zip(&expected) {
        assert_eq!(written, expected);
    }
    assert_eq!(written.len(), expected.len());
}

#[test]
fn the_variables_of_the_reference_exist() {
    let page = fs::read_to_string("../docs/configuration.md").unwrap();
    let (_, rest) = page.split_once("## Variables").unwrap();
    let names =
        rest.lines().filter(|line| line.starts_with("| `$")).filter_map(|line| line.split('`').nth(1));
    let names: Vec<_> = names.collect();
    assert!(names.len() > 30);
    for name in names {
        let name = name.replace("NAME", "x");
        assert!(Template::parse(&name).is_ok(), "{name}");
    }
}

/// What the nginx configurations use that people bring along.
const DIRECTIVES: &str = "http events user worker_processes pid include worker_connections multi_accept \
    sendfile tcp_nopush types_hash_max_size server_tokens server_names_hash_bucket_size \
    server_name_in_redirect default_type mail access_log log_format error_log ssl_ gzip gzip_vary \
    gzip_proxied gzip_comp_level gzip_buffers gzip_http_version gzip_types gzip_min_length upstream server \
    weight max_fails fail_timeout backup down least_conn ip_hash hash fair keepalive listen server_name \
    location proxy_pass proxy_set_header proxy_http_version add_header proxy_connect_timeout \
    proxy_send_timeout proxy_read_timeout proxy_next_upstream client_max_body_size client_header_timeout \
    client_body_timeout error_page root return limit_req limit_conn set_real_ip_from real_ip_header";

#[test]
fn the_readme_says_what_becomes_of_every_directive() {
    let page = fs::read_to_string("../README.md").unwrap();
    let (_, rest) = page.split_once("## Coming from nginx").unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let code: Vec<&str> = section.split('`').skip(1).step_by(2).collect();
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    for directive in DIRECTIVES.split_whitespace() {
        let said = code
            .iter()
            .flat_map(|code| code.split(word))
            .any(|said| said == directive || (directive.ends_with('_') && said.starts_with(directive)));
        assert!(said, "{directive}");
    }
}

#[test]
fn fuzz_config() {
    let words = [
        "[[listen]]\n",
        "[[route]]\n",
        "[upstream.a]\n",
        "address = ",
        "backends = [",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "\n",
        "policy = ",
        "127.0.0.1:80",
        "unix:",
        "= ",
        "${HOME}",
        "10s",
        "1k",
        "-1",
        "true",
        "path = \"~ (\"",
        "\u{fe}",
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fuzzed.toml");
    crate::fuzz::fuzz_times(500, "config", &words, |input| {
        fs::write(&path, input).unwrap();
        if let Err(problems) = load(&path) {
            assert!(problems.to_string().contains("fuzzed.toml"), "each problem has its place");
        }
    });
}
