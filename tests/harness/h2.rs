//! The frames of HTTP/2, written by hand: what a client library would never send.

use super::Wire;

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was answered with this status, to the end.
    Answered(u16),
    /// It was reset, with this error code.
    Reset(u32),
    /// The connection ended, with this error code if one was told.
    Over(Option<u32>),
}

/// A client's connection with prior knowledge (RFC 9113 section 3.3).
pub struct H2 {
    wire: Wire,
    status: u16,
    heads: usize,
    pieces: usize,
}

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const ACK: u8 = 1;

impl H2 {
    /// Begins to speak HTTP/2 on a connection.
    pub fn on(wire: Wire) -> Self {
        Self::with_settings(wire, &[])
    }

    /// The same, with settings by number (RFC 9113 section 6.5.2).
    pub fn with_settings(mut wire: Wire, settings: &[(u16, u32)]) -> Self {
        wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut client = Self { wire, status: 0, heads: 0, pieces: 0 };
        let bytes = |(number, value): &(u16, u32)| [&number.to_be_bytes()[..], &value.to_be_bytes()].concat();
        let _ = client.frame(SETTINGS, 0, 0, &settings.iter().flat_map(bytes).collect::<Vec<_>>());
        client
    }

    /// Sends the same frame again and again; how often, until the gateway no longer listened.
    pub fn flood(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8], times: usize) -> usize {
        (0..times).take_while(|_| self.frame(kind, flags, stream, payload).is_ok()).count()
    }

    /// A GET with these fields besides the pseudo-fields; ends the stream.
    pub fn get(&mut self, stream: u32, path: &str, fields: &[(&str, &str)]) {
        self.request(stream, "GET", path, fields, true);
    }

    /// A head with the four pseudo-fields and these.
    pub fn request(&mut self, stream: u32, method: &str, path: &str, fields: &[(&str, &str)], last: bool) {
        let pseudo = [(":method", method), (":scheme", "http"), (":authority", "test"), (":path", path)];
        self.headers(stream, &[&pseudo[..], fields].concat(), last);
    }

    /// A head, or trailers, of exactly these fields.
    pub fn headers(&mut self, stream: u32, fields: &[(&str, &str)], last: bool) {
        let _ = self.frame(HEADERS, END_HEADERS | u8::from(last), stream, &block(fields));
    }

    /// A piece of a body.
    pub fn data(&mut self, stream: u32, bytes: &[u8], last: bool) {
        let _ = self.frame(DATA, u8::from(last), stream, bytes);
    }

    /// Takes a request back; whether the gateway still listens.
    pub fn reset(&mut self, stream: u32) -> bool {
        const CANCEL: u32 = 8;
        self.reset_as(stream, CANCEL)
    }

    /// The same with another error code (RFC 9113 section 7).
    pub fn reset_as(&mut self, stream: u32, code: u32) -> bool {
        self.frame(RST_STREAM, 0, stream, &code.to_be_bytes()).is_ok()
    }

    /// Waits for the end of a stream, also when the connection is said to end after it.
    #[track_caller]
    pub fn answer_of(&mut self, stream: u32) -> End {
        loop {
            match self.end_of(stream) {
                // A graceful GOAWAY: no error, and what was begun is finished (RFC 9113 section 6.8).
                End::Over(Some(0)) => {}
                end => return end,
            }
        }
    }

    /// How many heads came so far on streams that were waited for: interim, final, trailers.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// How many pieces of bodies came so far on streams that were waited for.
    pub fn pieces(&self) -> usize {
        self.pieces
    }

    /// Waits for the next head on a stream; its status.
    #[track_caller]
    pub fn status_of(&mut self, stream: u32) -> u16 {
        let heads = self.heads;
        while self.heads == heads {
            if let Some(end) = self.step(stream) {
                assert_eq!(end, End::Answered(self.status), "a head");
            }
        }
        self.status
    }

    /// Waits for the end of a stream or of the connection.
    #[track_caller]
    pub fn end_of(&mut self, stream: u32) -> End {
        loop {
            if let Some(end) = self.step(stream) {
                return end;
            }
        }
    }

    /// Takes one frame; the end of the stream or of the connection if it is that.
    #[track_caller]
    fn step(&mut self, stream: u32) -> Option<End> {
        let Some(head) = self.wire.try_bytes(9) else { return Some(End::Over(None)) };
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some(payload) = self.wire.try_bytes(length) else { return Some(End::Over(None)) };
        let (kind, flags, of) = (head[3], head[4], number(&head[5..]));
        match kind {
            SETTINGS | PING if flags & ACK == 0 => {
                let answer: &[u8] = if kind == PING { &payload } else { &[] };
                let _ = self.frame(kind, ACK, 0, answer);
            }
            GOAWAY => return Some(End::Over(Some(number(&payload[4..])))),
            RST_STREAM if of == stream => return Some(End::Reset(number(&payload))),
            HEADERS | DATA if of == stream => {
                self.pieces += usize::from(kind == DATA);
                if kind == HEADERS {
                    self.heads += 1;
                    self.status = status(&payload).unwrap_or(self.status);
                }
                if flags & END_STREAM != 0 {
                    return Some(End::Answered(self.status));
                }
            }
            _ => {}
        }
        None
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        self.wire.try_send(frame(kind, flags, stream, payload))
    }
}

/// A whole frame (RFC 9113 section 4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [head.as_slice(), payload].concat()
}

/// Fields, each one literal, never indexed, not compressed (RFC 7541 section 6.2.2).
pub(super) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let literal = |&(name, value): &(&str, &str)| [vec![0], string(name), string(value)].concat();
    fields.iter().flat_map(literal).collect()
}

pub(super) fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"))
}

/// A string as HPACK writes it (RFC 7541 section 5.2), up to 127 bytes plus 127 times 128.
fn string(text: &str) -> Vec<u8> {
    let length = match text.len() {
        short @ 0..127 => vec![short as u8],
        long => vec![127, ((long - 127) & 127) as u8 | 128, ((long - 127) >> 7) as u8],
    };
    [length, text.as_bytes().to_vec()].concat()
}

/// The status at the beginning of a head; none for trailers. Indexed or literal, plain or in
/// Huffman's code, of which only the digits matter (RFC 7541 appendices A and B).
fn status(block: &[u8]) -> Option<u16> {
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    // Updates of the table's size come first (section 6.3).
    let block = &block[block.iter().position(|b| b >> 5 != 1)?..];
    match *block {
        [index @ 0x88..=0x8e, ..] => Some(INDEXED[usize::from(index - 0x88)]),
        [0x08 | 0x18 | 0x48, 3, a, b, c, ..] => {
            Some([a, b, c].iter().fold(0, |n, d| n * 10 + u16::from(d - b'0')))
        }
        [0x08 | 0x18 | 0x48, length @ 0x82..=0x83, ref code @ ..] => {
            Some(digits(&code[..usize::from(length & 127)]))
        }
        _ => None,
    }
}

/// Three digits in Huffman's code: five bits for 0 to 2, six for the others.
fn digits(code: &[u8]) -> u16 {
    let bits = code.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect::<Vec<_>>();
    let take =
        |at: usize, count: usize| bits[at..at + count].iter().fold(0, |n, bit| n << 1 | u16::from(*bit));
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let short = take(at, 5);
        let (digit, width) = if short < 3 { (short, 5) } else { (take(at, 6) - 0x16, 6) };
        status = status * 10 + digit;
        at += width;
    }
    status
}
