//! The functions a policy may call. Nothing else links.
//!
//! They are wired by hand rather than through the generated traits, which would make a new vector
//! or string for each answer: a pick must not allocate.

use std::net::IpAddr;
use std::sync::Arc;

use wasmtime::component::{Linker, WasmStr};
use wasmtime::{Engine, Result, StoreContextMut};

use super::Facts;
use super::bindings::pointsman::policy::log as wit;
use super::journal::Level;
use super::limits::LARGEST_U32;
use super::view::View;
use crate::stats::{BackendStats, UpstreamStats};

type Caller<'a> = StoreContextMut<'a, View>;

/// A linker that knows exactly the package `pointsman:policy`.
pub(super) fn linker(engine: &Engine) -> Result<Linker<View>> {
    let mut linker = Linker::new(engine);
    stats(&mut linker)?;
    request_info(&mut linker)?;
    upstream(&mut linker)?;
    log(&mut linker)?;
    Ok(linker)
}

fn in_flight(backend: &BackendStats, _: &UpstreamStats, _: u64) -> u32 {
    backend.in_flight()
}

fn latency(backend: &BackendStats, upstream: &UpstreamStats, now: u64) -> u32 {
    backend.latency(upstream, now)
}

fn age(backend: &BackendStats, _: &UpstreamStats, now: u64) -> u32 {
    backend.age(now)
}

fn failures(backend: &BackendStats, _: &UpstreamStats, now: u64) -> u32 {
    backend.failures(now)
}

