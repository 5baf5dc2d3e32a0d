//! What is wrong with a configuration, shown where it is wrong.

use std::fmt;
use std::sync::Arc;

use ariadne::{CharSet, Color, Config, Label, Report, ReportKind};

use super::place::{Place, Sources};

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but hardly as it was meant.
    Warning,
}

/// One thing that is wrong: where, what, and how to mend it.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    severity: Severity,
    place: Place,
    message: String,
    help: String,
    /// A second place that explains the first: "first written here".
    other: Option<(Place, &'static str)>,
}

impl Problem {
    /// Both texts may quote what the user wrote; they are made to stand on one line each.
    fn new(severity: Severity, place: Place, message: &str, help: &str) -> Self {
        Self { severity, place, message: one_line(message), help: one_line(help), other: None }
    }

    /// Points at a second place.
    pub(super) fn with(&mut self, place: Place, label: &'static str) {
        self.other = Some((place, label));
    }
}

/// What the checks have found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Problem>,
}

impl Findings {
    /// Something that makes the configuration unusable.
    pub(super) fn error(
        &mut self,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Problem {
        self.push(Problem::new(Severity::Error, place, &message.into(), &help.into()))
    }

    /// Something that can hardly be meant.
    pub(super) fn warning(
        &mut self,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Problem {
        self.push(Problem::new(Severity::Warning, place, &message.into(), &help.into()))
    }

    fn push(&mut self, problem: Problem) -> &mut Problem {
        let at = self.list.len();
        self.list.push(problem);
        &mut self.list[at]
    }

    /// Whether anything makes the configuration unusable.
    pub(super) fn has_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The errors if there are any, else the warnings, in the order of the files.
    pub(super) fn into_problems(mut self, sources: Arc<Sources>) -> Problems {
        if self.has_errors() {
            self.list.retain(|problem| problem.severity == Severity::Error);
        }
        self.list.sort_by_key(|problem| problem.place);
        Problems { sources, list: self.list }
    }
}

/// Everything that is wrong with a configuration (or, in [`Loaded`](super::Loaded), everything
/// that is suspicious). Shown as plain text; [`coloured`](Self::coloured) is for terminals.
#[derive(Clone, Debug)]
pub struct Problems {
    sources: Arc<Sources>,
    list: Vec<Problem>,
}

impl Problems {
    /// No problems yet, in these files.
    #[must_use]
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources, list: Vec::new() }
    }

    /// Adds an error that only showed later: a policy that refuses its options, say.
    /// `help` stands beside the caret and says how to mend it.
    pub fn add(&mut self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        self.list.push(Problem::new(Severity::Error, place, &message.into(), &help.into()));
    }

    /// Adds those that were found elsewhere in the same files, in the order of the files.
    pub fn extend(&mut self, other: Self) {
        self.list.extend(other.list);
        self.list.sort_by_key(|problem| problem.place);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The same text with colours and drawn lines, for a terminal.
    #[must_use]
    pub fn coloured(&self) -> String {
        self.render(true)
    }

    fn render(&self, colours: bool) -> String {
        let shown = self.list.iter().map(|problem| problem.render(&self.sources, colours));
        shown.collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

impl Problem {
    fn render(&self, sources: &Sources, colours: bool) -> String {
        let (kind, colour) = match self.severity {
            Severity::Error => (ReportKind::Error, Color::Red),
            Severity::Warning => (ReportKind::Warning, Color::Yellow),
        };
        if self.place.is_whole() {
            let (name, message, help) = (sources.name(self.place), &self.message, &self.help);
            return format!("{kind}: {message}\n  in {name}\n  {help}\n");
        }
        let span = |place| (sources.name(place), sources.characters(place));
        let charset = if colours { CharSet::Unicode } else { CharSet::Ascii };
        let config = Config::new().with_color(colours).with_char_set(charset);
        let mut labels = vec![(self.place, self.help.as_str(), colour)];
        labels.extend(self.other.map(|(place, label)| (place, label, Color::Blue)));
        // Within a file from top to bottom, or the drawing begins a second box.
        if self.other.is_some_and(|(place, _)| place.same_file(self.place)) {
            labels.sort_by_key(|(place, ..)| *place);
        }
        let files: Vec<_> = labels.iter().map(|(p, ..)| (sources.name(*p), sources.text(*p))).collect();
        let label = |(place, text, colour)| Label::new(span(place)).with_message(text).with_color(colour);
        let report = Report::build(kind, span(self.place))
            .with_config(config)
            .with_message(&self.message)
            .with_labels(labels.into_iter().map(label))
            .finish();
        let mut text = Vec::new();
        // Writing to memory cannot fail; if it ever did, the message alone would still be right.
        if report.write(ariadne::sources(files), &mut text).is_err() {
            return format!("{kind}: {}\n  {}\n", self.message, self.help);
        }
        without_trailing_blanks(&String::from_utf8_lossy(&text))
    }
}

fn one_line(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// The drawing pads its lines; text that is compared and pasted should not.
fn without_trailing_blanks(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
