//! What the variables of templates stand for in a request.

use std::io::Write;
use std::net::IpAddr;

use base64::Engine;
use http::Version;
use http::header::{self, HeaderMap, HeaderName};

use super::story::{Story, Tried};
use crate::observe::wall;
use crate::stats::clock;
use crate::template::{Values, Variable};

impl Values for Story {
    fn write(&self, variable: &Variable, out: &mut Vec<u8>) {
        match variable {
            Variable::TimeLocal => wall::time_local(out),
            Variable::TimeIso8601 => wall::time_iso8601(out),
            Variable::Msec => wall::msec(out),
            Variable::Hostname => out.extend_from_slice(hostname().as_bytes()),
            _ if self.write_client(variable, out) => {}
            _ if self.write_session(variable, out) => {}
            _ if self.write_request(variable, out) => {}
            _ if self.write_upstream(variable, out) => {}
            _ => self.write_answer(variable, out),
        }
    }
}

impl Story {
    fn write_client(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        let peer = &self.peer;
        match variable {
            Variable::RemoteAddr => out.extend_from_slice(self.client_text().as_bytes()),
            Variable::BinaryRemoteAddr => match self.facts.client {
                Some(IpAddr::V4(ip)) => out.extend_from_slice(&ip.octets()),
                Some(IpAddr::V6(ip)) => out.extend_from_slice(&ip.octets()),
                None => {}
            },
            Variable::RemotePort => {
                number(out, self.client_address().map(|it| it.port()).filter(|port| *port != 0));
            }
            Variable::RealipRemoteAddr => match peer.origin().connected() {
                Some(address) => show(out, Some(address.ip().to_canonical())),
                None => out.extend_from_slice(b"unix:"),
            },
            Variable::RealipRemotePort => number(out, peer.origin().connected().map(|it| it.port())),
            Variable::ProxyProtocolAddr | Variable::ProxyProtocolPort => {
                let told = peer.origin().client.filter(|_| peer.origin().proxy.is_some());
                match variable {
                    Variable::ProxyProtocolAddr => show(out, told.map(|told| told.ip())),
                    _ => number(out, told.map(|told| told.port())),
                }
            }
            Variable::ServerAddr => show(out, peer.local().map(|local| local.ip())),
            Variable::ServerPort => number(out, peer.local().map(|local| local.port())),
            Variable::Connection => number(out, Some(peer.serial())),
            Variable::ConnectionRequests => number(out, Some(peer.requests())),
            Variable::Scheme => out.extend_from_slice(peer.scheme().as_bytes()),
            Variable::Pipe => out.push(b'.'),
            _ => return false,
        }
        true
    }

    /// What nginx's ssl module knows. Empty where the connection is not encrypted.
    fn write_session(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        let session = self.peer.session();
        let client = session.and_then(|session| session.client.as_ref());
        let text = match variable {
            Variable::Https => session.map(|_| "on"),
            Variable::SslProtocol => session.map(|session| session.version),
            Variable::SslCipher => session.map(|session| session.cipher),
            Variable::SslServerName => session.and_then(|session| session.server_name.as_deref()),
            Variable::SslAlpnProtocol => session.map(|session| session.alpn),
            Variable::SslSessionReused => session.map(|session| if session.resumed { "r" } else { "." }),
            Variable::SslClientVerify => session.map(|_| if client.is_some() { "SUCCESS" } else { "NONE" }),
            Variable::SslClientSDn => client.map(|client| &*client.subject),
            Variable::SslClientIDn => client.map(|client| &*client.issuer),
            Variable::SslClientSerial => client.map(|client| &*client.serial),
            Variable::SslClientFingerprint => client.map(|client| &*client.fingerprint),
            _ => return false,
        };
        out.extend_from_slice(text.unwrap_or_default().as_bytes());
        true
    }

