//! One table of a file, read by the rules of its [`Section`]: unknown keys are refused, and every
//! value has the type and the bounds that the section gives its key.
//!
//! What is wrong becomes a finding, and a stand-in is returned so that the checks can go on and
//! find the rest. A configuration with findings is never used, so nobody meets a stand-in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{Entry, Node, Value};
use super::keys::{Absent, Key, Kind, SECTIONS, Section};
use super::nearest::did_you_mean;
use super::place::Place;
use super::problems::Findings;
use super::units;

/// A text and where it was written (for a default: the table it is missing from).
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) place: Place,
    verbatim: bool,
}

impl Text<'_> {
    /// What follows `prefix`, if the text begins with it; the place stays that of the whole text.
    pub(super) fn after(self, prefix: &str) -> Option<Self> {
        let text = self.text.strip_prefix(prefix)?;
        Some(Self { text, verbatim: false, ..self })
    }

    /// The place of some bytes of the text; of the whole text if they cannot be pointed at.
    pub(super) fn part(&self, span: std::ops::Range<usize>) -> Place {
        let inside = span.start < span.end && span.end <= self.text.len();
        if self.verbatim && inside { self.place.part(1, span) } else { self.place }
    }
}

impl Node {
    pub(super) fn as_text(&self) -> Option<Text<'_>> {
        match &self.value {
            Value::Text { text, verbatim } => Some(Text { text, place: self.place, verbatim: *verbatim }),
            _ => None,
        }
    }
}

/// A table and the rules for it.
pub(super) struct Fields<'a> {
    section: &'static Section,
    entries: &'a [Entry],
    /// Where the table begins.
    pub(super) place: Place,
    folder: &'a Path,
}

impl<'a> Fields<'a> {
    /// Refuses what `section` does not know. Relative paths start from `folder`.
    pub(super) fn new(
        section: &'static Section,
        entries: &'a [Entry],
        place: Place,
        folder: &'a Path,
        findings: &mut Findings,
    ) -> Self {
        for entry in entries.iter().filter(|e| !section.open && section.key(&e.key).is_none()) {
            let message = format!("{} has no key `{}`", section.noun, entry.key);
            findings.error(entry.place, message, unknown_key_help(section, &entry.key));
        }
        Self { section, entries, place, folder }
    }

    /// A table inside this one.
    pub(super) fn inner(
        &self,
        section: &'static Section,
        entries: &'a [Entry],
        place: Place,
        findings: &mut Findings,
    ) -> Self {
        Self::new(section, entries, place, self.folder, findings)
    }

