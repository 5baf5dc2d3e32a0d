//! Taking up changed files of certificates, keys and authorities.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::control::Control;
use super::shared::Shared;
use crate::certificate::{Flaw, Identity, Trust};
use crate::listen::tls::{Clients, Settings};
use crate::upstream::{TlsSettings, Verify};

/// How often the files are looked at. They change a few times a year; a look costs a `stat` each.
const LOOK: Duration = Duration::from_secs(1);
/// A chain and its key are two files: after the first has changed so much quiet is awaited.
const SETTLE: Duration = Duration::from_millis(200);
/// How often certificates are complained of that are about to expire.
const NAG: Duration = Duration::from_secs(24 * 3600);

/// What tells one content of a file from another without reading it; none if it is not there.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// Starts the thread that looks after the files. It ends when the gateway is gone.
pub(super) fn start(gateway: &Arc<Shared>) -> std::io::Result<()> {
    let gateway = Arc::downgrade(gateway);
    thread::Builder::new().name("certificates".into()).spawn(move || watch(&gateway))?;
    Ok(())
}

fn watch(gateway: &Weak<Shared>) {
    // Nothing is known at first, so everything is read once more: it may have changed since the
    // configuration was read.
    let (mut seen, mut nag) = (HashMap::new(), Instant::now() + NAG);
    loop {
        thread::sleep(LOOK);
        let Some(shared) = gateway.upgrade() else { return };
        let files = files(&mut shared.control());
        let mut now = stamps(&files);
        if now != seen {
            loop {
                thread::sleep(SETTLE);
                let later = stamps(&files);
                if std::mem::replace(&mut now, later) == now {
                    break;
                }
            }
            take_up(&mut shared.control());
            seen = now;
        }
        if Instant::now() >= nag {
            nag = Instant::now() + NAG;
            complain(&shared.control());
        }
    }
}

fn stamps(files: &BTreeSet<PathBuf>) -> HashMap<PathBuf, Stamp> {
    let stamp = |path: &Path| {
        // Links are followed: what they point at may be replaced.
        let seen = fs::metadata(path).ok()?;
        Some((seen.dev(), seen.ino(), seen.size(), seen.mtime(), seen.mtime_nsec()))
    };
    files.iter().map(|path| (path.clone(), stamp(path))).collect()
}

fn files(control: &mut Control) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let of_identity = |identity: &Identity| [identity.chain.clone(), identity.key.clone()];
    for terminator in control.terminators().values() {
        let Some(terms) = terminator.terms().clone() else { continue };
        files.extend(terms.settings.identities.iter().flat_map(|identity| of_identity(identity)));
        files.extend(terms.settings.clients.iter().filter_map(|clients| clients.trust.file.clone()));
    }
    for upstream in &control.config().upstreams {
        let Some(settings) = control.known().tls(&upstream.name) else { continue };
        files.extend(settings.identity.iter().flat_map(|identity| of_identity(identity)));
        if let Verify::By(trust) = &settings.verify {
            files.extend(trust.file.clone());
        }
    }
    files
}

/// Reads everything again and puts in force what has changed. What cannot be used any more stays
/// as it was, which is said.
fn take_up(control: &mut Control) {
    let upstreams: Vec<Box<str>> = control.config().upstreams.iter().map(|it| it.name.clone()).collect();
    let (terminators, known, flaws) = control.credentials();
    let mut reading = Reading { flaws: HashMap::new(), changed: false };
    for (address, terminator) in terminators {
        let Some(terms) = terminator.terms().clone() else { continue };
        let settings = reading.listener(&terms.settings);
        if std::mem::take(&mut reading.changed) {
            match terminator.prepare(&settings) {
                Ok(terms) => terminator.put(Some(terms)),
                Err(error) => tracing::error!("listener {address}: TLS stays as it was: {error}"),
            }
        }
    }
    for upstream in upstreams {
        let Some(settings) = known.tls(&upstream) else { continue };
        let settings = reading.upstream(settings);
        if std::mem::take(&mut reading.changed)
            && let Err(error) = known.renew_tls(&upstream, &settings)
        {
            tracing::error!("upstream {upstream}: TLS stays as it was: {error}");
        }
    }
    for (file, why) in &reading.flaws {
        if flaws.get(file) != Some(why) {
            tracing::error!("a changed file is not taken up, what it held before stays in force: {why}");
        }
    }
    *flaws = reading.flaws;
}

/// Reads files again.
struct Reading {
    flaws: HashMap<PathBuf, String>,
    changed: bool,
}

impl Reading {
    fn listener(&mut self, settings: &Settings) -> Settings {
        let identities = settings.identities.iter().map(|identity| self.identity(identity)).collect();
        let clients = settings.clients.as_ref();
        let clients = clients.map(|clients| Clients { trust: self.trust(&clients.trust), ..*clients });
        Settings { identities, clients, ..settings.clone() }
    }

    fn upstream(&mut self, settings: &TlsSettings) -> TlsSettings {
        let identity = settings.identity.as_ref().map(|identity| self.identity(identity));
        let verify = match &settings.verify {
            Verify::By(trust) => Verify::By(self.trust(trust)),
            Verify::Nothing => Verify::Nothing,
        };
        TlsSettings { identity, verify, ..settings.clone() }
    }

    fn identity(&mut self, before: &Arc<Identity>) -> Arc<Identity> {
        match Identity::read(&before.chain, &before.key) {
            Ok(read) if read.certified.cert == before.certified.cert => Arc::clone(before),
            Ok(read) => {
                let names = read.facts.names.join(", ");
                tracing::info!("a new certificate for {names} is in force ({})", read.chain.display());
                if let Some(complaint) = read.complaint() {
                    tracing::warn!("the certificate for {names} {complaint}");
                }
                self.changed = true;
                read
            }
            Err(flaw) => self.keep(before, &before.chain, &flaw),
        }
    }

    fn trust(&mut self, before: &Arc<Trust>) -> Arc<Trust> {
        let Some(file) = &before.file else { return Arc::clone(before) };
        match Trust::read(file) {
            Ok(read) if read.fingerprint == before.fingerprint => Arc::clone(before),
            Ok(read) => {
                tracing::info!("other authorities are believed now ({})", file.display());
                self.changed = true;
                read
            }
            Err(flaw) => self.keep(before, file, &flaw),
        }
    }

    fn keep<T>(&mut self, before: &Arc<T>, file: &Path, flaw: &Flaw) -> Arc<T> {
        self.flaws.insert(file.to_owned(), format!("{flaw} ({})", flaw.help));
        Arc::clone(before)
    }
}

/// Says which certificates are about to expire, or have expired.
fn complain(control: &Control) {
    let terms = control.terminators().values().filter_map(|terminator| terminator.terms().clone());
    let mut identities: Vec<_> = terms.flat_map(|terms| terms.settings.identities.clone()).collect();
    let upstreams = control.config().upstreams.iter();
    identities.extend(upstreams.filter_map(|it| control.known().tls(&it.name)?.identity.clone()));
    for identity in identities {
        if let Some(complaint) = identity.complaint() {
            let (names, file) = (identity.facts.names.join(", "), identity.chain.display());
            tracing::warn!("the certificate for {names} {complaint} ({file})");
        }
    }
}
