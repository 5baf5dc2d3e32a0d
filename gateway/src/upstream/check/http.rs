//! A GET and its answer.

use std::future::poll_fn;

use bytes::{BufMut, BytesMut};
use http::Method;
use memchr::memmem;

use super::HttpProbe;
use crate::upstream::http1::Connection;
use crate::upstream::{Error, Stream};

/// So much of a body is looked at.
const LOOKED_AT: usize = 64 * 1024;

/// Asks, and compares with what is expected; why not, if it is not so.
pub(super) async fn ask(stream: Stream, probe: &HttpProbe, name: &str) -> Result<(), String> {
    let mut connection = Connection::new(stream);
    write(connection.begin(), probe, name);
    let failed = |error: Error| error.to_string();
    poll_fn(|cx| connection.poll_flush(cx)).await.map_err(failed)?;
    let status = loop {
        let head = poll_fn(|cx| connection.poll_head(&Method::GET, false, cx)).await.map_err(failed)?;
        if !head.status.is_informational() {
            break head.status.as_u16();
        }
    };
    if !probe.statuses.iter().any(|(from, to)| (*from..=*to).contains(&status)) {
        return Err(format!("it answered {status}"));
    }
    match &probe.body {
        None => Ok(()),
        Some(text) => find(&mut connection, text).await,
    }
}

fn write(out: &mut BytesMut, probe: &HttpProbe, name: &str) {
    let host = match (&probe.host, name.starts_with("unix:")) {
        (Some(host), _) => host,
        (None, true) => "localhost",
        (None, false) => name,
    };
    let lines = [
        &format!("GET {} HTTP/1.1\r\nhost: {host}\r\n", probe.path),
        "user-agent: pointsman\r\naccept: */*\r\nconnection: close\r\n\r\n",
    ];
    lines.iter().for_each(|line| out.put_slice(line.as_bytes()));
}

async fn find(connection: &mut Connection, text: &str) -> Result<(), String> {
    let mut body = BytesMut::new();
    loop {
        if memmem::find(&body, text.as_bytes()).is_some() {
            return Ok(());
        }
        if body.len() >= LOOKED_AT {
            return Err(format!("the first {LOOKED_AT} bytes of its answer do not contain `{text}`"));
        }
        match poll_fn(|cx| connection.poll_body(cx)).await {
            Some(Ok(frame)) => body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| &data[..])),
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err(format!("its answer does not contain `{text}`")),
        }
    }
}