    fn write_request(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        let (facts, target) = (&self.facts, &self.facts.target);
        match variable {
            Variable::Request
            | Variable::RequestMethod
            | Variable::RequestUri
            | Variable::Uri
            | Variable::ServerProtocol
            | Variable::RequestLength
                if self.unreadable => {}
            Variable::Request => {
                let (method, target, version) = (facts.method.as_str(), self.target(), self.protocol());
                show(out, Some(format_args!("{method} {target} {version}")));
            }
            Variable::RequestMethod => out.extend_from_slice(facts.method.as_str().as_bytes()),
            Variable::RequestUri => out.extend_from_slice(self.target().as_bytes()),
            Variable::Uri => out.extend(percent_encoding::percent_decode_str(target.path())),
            Variable::Args => out.extend_from_slice(target.query().unwrap_or_default().as_bytes()),
            Variable::IsArgs => out.extend_from_slice(if target.query().is_some() { b"?" } else { b"" }),
            Variable::Argument(name) => out.extend_from_slice(argument(target.query(), name).as_bytes()),
            Variable::Capture(group) => self.write_capture(*group, out),
            Variable::Cookie(name) => out.extend_from_slice(cookie(&facts.headers, name)),
            Variable::Header(name) => list(out, &facts.headers, name),
            Variable::Host => out.extend_from_slice(&facts.host),
            Variable::RemoteUser => out.extend_from_slice(user(&facts.headers).as_bytes()),
            Variable::ServerProtocol => out.extend_from_slice(self.protocol().as_bytes()),
            Variable::RequestLength => number(out, Some(self.request_length())),
            Variable::RequestId => {
                let (high, low) = self.id();
                show(out, Some(format_args!("{high:016x}{low:016x}")));
            }
            Variable::ProxyAddXForwardedFor => {
                let name = HeaderName::from_static("x-forwarded-for");
                if self.believes_hops() && facts.headers.contains_key(&name) {
                    list(out, &facts.headers, &name);
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(self.peer.ip_text().as_bytes());
            }
            _ => return false,
        }
        true
    }

    fn write_upstream(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        match variable {
            Variable::UpstreamAddr => {
                self.each(out, |tried, out| {
                    out.extend_from_slice(self.upstream().backends[tried.backend].name.as_bytes());
                });
            }
            Variable::UpstreamStatus => self.each(out, |tried, out| match tried.status {
                0 => out.extend_from_slice(b"502"),
                status => number(out, Some(status)),
            }),
            Variable::UpstreamResponseTime => {
                self.each(out, |tried, out| seconds(out, u64::from(tried.total)));
            }
            Variable::UpstreamConnectTime => {
                self.each(out, |tried, out| seconds(out, u64::from(tried.connect)));
            }
            Variable::UpstreamHeaderTime => {
                self.each(out, |tried, out| seconds(out, u64::from(tried.first_byte)));
            }
            Variable::UpstreamName => {
                out.extend_from_slice(self.known_upstream().map_or("", |upstream| &upstream.name).as_bytes());
            }
            Variable::Policy => {
                out.extend_from_slice(self.known_upstream().map_or("", |it| &it.policy).as_bytes());
            }
            Variable::PickTime => number(out, Some(self.pick_nanos)),
            Variable::PickExplanation => {
                out.extend_from_slice(self.explanation.as_deref().unwrap_or_default().as_bytes());
            }
            Variable::Attempts => number(out, Some(self.tried.len())),
            Variable::Route => {
                out.extend_from_slice(self.route.as_ref().map_or("", |route| &route.name).as_bytes());
            }
            _ => return false,
        }
        true
    }

    fn write_answer(&self, variable: &Variable, out: &mut Vec<u8>) {
        match variable {
            Variable::Status => number(out, (self.status != 0).then_some(self.status)),
            Variable::BodyBytesSent => number(out, Some(self.body_bytes)),
            Variable::BytesSent => number(out, Some(self.body_bytes + head_length(&self.answer_headers))),
            Variable::RequestTime => seconds(out, clock::now() - self.began),
            Variable::SentHeader(name) | Variable::UpstreamHeader(name) => {
                list(out, &self.answer_headers, name);
            }
            _ => {}
        }
    }

    /// One value for each attempt, as nginx lists them.
    fn each(&self, out: &mut Vec<u8>, write: impl Fn(&Tried, &mut Vec<u8>)) {
        for (index, tried) in self.tried.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            write(tried, out);
        }
    }

    fn protocol(&self) -> &'static str {
        match self.version {
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            _ => "HTTP/1.1",
        }
    }

    fn request_length(&self) -> u64 {
        let line = self.facts.method.as_str().len() + self.target().len() + " HTTP/1.1\r\n".len() + 1;
        line as u64 + head_length(&self.facts.headers) + self.received
    }
}

/// Bytes of a head's fields as HTTP/1.1 writes them.
fn head_length(headers: &HeaderMap) -> u64 {
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    fields.sum::<usize>() as u64 + 2
}

fn number<N: itoa::Integer>(out: &mut Vec<u8>, number: Option<N>) {
    if let Some(number) = number {
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
}

fn show(out: &mut Vec<u8>, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        // Writing to memory cannot fail.
        let _ = write!(out, "{value}");
    }
}

/// Seconds with milliseconds, `0.012`.
fn seconds(out: &mut Vec<u8>, micros: u64) {
    show(out, Some(format_args!("{}.{:03}", micros / 1_000_000, micros / 1_000 % 1_000)));
}

/// All values of a field, joined as RFC 9110 section 5.3 allows.
fn list(out: &mut Vec<u8>, headers: &HeaderMap, name: &HeaderName) {
    for (index, value) in headers.get_all(name).iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(value.as_bytes());
    }
}

fn argument<'a>(query: Option<&'a str>, name: &str) -> &'a str {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

/// The value of the cookie of this name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> &'a [u8] {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    let named = |pair: &'a [u8]| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
    pairs.into_iter().find_map(named).unwrap_or_default()
}

/// User name of `Authorization: Basic`.
fn user(headers: &HeaderMap) -> String {
    let credentials = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let encoded =
        credentials.and_then(|text| text.strip_prefix("Basic ").or_else(|| text.strip_prefix("basic ")));
    let decoded = encoded.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text.trim()).ok());
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    text.split(':').next().unwrap_or_default().to_owned()
}

fn hostname() -> &'static str {
    static NAME: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
    &NAME
}
