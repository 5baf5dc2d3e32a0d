//! The gateway's own log: what happens to the gateway, not to requests.
//!
//! One line an event: time, level, message, then `key=value` for each field. Whatever an event
//! carries, it stays on its line: control characters are escaped, because parts of it may come
//! from a client.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{FormatEvent, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;

use super::Target;
use super::output::Output;
use super::wall;

/// The open log. Level and target may change while it is in use.
pub struct Log {
    output: Shared,
    level: reload::Handle<Targets, Registry>,
}

impl Log {
    /// Opens the log and makes it the process's: from here on, `tracing`'s events go there.
    ///
    /// # Errors
    /// The target cannot be opened (the text names it), or the process has a log already.
    pub fn start(level: Level, target: &Target) -> io::Result<Self> {
        let (log, subscriber) = Self::build(level, target)?;
        tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)?;
        Ok(log)
    }

    fn build(level: Level, target: &Target) -> io::Result<(Self, impl Subscriber + Send + Sync)> {
        let output = Shared::new(Output::open(target)?);
        let (filter, handle) = reload::Layer::new(filter(level));
        let line = Line { output: output.clone() };
        let layer = tracing_subscriber::fmt::layer().with_writer(output.clone()).event_format(line);
        let subscriber = tracing_subscriber::registry().with(filter).with(layer);
        Ok((Self { output, level: handle }, subscriber))
    }

    /// Changes level and target, as a reload may.
    ///
    /// # Errors
    /// The target cannot be opened; everything stays as it was.
    pub fn change(&self, level: Level, target: &Target) -> io::Result<()> {
        if self.output.lock().target != *target {
            self.output.replace(Output::open(target)?);
        }
        self.level.modify(|current| *current = filter(level)).map_err(io::Error::other)
    }

    /// Opens a file again by its name, after it was renamed to rotate it.
    ///
    /// # Errors
    /// It cannot be opened; the old one stays in use.
    pub fn reopen(&self) -> io::Result<()> {
        self.output.lock().reopen()
    }
}

/// Ours at the level asked for; of libraries only what is wrong, never their chatter.
fn filter(level: Level) -> Targets {
    let libraries = LevelFilter::from_level(level).min(LevelFilter::WARN);
    // What clients do wrong in HTTP/2 is no warning: they could fill the log with it.
    let h2 = libraries.min(LevelFilter::ERROR);
    Targets::new().with_default(libraries).with_target("h2", h2).with_target("pointsman", level)
}

/// The output, shared by all threads that have something to tell. A lock is right here: events
/// are rare, and requests make none.
#[derive(Clone)]
struct Shared(Arc<(Mutex<Output>, AtomicBool)>);

impl Shared {
    fn new(output: Output) -> Self {
        let colours = output.is_terminal();
        Self(Arc::new((Mutex::new(output), AtomicBool::new(colours))))
    }

    fn lock(&self) -> MutexGuard<'_, Output> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, output: Output) {
        self.0.1.store(output.is_terminal(), Relaxed);
        *self.lock() = output;
    }

    fn has_colours(&self) -> bool {
        self.0.1.load(Relaxed)
    }
}

impl<'a> MakeWriter<'a> for Shared {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write_all(bytes).map(|()| bytes.len()).map_err(|(_, error)| error)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What an event looks like.
struct Line {
    output: Shared,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = Vec::with_capacity(32);
        wall::stamp(&mut time);
        let level = *event.metadata().level();
        let (on, off) = if self.output.has_colours() { (colour(level), "\x1b[0m") } else { ("", "") };
        write!(out, "{} {on}{level:>5}{off}", String::from_utf8_lossy(&time))?;
        let mut fields = Fields { out: OneLine(out.by_ref()), result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        writeln!(out)
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        _ => "\x1b[2m",
    }
}

/// Writes the message as it is and the other fields as `key=value`.
struct Fields<'a> {
    out: OneLine<Writer<'a>>,
    result: fmt::Result,
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let result = match field.name() {
            "message" => write!(self.out, " {value:?}"),
            name => write!(self.out, " {name}={value:?}"),
        };
        self.result = self.result.and(result);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let bare = !value.is_empty() && !value.contains([' ', '"', '=', '\\']);
        if bare || field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_str(field, &value.to_string());
    }
}

/// Keeps what is written on one line, and terminals safe from it.
struct OneLine<W>(W);

impl<W: fmt::Write> fmt::Write for OneLine<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            match part.chars().next_back() {
                Some(last) if last.is_control() => {
                    self.0.write_str(&part[..part.len() - last.len_utf8()])?;
                    write!(self.0, "{}", last.escape_default())?;
                }
                _ => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What is in the log after `tell` told something, without the time.
    fn told(level: Level, tell: impl FnOnce()) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.log");
        let (_log, subscriber) = Log::build(level, &Target::File(path.clone())).unwrap();
        tracing::subscriber::with_default(subscriber, tell);
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn an_event_is_one_plain_line() {
        let lines = told(Level::INFO, || {
            tracing::info!(generation = 2, file = "a b.toml", backend = "10.0.0.7:1", "reloaded");
            tracing::error!("no backend");
        });
        assert_eq!(
            lines,
            [" INFO reloaded generation=2 file=\"a b.toml\" backend=10.0.0.7:1", "ERROR no backend"]
        );
    }

    #[test]
    fn nothing_that_an_event_carries_can_forge_a_line() {
        let lines = told(Level::INFO, || tracing::warn!(path = "/\nERROR", "bad \x1b[31mhost\r\n{}", "x\ny"));
        assert_eq!(lines, [" WARN bad \\u{1b}[31mhost\\r\\nx\\ny path=/\\nERROR"]);
    }

    #[test]
    fn the_level_is_ours_and_libraries_only_complain() {
        let lines = told(Level::DEBUG, || {
            tracing::debug!("ours");
            tracing::trace!("too much");
            tracing::debug!(target: "rustls", "chatter");
            tracing::warn!(target: "rustls", "trouble");
            tracing::warn!(target: "h2::codec", "what a client does wrong");
        });
        assert_eq!(lines, ["DEBUG ours", " WARN trouble"]);
    }

    #[test]
    fn every_line_begins_with_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.log");
        let (_log, subscriber) = Log::build(Level::INFO, &Target::File(path.clone())).unwrap();
        tracing::subscriber::with_default(subscriber, || tracing::info!("x"));
        let text = fs::read_to_string(path).unwrap();
        assert!(text.split(' ').next().unwrap().parse::<jiff::Timestamp>().is_ok(), "{text}");
    }

    #[test]
    fn level_and_target_change_while_it_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("1"), folder.path().join("2"));
        let (log, subscriber) = Log::build(Level::INFO, &Target::File(first.clone())).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("first");
            log.change(Level::ERROR, &Target::File(second.clone())).unwrap();
            tracing::info!("not said");
            tracing::error!("second");
            assert!(log.change(Level::INFO, &Target::from("/nowhere/x")).is_err());
            fs::rename(&second, folder.path().join("3")).unwrap();
            log.reopen().unwrap();
            tracing::error!("third");
        });
        let lines = |path| fs::read_to_string(path).unwrap().lines().count();
        assert_eq!((lines(first), lines(second), lines(folder.path().join("3"))), (1, 1, 1));
    }
}