    /// The value of a key, if it is written.
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entries.iter().find(|entry| entry.key == name).map(|entry| &entry.node)
    }

    /// The keys that the section does not know; only an open section has any.
    pub(super) fn others(&self) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(|entry| self.section.key(&entry.key).is_none())
    }

    /// The value of a key that must be written.
    pub(super) fn required(&self, name: &str, findings: &mut Findings) -> Option<&'a Node> {
        let node = self.get(name);
        if node.is_none() {
            let example = self.section.key(name).map(Key::example).unwrap_or_default();
            let message = format!("{} needs `{name}`", self.section.noun);
            findings.error(self.place, message, format!("add `{example}`"));
        }
        node
    }

    /// A text, or its default; none if there is neither.
    pub(super) fn text(&self, name: &str, findings: &mut Findings) -> Option<Text<'a>> {
        let key = self.section.key(name)?;
        match (self.get(name), key.default) {
            (Some(node), _) => node.as_text().or_else(|| wrong_type(key, node, findings)),
            (None, Absent::Value(text)) => Some(Text { text, place: self.place, verbatim: false }),
            (None, _) => None,
        }
    }

    /// One text or several.
    pub(super) fn texts(&self, name: &str, findings: &mut Findings) -> Vec<Text<'a>> {
        let (Some(key), Some(node)) = (self.section.key(name), self.get(name)) else {
            return Vec::new();
        };
        let Value::List(list) = &node.value else {
            return node.as_text().or_else(|| wrong_type(key, node, findings)).into_iter().collect();
        };
        list.iter().filter_map(|n| n.as_text().or_else(|| wrong_type(key, n, findings))).collect()
    }

    /// The entries of a table, in the order of the file.
    pub(super) fn entries(&self, name: &str, findings: &mut Findings) -> &'a [Entry] {
        let (Some(key), Some(node)) = (self.section.key(name), self.get(name)) else {
            return &[];
        };
        let Value::Table(entries) = &node.value else {
            wrong_type::<()>(key, node, findings);
            return &[];
        };
        entries
    }

    /// A table of texts, in the order of the file.
    pub(super) fn pairs(&self, name: &str, findings: &mut Findings) -> Vec<(&'a Entry, Text<'a>)> {
        let entries = self.entries(name, findings);
        let mut text = |entry: &'a Entry| {
            if entry.node.as_text().is_none() && !matches!(entry.node.value, Value::Unknown) {
                let message = format!("`{}` in `{name}` cannot be {}", entry.key, entry.node.value.noun());
                findings.error(entry.node.place, message, "write a text, in quotes");
            }
            entry.node.as_text()
        };
        entries.iter().filter_map(|entry| Some((entry, text(entry)?))).collect()
    }

    /// A path, relative to the folder of the file.
    pub(super) fn path(&self, name: &str, findings: &mut Findings) -> Option<PathBuf> {
        let text = self.text(name, findings)?;
        self.path_of(text, findings)
    }

    /// The path that a text names, relative to the folder of the file.
    pub(super) fn path_of(&self, text: Text<'_>, findings: &mut Findings) -> Option<PathBuf> {
        if text.text.is_empty() || text.text.contains('\0') {
            let key = "a path must not be empty";
            findings.error(text.place, key, "write a path, or leave the key out");
            return None;
        }
        Some(self.folder.join(text.text))
    }

    /// `true` or `false`; `false` if neither it nor a default is written.
    pub(super) fn flag(&self, name: &str, findings: &mut Findings) -> bool {
        let Some(key) = self.section.key(name) else { return false };
        let Some(node) = self.get(name) else { return key.default == Absent::Value("true") };
        match &node.value {
            Value::Flag(flag) => *flag,
            Value::Text { text, .. } if text == "true" || text == "false" => text == "true",
            _ => wrong_type(key, node, findings).unwrap_or_default(),
        }
    }

    /// One of the words that the section lists.
    pub(super) fn one_of(&self, name: &str, findings: &mut Findings) -> Option<&'a str> {
        let text = self.text(name, findings)?;
        let Some(Kind::OneOf(words)) = self.section.key(name).map(|key| key.kind) else {
            return None;
        };
        if words.contains(&text.text) {
            return Some(text.text);
        }
        let help = match did_you_mean(text.text, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write one of `{}`", words.join("`, `")),
        };
        findings.error(text.place, format!("`{name}` cannot be `{}`", text.text), help);
        None
    }

    /// A whole number; may be written as a text, so that it can come from the environment.
    /// None if neither it nor a default is written.
    pub(super) fn number(&self, name: &str, findings: &mut Findings) -> Option<u64> {
        let read = |text: &str| text.trim().parse::<i64>().ok();
        let number = self.measure(name, "a whole number", "write digits only", &read, findings)?;
        if let Some(Key { kind: Kind::Number(from, to), .. }) = self.section.key(name) {
            let bounds = (*from, *to, &from.to_string()[..], &to.to_string()[..]);
            self.bounded(name, number, bounds, findings);
        }
        u64::try_from(number).ok()
    }

    /// A size in bytes; none if neither it nor a default is written.
    pub(super) fn size(&self, name: &str, findings: &mut Findings) -> Option<u64> {
        let size = self.measure(name, "a size", units::SIZE_HELP, &units::size, findings)?;
        if let Some(Key { kind: Kind::Size(from, to), .. }) = self.section.key(name)
            && let (Some(low), Some(high)) = (units::size(from), units::size(to))
        {
            self.bounded(name, size, (low, high, from, to), findings);
        }
        Some(size)
    }

    /// A share; none if neither it nor a default is written.
    pub(super) fn share(&self, name: &str, findings: &mut Findings) -> Option<f64> {
        let share = self.measure(name, "a share", units::SHARE_HELP, &units::share, findings)?;
        if let Some(Key { kind: Kind::Share(from, to), .. }) = self.section.key(name)
            && let (Some(low), Some(high)) = (units::share(from), units::share(to))
        {
            self.bounded(name, share, (low, high, from, to), findings);
        }
        Some(share)
    }

    /// A duration. All of them have defaults.
    pub(super) fn duration(&self, name: &str, findings: &mut Findings) -> Duration {
        let help = units::DURATION_HELP;
        let Some(duration) = self.measure(name, "a duration", help, &units::duration, findings) else {
            return Duration::ZERO;
        };
        if let Some(Key { kind: Kind::Duration(from, to), .. }) = self.section.key(name)
            && let (Some(low), Some(high)) = (units::duration(from), units::duration(to))
        {
            self.bounded(name, duration, (low, high, from, to), findings);
        }
        duration
    }

    /// A duration that may be absent.
    pub(super) fn written_duration(&self, name: &str, findings: &mut Findings) -> Option<Duration> {
        self.get(name).map(|_| self.duration(name, findings))
    }

    /// A table inside this one, by its key; as if it were empty when it is not written.
    pub(super) fn table(&self, section: &'static Section, name: &str, findings: &mut Findings) -> Self {
        let node = self.get(name);
        let entries = match (self.section.key(name), node.map(|node| &node.value)) {
            (_, Some(Value::Table(entries))) => entries.as_slice(),
            (Some(key), Some(_)) => node.and_then(|node| wrong_type(key, node, findings)).unwrap_or_default(),
            _ => &[],
        };
        let place = node.map_or(self.place, |node| node.place);
        self.inner(section, entries, place, findings)
    }

    /// Reads a text or a whole number by `read`.
    fn measure<T>(
        &self,
        name: &str,
        noun: &str,
        help: &str,
        read: &dyn Fn(&str) -> Option<T>,
        findings: &mut Findings,
    ) -> Option<T> {
        let key = self.section.key(name)?;
        let Some(node) = self.get(name) else {
            let Absent::Value(text) = key.default else { return None };
            return read(text);
        };
        let written = match &node.value {
            Value::Text { text, .. } => text.clone(),
            Value::Integer(number) => number.to_string(),
            _ => return wrong_type(key, node, findings),
        };
        let value = read(&written);
        if value.is_none() {
            findings.error(node.place, format!("`{written}` is not {noun}"), help);
        }
        value
    }

    fn bounded<T: PartialOrd + Copy>(
        &self,
        name: &str,
        value: T,
        (from, to, low, high): (T, T, &str, &str),
        findings: &mut Findings,
    ) {
        if value < from || value > to {
            let place = self.get(name).map_or(self.place, |node| node.place);
            let side = if value < from { "small" } else { "large" };
            let message = format!("`{name}` is too {side}");
            findings.error(place, message, format!("it must be from {low} to {high}"));
        }
    }
}

