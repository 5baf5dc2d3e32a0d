//! The command line's end of the control socket: one question, one answer, plain blocking I/O.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Time to get a request out.
const SEND: Duration = Duration::from_secs(5);
/// Time to the answer. Long, because a reload may compile a large policy.
const ANSWER: Duration = Duration::from_secs(120);
/// The longest answer that is read, bytes.
const LONGEST: u64 = 64 * 1024 * 1024;

/// What the gateway answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code: 200 when all is well, 422 when a reload was refused.
    pub status: u16,
    /// Text for the person who asked.
    pub text: String,
}

/// Gives a command to the gateway behind this socket.
///
/// # Errors
/// No gateway answers there; the text says why and is meant for the person who asked.
pub fn post(socket: &Path, path: &str) -> io::Result<Answer> {
    ask(socket, "POST", path, ANSWER)
}

/// Gives a command that takes its time: the answer may be so much later.
///
/// # Errors
/// As [`post`].
pub fn post_and_wait(socket: &Path, path: &str, patience: Duration) -> io::Result<Answer> {
    ask(socket, "POST", path, ANSWER + patience)
}

/// Gets a page from the gateway behind this socket.
///
/// # Errors
/// As [`post`].
pub fn get(socket: &Path, path: &str) -> io::Result<Answer> {
    ask(socket, "GET", path, ANSWER)
}

fn ask(socket: &Path, method: &str, path: &str, patience: Duration) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket).map_err(|error| nobody(socket, &error))?;
    stream.set_write_timeout(Some(SEND))?;
    stream.set_read_timeout(Some(patience))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: pointsman\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    let mut received = Vec::new();
    let exchange =
        stream.write_all(request.as_bytes()).and_then(|()| stream.take(LONGEST).read_to_end(&mut received));
    exchange.map_err(|error| silent(&error, patience))?;
    parse(&received).ok_or_else(|| {
        io::Error::new(ErrorKind::InvalidData, "the gateway broke off before its answer was complete")
    })
}

/// Why nobody can be asked.
fn nobody(socket: &Path, error: &io::Error) -> io::Error {
    let socket = socket.display();
    let text = match error.kind() {
        ErrorKind::NotFound => {
            format!("no gateway is running with this configuration (no socket at `{socket}`)")
        }
        ErrorKind::ConnectionRefused => format!(
            "no gateway is running with this configuration (nobody listens at `{socket}`, a gateway that died left it)"
        ),
        ErrorKind::PermissionDenied => {
            format!("not allowed to talk to the gateway at `{socket}`: do this as the user it runs as")
        }
        _ => format!("cannot talk to the gateway at `{socket}`: {error}"),
    };
    io::Error::new(error.kind(), text)
}

fn silent(error: &io::Error, patience: Duration) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            let text = format!("the gateway did not answer within {} seconds", patience.as_secs());
            io::Error::new(ErrorKind::TimedOut, text)
        }
        kind => io::Error::new(kind, format!("the gateway broke off: {error}")),
    }
}

/// Reads a whole answer; none if it is not whole. The server always declares the length.
fn parse(received: &[u8]) -> Option<Answer> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(start) = head.parse(received).ok()? else { return None };
    let length = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"))?;
    let length: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
    let body = received.get(start..start.checked_add(length)?)?;
    Some(Answer { status: head.code?, text: String::from_utf8_lossy(body).into_owned() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// What `get` makes of a gateway that answers with these bytes and hangs up.
    fn asked(answer: &'static [u8]) -> io::Result<Answer> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let gateway = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            stream.write_all(answer).unwrap();
        });
        let result = get(&socket, "/x");
        gateway.join().unwrap();
        result
    }

    #[test]
    fn an_answer_is_status_and_text() {
        let answer = asked(b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 3\r\n\r\nno\n").unwrap();
        assert_eq!(answer, Answer { status: 422, text: "no\n".into() });
    }

    #[test]
    fn half_an_answer_is_an_error() {
        for half in [&b""[..], b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
            let error = asked(half).unwrap_err();
            assert!(error.to_string().contains("broke off before its answer was complete"), "{error}");
        }
    }

    #[test]
    fn without_a_gateway_it_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let why = |socket: &Path| post(socket, "/reload").unwrap_err().to_string();
        let nothing =
            format!("no gateway is running with this configuration (no socket at `{}`)", socket.display());
        assert_eq!(why(&socket), nothing);
        drop(UnixListener::bind(&socket).unwrap());
        assert!(why(&socket).contains("a gateway that died left it"));
    }

    #[test]
    fn a_gateway_that_says_nothing_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let _silent = UnixListener::bind(&socket).unwrap();
        let error = ask(&socket, "GET", "/", Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("did not answer within"), "{error}");
    }

    #[test]
    fn fuzz_control_answer() {
        let words = ["HTTP/1.1 200 OK\r\n", "Content-Length: ", "\r\n", "\r\n\r\n", "18446744073709551615"];
        crate::fuzz::fuzz("control_answer", &words, |input| {
            let Some(answer) = parse(input) else { return };
            // What is whole stays whole, whatever follows it.
            assert_eq!(parse(&[input, b"more"].concat()), Some(answer));
        });
    }
}
