//! Where a backend listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Address of a backend as the configuration writes it: `10.0.0.7:8001`, `[::1]:80`,
/// `localhost:9111`, `unix:/run/app.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host (name or literal address, IPv6 without brackets) and a port.
    Tcp {
        /// Name or literal address.
        host: Box<str>,
        /// Port.
        port: u16,
    },
    /// Path of a unix socket.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err("`unix:` must be followed by the path of a socket");
            }
            return Ok(Self::Unix(path.into()));
        }
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing: write `host:port`")?;
        let port = port.parse().map_err(|_| "the port must be a number from 1 to 65535")?;
        if port == 0 {
            return Err("the port must be a number from 1 to 65535");
        }
        let literal = host.starts_with('[');
        let host = match host.strip_prefix('[') {
            Some(literal) => literal.strip_suffix(']').ok_or("the `[` of an IPv6 address is not closed")?,
            None if host.contains(':') => {
                return Err("put an IPv6 address in brackets: `[::1]:8080`");
            }
            None => host,
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        // What stands in brackets is shown in brackets only if it has colons.
        if host.is_empty() || !host.chars().all(legal) || (literal && !host.contains(':')) {
            return Err("the host must be a name or an address, without scheme or path");
        }
        Ok(Self::Tcp { host: host.into(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn what_is_written_is_what_is_shown() {
        for text in ["10.0.0.7:8001", "[::1]:80", "localhost:9111", "unix:/run/app.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_an_address_says_why() {
        let why = |text: &str| text.parse::<Address>().unwrap_err();
        assert!(why("localhost").contains("port is missing"));
        assert!(why("localhost:0").contains("1 to 65535"));
        assert!(why("::1:80").contains("brackets"));
        assert!(why("http://a:80").contains("without scheme") || why("http://a:80").contains("brackets"));
        assert!(why("unix:").contains("path"));
        assert!(why("[unix]:80").contains("a name or an address"));
    }

    #[test]
    fn fuzz_address() {
        let words = ["unix:", "[", "]", ":", "::", ":80", ".", "localhost", "//", "%"];
        crate::fuzz::fuzz("address", &words, |input| {
            let Ok(text) = std::str::from_utf8(input) else { return };
            let Ok(address) = text.parse::<Address>() else { return };
            assert_eq!(address.to_string().parse(), Ok(address));
        });
    }
}
