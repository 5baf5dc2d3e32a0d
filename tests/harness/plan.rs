//! The configuration of a gateway to be: a small builder over its text.

use std::fmt::{Display, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Gateway, Issued};

/// A gateway that is not running yet: the text of its configuration and the files beside it.
pub struct Plan {
    folder: TempDir,
    top: Vec<String>,
    listeners: Vec<String>,
    sections: Vec<String>,
    routes: Vec<String>,
    upstreams: Vec<(String, Vec<String>)>,
}

/// A gateway with one worker, one listener on a free port of 127.0.0.1, no access log, and
/// `round_robin` for its upstreams, unless told otherwise. Without a route, everything goes to its
/// first upstream.
pub fn gateway() -> Plan {
    let folder = tempfile::Builder::new().prefix("pointsman-").tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("policies")).expect("a folder for policies");
    Plan { folder, top: vec![], listeners: vec![], sections: vec![], routes: vec![], upstreams: vec![] }
}

impl Plan {
    /// A line before the first table: `workers = 2`.
    pub fn top(mut self, line: &str) -> Self {
        self.top.push(line.to_owned());
        self
    }

    /// One more listener, by its address (and further lines).
    pub fn listen(mut self, address: &str) -> Self {
        self.listeners.push(format!("address = \"{address}\""));
        self
    }

    /// One more listener, on a free port and with TLS of these keys: `client_ca = "ca.pem"`. Its
    /// certificate is `a.pem`, made by `issued`, which is written beside the configuration.
    pub fn listen_tls(self, issued: &Issued, keys: &str) -> Self {
        self.listen_tls_at("127.0.0.1:0", issued, keys)
    }

    /// The same at another address.
    pub fn listen_tls_at(self, address: &str, issued: &Issued, keys: &str) -> Self {
        let mut plan = self.file("a.pem", &issued.chain).file("a.key", &issued.key);
        let comma = if keys.is_empty() { "" } else { ", " };
        plan.listeners.push(format!(
            "address = \"{address}\"\ntls = {{ certificate = \"a.pem\", key = \"a.key\"{comma}{keys} }}"
        ));
        plan
    }

    /// A whole table: `[limits]` and its lines.
    pub fn section(mut self, text: &str) -> Self {
        self.sections.push(text.to_owned());
        self
    }

    /// One more route, by its lines: `path = "/x"`.
    pub fn route(mut self, lines: &str) -> Self {
        self.routes.push(lines.to_owned());
        self
    }

    /// One more upstream. An item that begins with `{` is taken as a table, others as addresses.
    pub fn upstream(mut self, name: &str, backends: impl IntoIterator<Item = impl Display>) -> Self {
        let quote = |b: String| if b.starts_with('{') { b } else { format!("\"{b}\"") };
        let list: Vec<_> = backends.into_iter().map(|b| quote(b.to_string())).collect();
        let lines = vec![format!("backends = [{}]", list.join(", "))];
        self.upstreams.push((name.to_owned(), lines));
        self
    }

    /// A line for the upstream named last.
    pub fn with(mut self, line: &str) -> Self {
        let upstream = self.upstreams.last_mut().expect("an upstream before its lines");
        upstream.1.push(line.to_owned());
        self
    }

    /// The policy of the upstream named last: a name, or a table `{ use = ... }`.
    pub fn policy(self, policy: &str) -> Self {
        if policy.starts_with('{') {
            self.with(&format!("policy = {policy}"))
        } else {
            self.with(&format!("policy = \"{policy}\""))
        }
    }

    /// Writes a file beside the configuration.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.folder().join(path), content).expect("a file can be written");
        self
    }

    /// Puts one of `tests/guests` into the folder of policies, under its own name.
    pub fn guest(self, name: &str) -> Self {
        let path = format!("policies/{name}.wat");
        self.file(&path, guest(name))
    }

    /// The folder that holds everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the configuration is.
    pub fn path(&self) -> PathBuf {
        self.folder().join("pointsman.toml")
    }

    /// How many listeners it has.
    pub fn listener_count(&self) -> usize {
        self.listeners.len().max(1)
    }

    /// The configuration's text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.top.iter().any(|line| line.starts_with("workers")) {
            text.push_str("workers = 1\n");
        }
        for line in &self.top {
            let _ = writeln!(text, "{line}");
        }
        if !self.sections.iter().any(|s| s.starts_with("[log]")) {
            text.push_str("\n[log]\naccess = \"off\"\n");
        }
        for section in &self.sections {
            let _ = writeln!(text, "\n{section}");
        }
        let any = ["address = \"127.0.0.1:0\"".to_owned()];
        for lines in if self.listeners.is_empty() { &any[..] } else { &self.listeners[..] } {
            let _ = writeln!(text, "\n[[listen]]\n{lines}");
        }
        let all: Vec<_> = self
            .upstreams
            .iter()
            .take(1)
            .map(|(name, _)| format!("path = \"/\"\nupstream = \"{name}\""))
            .collect();
        for route in if self.routes.is_empty() { &all } else { &self.routes } {
            let _ = writeln!(text, "\n[[route]]\n{route}");
        }
        for (name, lines) in &self.upstreams {
            let _ = writeln!(text, "\n[upstream.{name}]\n{}", lines.join("\n"));
            if !lines.iter().flat_map(|lines| lines.lines()).any(|line| line.starts_with("policy")) {
                text.push_str("policy = \"round_robin\"\n");
            }
        }
        text
    }

    /// Writes the configuration without starting anything.
    pub fn write(self) -> Self {
        std::fs::write(self.path(), self.text()).expect("the configuration can be written");
        self
    }

    /// Starts the gateway and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Gateway {
        self.start_as(|_| {})
    }

    /// The same, with something about the process arranged: its environment, its descriptors.
    #[track_caller]
    pub fn start_as(self, prepare: impl FnOnce(&mut std::process::Command)) -> Gateway {
        Gateway::start(self.write(), prepare)
    }
}

/// The text of one of `tests/guests`.
#[track_caller]
pub fn guest(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests").join(format!("{name}.wat"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("no guest {}: {e}", path.display()))
}
