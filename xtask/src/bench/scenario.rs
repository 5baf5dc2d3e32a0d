//! The ways in which a proxy is used: what clients send, what backends answer.

use std::fmt;

use clap::ValueEnum;

/// One way of using a proxy. The access log is off and connections are kept alive unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// Answers of 128 bytes, 64 connections.
    Small,
    /// The same, with a new client connection for each request.
    Close,
    /// The same, with the head that a browser sends.
    Browser,
    /// The same, with the access log on.
    Log,
    /// Answers of 64 KiB.
    #[value(name = "64k")]
    Answers64K,
    /// Answers of 1 MiB.
    #[value(name = "1m")]
    Answers1M,
    /// Bodies of 10 MiB from the client.
    Upload,
}

/// The head fields of a browser's request, about 800 bytes, with the cookies of an ordinary site.
const BROWSER: &[(&str, &str)] = &[
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    ("Cache-Control", "max-age=0"),
    (
        "Cookie",
        "session=6f1d0a4be2c94b7c8a61f0c2d9e35b17; theme=dark; consent=1; visits=42; last=2024-06-01T12%3A00%3A00Z",
    ),
    ("Priority", "u=0, i"),
    ("Referer", "http://localhost/articles/2024/06/a-page-that-links-here.html"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-User", "?1"),
    ("Upgrade-Insecure-Requests", "1"),
];

impl Scenario {
    /// Client connections, all busy all the time. Fewer for large bodies, so that memory stays small.
    pub(super) const fn connections(self) -> u32 {
        match self {
            Self::Small | Self::Close | Self::Browser | Self::Log | Self::Answers64K => 64,
            Self::Answers1M => 16,
            Self::Upload => 8,
        }
    }

    /// Where the backends have the answer.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Small | Self::Close | Self::Browser | Self::Log => "/small",
            Self::Answers64K => "/64k",
            Self::Answers1M => "/1m",
            Self::Upload => "/upload",
        }
    }

    /// Bytes of an answer's body.
    pub(super) const fn answer(self) -> usize {
        match self {
            Self::Small | Self::Close | Self::Browser | Self::Log => 128,
            Self::Answers64K => 64 << 10,
            Self::Answers1M => 1 << 20,
            Self::Upload => 0,
        }
    }

    /// Bytes of a request's body.
    pub(super) const fn upload(self) -> usize {
        match self {
            Self::Upload => 10 << 20,
            _ => 0,
        }
    }

    /// Fields of a request's head beyond `Host` and `Content-Length`.
    pub(super) const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Close => &[("Connection", "close")],
            Self::Browser => BROWSER,
            _ => &[],
        }
    }

    /// Whether the proxies write an access log.
    pub(super) const fn logs(self) -> bool {
        matches!(self, Self::Log)
    }
}

/// The name on the command line and in the table.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.pad(value.get_name()))
    }
}
