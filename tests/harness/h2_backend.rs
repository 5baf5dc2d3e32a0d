//! A backend's end of HTTP/2, frame by frame: what no library would send.

use super::Wire;
use super::h2::{
    ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, block,
    frame, number,
};

/// What came from the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// The head of a request, or trailers; whether the stream ends with it.
    Head { stream: u32, last: bool },
    /// A piece of a body.
    Data { stream: u32, bytes: Vec<u8>, last: bool },
    /// A stream was reset, with this error code.
    Reset { stream: u32, code: u32 },
    /// The connection ended.
    Over,
}

/// A connection that the gateway made, in the hands of the test.
pub struct H2Backend {
    wire: Wire,
}

impl H2Backend {
    /// Takes the preface and answers with these settings (number, value).
    #[track_caller]
    pub fn on(mut wire: Wire, settings: &[(u16, u32)]) -> Self {
        assert_eq!(wire.bytes(24), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        wire.send(frame(SETTINGS, 0, 0, &payload));
        Self { wire }
    }

    /// Settings that allow so many streams at a time.
    #[track_caller]
    pub fn allowing(wire: Wire, streams: u32) -> Self {
        Self::on(wire, &[(3, streams)])
    }

    /// The next thing that matters. Pings and settings are answered in passing.
    #[track_caller]
    pub fn next(&mut self) -> Came {
        loop {
            let Some(head) = self.wire.try_bytes(9) else { return Came::Over };
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let Some(bytes) = self.wire.try_bytes(length) else { return Came::Over };
            let (kind, flags, stream) = (head[3], head[4], number(&head[5..]));
            match kind {
                SETTINGS | PING if flags & ACK == 0 => {
                    let answer: &[u8] = if kind == PING { &bytes } else { &[] };
                    let _ = self.wire.try_send(frame(kind, ACK, 0, answer));
                }
                HEADERS => return Came::Head { stream, last: flags & END_STREAM != 0 },
                DATA => return Came::Data { stream, bytes, last: flags & END_STREAM != 0 },
                RST_STREAM => return Came::Reset { stream, code: number(&bytes) },
                _ => {}
            }
        }
    }

    /// The stream of the next request; fails the test if something else comes.
    #[track_caller]
    pub fn request(&mut self) -> u32 {
        match self.next() {
            Came::Head { stream, .. } => stream,
            other => panic!("no request but {other:?}"),
        }
    }

    /// Sends a head with a status and these fields.
    pub fn head(&mut self, stream: u32, status: &str, fields: &[(&str, &str)], last: bool) {
        self.fields(stream, &[&[(":status", status)], fields].concat(), last);
    }

    /// Sends a head or trailers of exactly these fields.
    pub fn fields(&mut self, stream: u32, fields: &[(&str, &str)], last: bool) {
        let flags = END_HEADERS | if last { END_STREAM } else { 0 };
        self.wire.send(frame(HEADERS, flags, stream, &block(fields)));
    }

    /// Sends a piece of a body.
    pub fn data(&mut self, stream: u32, bytes: &[u8], last: bool) {
        self.wire.send(frame(DATA, if last { END_STREAM } else { 0 }, stream, bytes));
    }

    /// What comes of a request's body up to its end, and the end. Fails the test if anything but
    /// data comes before.
    #[track_caller]
    pub fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            match self.next() {
                Came::Data { bytes, last, .. } => {
                    body.extend(bytes);
                    if last {
                        return body;
                    }
                }
                other => panic!("{other:?} after {body:?}"),
            }
        }
    }

    /// Waits for the end of a request whose head has come: a reset, its last piece, or the end of
    /// the connection.
    #[track_caller]
    pub fn end_of_request(&mut self) -> Came {
        loop {
            match self.next() {
                Came::Data { last: false, .. } => {}
                end => return end,
            }
        }
    }

    /// Answers with 200 and a short body.
    pub fn answer(&mut self, stream: u32) {
        self.head(stream, "200", &[], false);
        self.data(stream, b"ok", true);
    }

    /// Resets a stream with an error code.
    pub fn reset(&mut self, stream: u32, code: u32) {
        self.wire.send(frame(RST_STREAM, 0, stream, &code.to_be_bytes()));
    }

    /// Says that no stream after `last` has been or will be looked at.
    pub fn goaway(&mut self, last: u32) {
        self.wire.send(frame(GOAWAY, 0, 0, &[last.to_be_bytes(), 0u32.to_be_bytes()].concat()));
    }

    /// Sends the same frame again and again; how often, until the gateway no longer listened.
    pub fn flood(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8], times: usize) -> usize {
        let frame = frame(kind, flags, stream, payload);
        (0..times).take_while(|_| self.wire.try_send(&frame).is_ok()).count()
    }

    /// Lets the gateway send so many more bytes, on a stream or (0) on the connection.
    pub fn window(&mut self, stream: u32, bytes: u32) {
        self.wire.send(frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes()));
    }
}
