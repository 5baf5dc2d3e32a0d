//! The variables there are.

use std::fmt;

use http::HeaderName;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

/// Makes the enum and the table of its names from one list, so that no name is written twice.
macro_rules! variables {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One variable. Those of nginx's have nginx's names and meaning; the last block is ours.
        /// Times are seconds with milliseconds (`0.012`) unless said otherwise. Where several
        /// backends were tried, the `upstream_` ones list all attempts, separated by `, `.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Variable {
            /// `arg_NAME`: the value of this argument of the query, as received. nginx compares
            /// its name without regard to case.
            Argument(Box<str>),
            /// `1` to `9`: what this group of the route's regular expression caught in the path.
            Capture(u8),
            /// `cookie_NAME`: the value of this cookie of the request.
            Cookie(Box<str>),
            /// `http_NAME`: this header of the request; several fields are joined by `, `.
            Header(HeaderName),
            /// `sent_http_NAME`: this header of the answer to the client.
            SentHeader(HeaderName),
            /// `upstream_http_NAME`: this header of the backend's answer.
            UpstreamHeader(HeaderName),
            $($(#[$doc])* $variant,)*
        }

        /// The names that stand for themselves.
        static PLAIN: &[(&str, Variable)] = &[$(($name, Variable::$variant),)*];
    };
}

variables! {
    /// Address of the client.
    RemoteAddr = "remote_addr",
    /// Address of the client as 4 or 16 bytes: for hash keys.
    BinaryRemoteAddr = "binary_remote_addr",
    /// Address at the other end of the connection, where `$remote_addr` is what a trusted proxy
    /// said.
    RealipRemoteAddr = "realip_remote_addr",
    /// Port at the other end of the connection.
    RealipRemotePort = "realip_remote_port",
    /// Address of the client that the PROXY protocol named.
    ProxyProtocolAddr = "proxy_protocol_addr",
    /// Port of the client that the PROXY protocol named.
    ProxyProtocolPort = "proxy_protocol_port",
    /// Port of the client.
    RemotePort = "remote_port",
    /// User name of the `Authorization: Basic` header.
    RemoteUser = "remote_user",
    /// Local time as `28/Sep/2026:10:00:00 +0200`.
    TimeLocal = "time_local",
    /// Local time as `2026-09-28T10:00:00+02:00` (ISO 8601).
    TimeIso8601 = "time_iso8601",
    /// Seconds since 1970 with milliseconds.
    Msec = "msec",
    /// The request line: `GET /path?query HTTP/1.1`.
    Request = "request",
    /// The method.
    RequestMethod = "request_method",
    /// Path and query as received.
    RequestUri = "request_uri",
    /// The path, decoded and without the query.
    Uri = "uri",
    /// What follows the `?`.
    Args = "args",
    /// `?` if there is a query.
    IsArgs = "is_args",
    /// The host asked for, in lower case, without the port.
    Host = "host",
    /// Name of the machine that the gateway runs on.
    Hostname = "hostname",
    /// `http` or `https`.
    Scheme = "scheme",
    /// `on` if the client's connection is encrypted, else empty.
    Https = "https",
    /// Version of TLS: `TLSv1.2` or `TLSv1.3`.
    SslProtocol = "ssl_protocol",
    /// The cipher agreed on, by OpenSSL's name: `TLS_AES_256_GCM_SHA384`.
    SslCipher = "ssl_cipher",
    /// The name that the client asked for in its handshake (SNI).
    SslServerName = "ssl_server_name",
    /// `h2` or `http/1.1`, if the client offered one of them.
    SslAlpnProtocol = "ssl_alpn_protocol",
    /// `r` if an earlier session was taken up again, else `.`.
    SslSessionReused = "ssl_session_reused",
    /// `SUCCESS` if the client showed a certificate, else `NONE`. One that is not believed ends
    /// the handshake.
    SslClientVerify = "ssl_client_verify",
    /// Whom the client's certificate names: `CN=client-7,O=Example`.
    SslClientSDn = "ssl_client_s_dn",
    /// Who signed the client's certificate.
    SslClientIDn = "ssl_client_i_dn",
    /// Serial number of the client's certificate.
    SslClientSerial = "ssl_client_serial",
    /// SHA-1 of the client's certificate, in hexadecimal digits.
    SslClientFingerprint = "ssl_client_fingerprint",
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.
    ServerProtocol = "server_protocol",
    /// Address that accepted the connection.
    ServerAddr = "server_addr",
    /// Port that accepted the connection.
    ServerPort = "server_port",
    /// Status of the answer to the client.
    Status = "status",
    /// Bytes sent to the client, head and body.
    BytesSent = "bytes_sent",
    /// Bytes of the body sent to the client.
    BodyBytesSent = "body_bytes_sent",
    /// Bytes of the request: line, head and body.
    RequestLength = "request_length",
    /// First byte of the request to last byte of the answer.
    RequestTime = "request_time",
    /// Serial number of the client's connection.
    Connection = "connection",
    /// Requests made on the client's connection so far, this one included.
    ConnectionRequests = "connection_requests",
    /// 32 random hexadecimal digits, the same all through one request.
    RequestId = "request_id",
    /// `p` if the request was pipelined, else `.`.
    Pipe = "pipe",
    /// `X-Forwarded-For` of the request with the client's address added.
    ProxyAddXForwardedFor = "proxy_add_x_forwarded_for",
    /// Address of the backend.
    UpstreamAddr = "upstream_addr",
    /// Status of the backend's answer.
    UpstreamStatus = "upstream_status",
    /// Start of the attempt to the end of the backend's answer.
    UpstreamResponseTime = "upstream_response_time",
    /// Time to connect to the backend; `0.000` on a reused connection.
    UpstreamConnectTime = "upstream_connect_time",
    /// Start of the attempt to the head of the backend's answer.
    UpstreamHeaderTime = "upstream_header_time",

    /// Name of the upstream.
    UpstreamName = "upstream_name",
    /// Name of the policy that picked.
    Policy = "policy",
    /// Time that the picks of this request took, nanoseconds.
    PickTime = "pick_time",
    /// Why the policy picked as it did, if it explains itself (interface `explain`).
    PickExplanation = "pick_explanation",
    /// Number of attempts made.
    Attempts = "attempts",
    /// The route that was taken.
    Route = "route",
}

