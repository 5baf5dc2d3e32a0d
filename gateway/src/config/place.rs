//! Where something was written.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// A piece of a configuration file: which file, and the bytes from where to where.
/// Only the [`Sources`] it came from can tell what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    file: usize,
    start: usize,
    end: usize,
}

impl Place {
    pub(super) fn new(file: usize, span: Range<usize>) -> Self {
        Self { file, start: span.start, end: span.end }
    }

    /// A file as a whole, for what is wrong with no line of it.
    pub(super) fn whole(file: usize) -> Self {
        Self::new(file, 0..0)
    }

    pub(super) fn is_whole(self) -> bool {
        self.end == 0
    }

    pub(super) fn same_file(self, other: Self) -> bool {
        self.file == other.file
    }

    /// What stands at this place in the text of its file.
    pub(super) fn slice(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// The place of `part`, counted in bytes from `skip` bytes after the start of this one.
    pub(super) fn part(self, skip: usize, part: Range<usize>) -> Self {
        let start = self.start + skip;
        Self { file: self.file, start: start + part.start, end: start + part.end }
    }
}

/// The files of a configuration as they were read: the main file first, then what it includes.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    text: String,
}

impl Sources {
    /// The files, in the order in which they were read.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|source| source.path.as_path())
    }

    /// `file:line:column` of a place, counted from 1, for a line of a log.
    #[must_use]
    pub fn describe(&self, place: Place) -> String {
        let name = self.name(place);
        if place.is_whole() {
            return name;
        }
        let before = self.text(place).get(..place.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{name}:{line}:{column}")
    }

    /// Takes a file in and gives its number.
    pub(super) fn add(&mut self, path: PathBuf, text: String) -> usize {
        self.files.push(Source { path, text });
        self.files.len() - 1
    }

    /// The name under which a file is shown: its path as it was given.
    pub(super) fn name(&self, place: Place) -> String {
        self.files.get(place.file).map(|source| source.path.display().to_string()).unwrap_or_default()
    }

    /// The text of the file of a place.
    pub(super) fn text(&self, place: Place) -> &str {
        self.files.get(place.file).map_or("", |source| &source.text)
    }

    /// The characters (not bytes) of a place, cut at the end of its first line: a caret under a
    /// whole table would hide what it points at.
    pub(super) fn characters(&self, place: Place) -> Range<usize> {
        let text = self.text(place);
        let before = text.get(..place.start).unwrap_or(text);
        let start = before.chars().count();
        let line = place.slice(text).lines().next().unwrap_or_default().trim_end();
        start..start + line.chars().count()
    }
}