/// Says that a key was given something of the wrong type. Returns nothing, as whatever type is
/// convenient.
pub(super) fn wrong_type<T>(key: &Key, node: &Node, findings: &mut Findings) -> Option<T> {
    if matches!(node.value, Value::Unknown) {
        return None;
    }
    let message = format!("`{}` cannot be {}", key.name, node.value.noun());
    let help = match (key.kind, &node.value) {
        (Kind::Tables, Value::Table(_)) => format!("write `[[{}]]`, in double brackets", key.name),
        (Kind::NamedTables, Value::List(_)) => {
            format!("write `[{}.name]`, in single brackets and with a name", key.name)
        }
        (Kind::Table, Value::List(_)) => format!("write `[{}]`, in single brackets", key.name),
        _ => format!("write `{}`", key.example()),
    };
    findings.error(node.place, message, help);
    None
}

fn unknown_key_help(section: &Section, written: &str) -> String {
    let name = &*written.replace('-', "_");
    if let Some(key) = section.keys.iter().find(|key| key.nginx == name) {
        return format!("nginx's `{name}` is called `{}` here", key.name);
    }
    if section.key(name).is_some() {
        return format!("did you mean `{name}`?");
    }
    let homes: Vec<_> = SECTIONS.iter().filter(|s| s.key(name).is_some()).map(|s| s.title).collect();
    if !homes.is_empty() {
        return format!("`{name}` belongs to {}", homes.join(" or "));
    }
    if let Some(near) = did_you_mean(name, section.names()) {
        return format!("did you mean `{near}`?");
    }
    let nginx = |s: &&'static Section| Some((s.title, s.keys.iter().find(|key| key.nginx == name)?.name));
    if let Some((title, key)) = SECTIONS.iter().find_map(nginx) {
        return format!("nginx's `{name}` is called `{key}` here and belongs to {title}");
    }
    format!("it has {}", section.names().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))
}