/// Other names that nginx has for the same.
static ALIASES: &[(&str, Variable)] = &[
    ("content_length", Variable::Header(CONTENT_LENGTH)),
    ("content_type", Variable::Header(CONTENT_TYPE)),
    ("document_uri", Variable::Uri),
    ("proxy_host", Variable::UpstreamName),
    ("query_string", Variable::Args),
];

/// What families of variables begin with, longest first where one ends another.
const FAMILIES: [&str; 5] = ["upstream_http_", "sent_http_", "http_", "arg_", "cookie_"];

impl Variable {
    /// The variable of this name, written without `$` and in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = |(known, _): &&(&str, Self)| known.eq_ignore_ascii_case(name);
        if let Some((_, variable)) = PLAIN.iter().chain(ALIASES).find(plain) {
            return Some(variable.clone());
        }
        let (family, member) = FAMILIES.iter().find_map(|family| {
            let (head, member) = name.split_at_checked(family.len())?;
            (head.eq_ignore_ascii_case(family) && !member.is_empty()).then_some((*family, member))
        })?;
        Some(match family {
            "arg_" => Self::Argument(member.into()),
            "cookie_" => Self::Cookie(member.into()),
            "http_" => Self::Header(header(member)?),
            "sent_http_" => Self::SentHeader(header(member)?),
            _ => Self::UpstreamHeader(header(member)?),
        })
    }

    /// The known name that is most like `name`, if one is alike at all. Of a family, its prefix
    /// is corrected and the rest kept.
    pub(super) fn suggest(name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        let near = |known: &str, written: &str| {
            let distance = strsim::damerau_levenshtein(known, written);
            (distance <= (written.len() / 3).max(1)).then_some(distance)
        };
        let plain = PLAIN.iter().chain(ALIASES).map(|(known, _)| *known);
        let plain = plain.filter_map(|known| Some((near(known, &name)?, known.to_owned())));
        let families = FAMILIES.iter().filter_map(|family| {
            let underscores = family.matches('_').count();
            let (cut, _) = name.match_indices('_').nth(underscores - 1)?;
            let (head, member) = name.split_at(cut + 1);
            (!member.is_empty()).then_some(())?;
            Some((near(family, head)?, format!("{family}{member}")))
        });
        plain.chain(families).min().map(|(_, best)| best)
    }
}

/// `x_request_id` as the header `x-request-id`.
fn header(name: &str) -> Option<HeaderName> {
    HeaderName::from_bytes(name.replace('_', "-").as_bytes()).ok()
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let underscored = |header: &HeaderName| header.as_str().replace('-', "_");
        match self {
            Self::Argument(name) => write!(f, "$arg_{name}"),
            Self::Capture(group) => write!(f, "${group}"),
            Self::Cookie(name) => write!(f, "$cookie_{name}"),
            Self::Header(name) => write!(f, "$http_{}", underscored(name)),
            Self::SentHeader(name) => write!(f, "$sent_http_{}", underscored(name)),
            Self::UpstreamHeader(name) => write!(f, "$upstream_http_{}", underscored(name)),
            plain => {
                let (name, _) = PLAIN.iter().find(|(_, known)| known == plain).ok_or(fmt::Error)?;
                write!(f, "${name}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_found_by_the_name_it_shows() {
        for (name, variable) in PLAIN {
            assert_eq!(Variable::from_name(name).as_ref(), Some(variable));
            assert_eq!(variable.to_string(), format!("${name}"));
        }
        for name in ["arg_Page", "cookie_SID", "http_x_id", "sent_http_etag", "upstream_http_server"] {
            assert_eq!(Variable::from_name(name).unwrap().to_string(), format!("${name}"));
        }
    }

    #[test]
    fn names_are_read_in_any_case_and_headers_with_hyphens() {
        assert_eq!(Variable::from_name("Remote_ADDR"), Some(Variable::RemoteAddr));
        let header = Variable::Header(HeaderName::from_static("x-forwarded-for"));
        assert_eq!(Variable::from_name("HTTP_X_Forwarded_For"), Some(header));
        assert_eq!(Variable::from_name("content_type"), Some(Variable::Header(CONTENT_TYPE)));
    }

    #[test]
    fn a_family_without_a_member_is_no_variable() {
        for family in FAMILIES {
            assert_eq!(Variable::from_name(family), None, "{family}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_corrected_and_a_stranger_is_not() {
        let suggest = |name| Variable::suggest(name);
        assert_eq!(suggest("remote_adr").as_deref(), Some("remote_addr"));
        assert_eq!(suggest("htpp_x_id").as_deref(), Some("http_x_id"));
        assert_eq!(suggest("sent_htp_etag").as_deref(), Some("sent_http_etag"));
        assert_eq!(suggest("geoip_country"), None);
    }
}
