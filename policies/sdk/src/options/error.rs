//! What is wrong with an option, told to an operator.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

/// Where it is wrong, and what.
#[derive(Debug)]
pub(crate) struct Error {
    /// `zones.a[1]`; empty for the object as a whole.
    place: String,
    text: String,
}

impl Error {
    /// At the place that is being read.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { place: String::new(), text: text.into() }
    }

    /// Puts the name of what surrounds the place in front of it.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        let dot = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place.insert_str(0, dot);
        self.place.insert_str(0, outer);
        self
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            f.write_str(&self.place)?;
            f.write_str(": ")?;
        }
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

// Serde's own texts are about Rust's types, and bring code to print numbers with a fraction.
impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Unsigned(number) => number.to_string(),
            Unexpected::Signed(number) => number.to_string(),
            Unexpected::Str(text) => ["\"", text, "\""].concat(),
            Unexpected::Other(text) => text.into(),
            Unexpected::Unit | Unexpected::Option => "nothing".into(),
            Unexpected::Seq => "a list".into(),
            Unexpected::Map => "a table".into(),
            _ => "something else".into(),
        };
        Self::new(["expected ", &kind(expected), ", found ", &found].concat())
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let length = length.to_string();
        Self::new(["expected ", &kind(expected), ", found a list of ", &length].concat())
    }

    fn unknown_variant(variant: &str, names: &'static [&'static str]) -> Self {
        Self::new(["there is no `", variant, "`; there are ", &listed(names)].concat())
    }

    fn unknown_field(field: &str, names: &'static [&'static str]) -> Self {
        Self::new(["there is no option `", field, "`; there are ", &listed(names)].concat())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(["`", field, "` is missing"].concat())
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(["`", field, "` stands there twice"].concat())
    }
}

/// What is expected, in the words of a configuration instead of Rust's.
fn kind(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let largest = match text.as_str() {
        "a boolean" => return "true or false".into(),
        "f32" | "f64" => return "a number".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => return "a whole number".into(),
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" | "usize" => u64::from(u32::MAX),
        "u64" => u64::MAX,
        _ => return text,
    };
    ["a whole number from 0 to ", &largest.to_string()].concat()
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".into() } else { ["`", &names.join("`, `"), "`"].concat() }
}
