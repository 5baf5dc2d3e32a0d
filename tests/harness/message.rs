//! One HTTP/1.1 message as it was on the wire.

use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;

/// Start line and fields, in their order and spelling.
#[derive(Clone, Default)]
pub struct Head {
    /// The head as received, with its line ends and the empty line.
    pub raw: Vec<u8>,
    /// The first line, without its end.
    pub start: String,
    /// Names and values, values trimmed.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// Splits a head; fails the test when a line is not `name: value`.
    pub fn of(raw: Vec<u8>) -> Self {
        let text = latin1(&raw);
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let fields = lines.map(field).collect();
        Self { raw, start, fields }
    }

    /// All values of a field, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// The values of a field as one list, `""` when it is absent.
    pub fn field(&self, name: &str) -> String {
        self.all(name).join(", ")
    }

    /// Whether the field is there at all.
    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }
}

/// A whole message: head, decoded body, trailers.
#[derive(Clone, Default)]
pub struct Message {
    /// Start line and fields.
    pub head: Head,
    /// The content, without chunk framing.
    pub body: Vec<u8>,
    /// Fields after the last chunk.
    pub trailers: Vec<(String, String)>,
    /// The connection ended before the message did.
    pub cut: bool,
}

impl Debug for Head {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&latin1(&self.raw))
    }
}

/// As it was on the wire, but for long bodies.
impl Debug for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown = &self.body[..self.body.len().min(200)];
        let cut = if self.cut { " (cut here)" } else { "" };
        write!(f, "{:?}{} ({} bytes){cut}", self.head, latin1(shown), self.body.len())?;
        if self.trailers.is_empty() { Ok(()) } else { write!(f, " trailers: {:?}", self.trailers) }
    }
}

impl Deref for Message {
    type Target = Head;
    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Message {
    /// Status code of an answer.
    #[track_caller]
    pub fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_else(|_| panic!("not a status line: {:?}", self.start))
    }

    /// Method of a request.
    pub fn method(&self) -> &str {
        self.word(0)
    }

    /// Target of a request.
    pub fn target(&self) -> &str {
        self.word(1)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        latin1(&self.body)
    }

    /// Name of the backend that answered (its `X-Backend`), `""` when the gateway itself did.
    pub fn backend(&self) -> String {
        self.field("x-backend")
    }
}

/// A field line as name and trimmed value.
#[track_caller]
pub fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a field line: {line:?}"));
    (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
}

/// Bytes as text, one character each: nothing is lost and nothing fails.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}
