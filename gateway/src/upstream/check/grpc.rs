//! The gRPC health checking protocol: `grpc.health.v1.Health/Check`.
//! <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>

use bytes::{BufMut, Bytes, BytesMut};
use h2::client;
use http::{HeaderMap, Request, Version};

use crate::upstream::Stream;

/// `HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: u64 = 1;
/// An answer has a few bytes; who sends more means something else.
const LONGEST: usize = 1024;

/// Asks how the service is; why not well, if it is not.
pub(super) async fn ask(stream: Stream, service: &str, name: &str) -> Result<(), String> {
    let authority = if name.starts_with("unix:") { "localhost" } else { name };
    let (sender, connection) = client::handshake(stream).await.map_err(failed)?;
    let answer = async {
        let mut sender = sender.ready().await.map_err(failed)?;
        let (response, mut body) = sender.send_request(request(authority)?, false).map_err(failed)?;
        body.send_data(message(service), true).map_err(failed)?;
        read(response.await.map_err(failed)?).await
    };
    // The connection moves only while it is polled; it ends with the answer.
    tokio::select! {
        answer = answer => answer,
        ended = connection => Err(ended.map_or_else(failed, |()| "it closed the connection".to_owned())),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn failed(error: h2::Error) -> String {
    error.to_string()
}

fn request(authority: &str) -> Result<Request<()>, String> {
    let request = Request::post(format!("http://{authority}/grpc.health.v1.Health/Check"));
    let request =
        request.version(Version::HTTP_2).header("content-type", "application/grpc").header("te", "trailers");
    request.header("user-agent", "pointsman").body(()).map_err(|error| error.to_string())
}

/// A message `HealthCheckRequest { service }` in gRPC's framing.
fn message(service: &str) -> Bytes {
    let mut proto = BytesMut::new();
    if !service.is_empty() {
        proto.put_u8(0x0a);
        put_varint(&mut proto, service.len() as u64);
        proto.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(5 + proto.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(proto.len()).unwrap_or(u32::MAX));
    framed.put_slice(&proto);
    framed.freeze()
}

async fn read(response: http::Response<h2::RecvStream>) -> Result<(), String> {
    let status = response.status();
    if !status.is_success() {
        return Err(format!("it answered {}", status.as_u16()));
    }
    check_status(response.headers())?;
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(failed)?;
        bytes.extend_from_slice(&data);
        if bytes.len() > LONGEST {
            return Err("its answer is no health check's".into());
        }
        body.flow_control().release_capacity(data.len()).map_err(failed)?;
    }
    if let Some(trailers) = body.trailers().await.map_err(failed)? {
        check_status(&trailers)?;
    }
    match serving_status(&bytes) {
        Some(SERVING) => Ok(()),
        Some(0) => Err("it does not know how it is (UNKNOWN)".into()),
        Some(2) => Err("it says that it does not serve (NOT_SERVING)".into()),
        Some(other) => Err(format!("it says that it does not serve (status {other})")),
        None => Err("its answer is no health check's".into()),
    }
}

/// `grpc-status`, if it is there, must be 0.
fn check_status(fields: &HeaderMap) -> Result<(), String> {
    match fields.get("grpc-status").map(|value| value.as_bytes()) {
        None | Some(b"0") => Ok(()),
        Some(b"5") => Err("it does not know this service (grpc-status 5)".into()),
        Some(b"12") => Err("it does not implement health checks (grpc-status 12)".into()),
        Some(status) => Err(format!("grpc-status {}", String::from_utf8_lossy(status))),
    }
}

/// Field 1 of a `HealthCheckResponse`; other fields are skipped, an absent one is 0.
fn serving_status(framed: &[u8]) -> Option<u64> {
    let (prefix, mut proto) = framed.split_at_checked(5)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    if prefix[0] != 0 || length as usize != proto.len() {
        return None;
    }
    let mut status = 0;
    while !proto.is_empty() {
        let tag = take_varint(&mut proto)?;
        let skipped = match tag & 7 {
            0 => {
                let value = take_varint(&mut proto)?;
                status = if tag >> 3 == 1 { value } else { status };
                0
            }
            1 => 8,
            2 => usize::try_from(take_varint(&mut proto)?).ok()?,
            5 => 4,
            _ => return None,
        };
        proto = proto.get(skipped..)?;
    }
    Some(status)
}

fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value > 0x7f {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_service() {
        assert_eq!(&message("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&message("a.B")[..], *b"\0\0\0\0\x05\x0a\x03a.B");
        assert_eq!(message(&"x".repeat(300))[5..8], [0x0a, 0xac, 0x02]);
    }

    #[test]
    fn the_status_is_read_whatever_stands_beside_it() {
        assert_eq!(serving_status(b"\0\0\0\0\x02\x08\x01"), Some(1));
        assert_eq!(serving_status(b"\0\0\0\0\0"), Some(0));
        assert_eq!(serving_status(b"\0\0\0\0\x06\x12\x02hi\x08\x02"), Some(2));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for bytes in [
            &b""[..],
            b"\0\0\0",
            b"\x01\0\0\0\x02\x08\x01",
            b"\0\0\0\0\x09\x08\x01",
            b"\0\0\0\0\x01\x08",
            b"\0\0\0\0\x02\x12\x09",
        ] {
            assert_eq!(serving_status(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn fuzz_health_answer() {
        crate::fuzz::fuzz("health_answer", &["\0\0\0\0", "\x08\x01", "\x12", "\x7f", "\x0d"], |input| {
            let Some(status) = serving_status(input) else { return };
            // A field that nobody knows changes nothing.
            let mut longer = [input, b"\x12\x01x"].concat();
            let length = u32::try_from(longer.len() - 5).unwrap();
            longer[1..5].copy_from_slice(&length.to_be_bytes());
            assert_eq!(serving_status(&longer), Some(status));
        });
    }
}