fn stats(linker: &mut Linker<View>) -> Result<()> {
    let mut stats = linker.instance("pointsman:policy/stats@0.1.0")?;
    stats.func_wrap("in-flight", |mut c: Caller<'_>, ()| Ok((c.data_mut().column(in_flight),)))?;
    stats.func_wrap("in-flight-of", |c: Caller<'_>, (i,)| Ok((c.data().scalar(i, in_flight),)))?;
    stats.func_wrap("in-flight-total", |c: Caller<'_>, ()| Ok((c.data().in_flight_total(),)))?;
    stats.func_wrap("latency", |mut c: Caller<'_>, ()| Ok((c.data_mut().column(latency),)))?;
    stats.func_wrap("latency-of", |c: Caller<'_>, (i,)| Ok((c.data().scalar(i, latency),)))?;
    stats.func_wrap("age", |mut c: Caller<'_>, ()| Ok((c.data_mut().column(age),)))?;
    stats.func_wrap("age-of", |c: Caller<'_>, (i,)| Ok((c.data().scalar(i, age),)))?;
    stats.func_wrap("failures", |mut c: Caller<'_>, ()| Ok((c.data_mut().column(failures),)))?;
    stats.func_wrap("failures-of", |c: Caller<'_>, (i,)| Ok((c.data().scalar(i, failures),)))?;
    stats.func_wrap("detail-of", |c: Caller<'_>, (i,)| Ok((c.data().detail(i),)))?;
    stats.func_wrap("report-of", |c: Caller<'_>, (i,)| Ok((c.data().report(i),)))
}

fn request_info(linker: &mut Linker<View>) -> Result<()> {
    let mut info = linker.instance("pointsman:policy/request-info@0.1.0")?;
    info.func_wrap("key-bytes", |mut c: Caller<'_>, ()| {
        let View { facts, bytes, .. } = c.data_mut();
        Ok((bytes.fill(|b| replace(b, &facts.key)),))
    })?;
    info.func_wrap("key-crc32", |c: Caller<'_>, ()| Ok((u64::from(crc32fast::hash(&c.data().facts.key)),)))?;
    info.func_wrap("method", |c, ()| Ok((text(c, |facts| facts.method.as_str()),)))?;
    info.func_wrap("path", |c, ()| Ok((text(c, |facts| facts.target.path()),)))?;
    info.func_wrap("query", |c, ()| Ok((text(c, |facts| facts.target.query().unwrap_or_default()),)))?;
    info.func_wrap("host", |c, ()| Ok((text(c, |facts| str::from_utf8(&facts.host).unwrap_or_default()),)))?;
    info.func_wrap("header", |c, (name,)| Ok((named(c, &name, header)?,)))?;
    info.func_wrap("cookie", |c, (name,)| Ok((named(c, &name, cookie)?,)))?;
    info.func_wrap("client-address", |mut c: Caller<'_>, ()| {
        let View { facts, bytes, .. } = c.data_mut();
        Ok((bytes.fill(|b| match facts.client.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => replace(b, &ip.octets()),
            Some(IpAddr::V6(ip)) => replace(b, &ip.octets()),
            None => b.clear(),
        }),))
    })?;
    info.func_wrap("tried", |mut c: Caller<'_>, ()| {
        let View { facts, numbers, .. } = c.data_mut();
        Ok((numbers.fill(|n| {
            n.clear();
            n.extend(facts.tried.iter().map(|index| index.min(&LARGEST_U32)));
        }),))
    })
}

fn upstream(linker: &mut Linker<View>) -> Result<()> {
    let mut upstream = linker.instance("pointsman:policy/upstream@0.1.0")?;
    upstream.func_wrap("name", |c: Caller<'_>, ()| {
        let View { being_born, candidates, .. } = c.data();
        Ok((if *being_born { Arc::clone(&candidates.upstream) } else { Arc::from("") },))
    })?;
    upstream.func_wrap("members", |c: Caller<'_>, ()| Ok((c.data().members(),)))
}

fn log(linker: &mut Linker<View>) -> Result<()> {
    let mut log = linker.instance("pointsman:policy/log@0.1.0")?;
    log.func_wrap("write", |mut c: Caller<'_>, (level, message): (wit::Level, WasmStr)| {
        let level = match level {
            wit::Level::Debug => Level::Debug,
            wit::Level::Info => Level::Info,
            wit::Level::Warn => Level::Warn,
            wit::Level::Error => Level::Error,
        };
        // A line of the log is worth an allocation: the message lies in the guest's memory, and
        // the journal is borrowed from beside it.
        let message = message.to_str(&c)?.into_owned();
        let View { journal, now, .. } = c.data_mut();
        journal.write(level, &message, *now);
        Ok(())
    })
}

fn replace(buffer: &mut Vec<u8>, with: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(with);
}

/// One text about the request; empty when none is being picked for.
fn text(mut caller: Caller<'_>, of: impl FnOnce(&Facts) -> &str) -> Arc<String> {
    let View { facts, lent, text, .. } = caller.data_mut();
    text.fill(|buffer| {
        buffer.clear();
        if *lent {
            buffer.push_str(of(facts));
        }
    })
}

/// One text about the request by a name that the guest gives.
fn named(
    mut caller: Caller<'_>,
    name: &WasmStr,
    of: impl for<'a> FnOnce(&'a Facts, &str) -> Option<&'a str>,
) -> Result<Option<Arc<String>>> {
    // Name and facts lie in the same store: the buffer must leave it while both are read.
    let mut buffer = caller.data_mut().text.take();
    let name = name.to_str(&caller)?;
    let found = of(&caller.data().facts, &name);
    let answer = found.map(|found| {
        buffer.fill(|text| {
            text.clear();
            text.push_str(found);
        })
    });
    drop(name);
    caller.data_mut().text = buffer;
    Ok(answer)
}

fn header<'a>(facts: &'a Facts, name: &str) -> Option<&'a str> {
    str::from_utf8(facts.headers.get(name)?.as_bytes()).ok()
}

/// Reads the value of a cookie (RFC 6265, section 5.4: pairs joined by `; `), over all `Cookie`
/// fields, since HTTP/2 may split them.
fn cookie<'a>(facts: &'a Facts, name: &str) -> Option<&'a str> {
    let fields = facts.headers.get_all(http::header::COOKIE).iter();
    let pairs =
        fields.filter_map(|field| str::from_utf8(field.as_bytes()).ok()).flat_map(|field| field.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::COOKIE;

    #[test]
    fn a_cookie_is_found_by_its_exact_name_in_any_field() {
        let mut facts = Facts::default();
        facts.headers.append(COOKIE, HeaderValue::from_static("a=1; session=x=y"));
        facts.headers.append(COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(cookie(&facts, "session"), Some("x=y"));
        assert_eq!(cookie(&facts, "b"), Some("2"));
        assert_eq!(cookie(&facts, "Session"), None);
    }

    #[test]
    fn a_header_that_is_not_text_reads_as_none() {
        let mut facts = Facts::default();
        facts.headers.append("x-raw", HeaderValue::from_bytes(&[0xff]).unwrap());
        facts.headers.append("x-word", HeaderValue::from_static("w"));
        assert_eq!(header(&facts, "X-Raw"), None);
        assert_eq!(header(&facts, "X-Word"), Some("w"));
        assert_eq!(header(&facts, "no such name"), None);
    }
}
