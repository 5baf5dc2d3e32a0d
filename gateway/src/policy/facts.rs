//! What a policy can ask about the request it picks for.

use std::net::IpAddr;

use http::{HeaderMap, Method, Uri};
use smallvec::SmallVec;

/// A host's name, in place: nearly all fit.
pub type Host = SmallVec<[u8; 48]>;

/// The request as the gateway received it, checked. It is lent to the policy for the time of a
/// pick, and only to policies that import `request-info`.
#[derive(Debug, Default)]
pub struct Facts {
    /// The method.
    pub method: Method,
    /// The target as received (path and query; the host is in `host`).
    pub target: Uri,
    /// The host asked for, lower case, without the port.
    pub host: Host,
    /// The fields of the head.
    pub headers: HeaderMap,
    /// Declared length of the body; none when chunked.
    pub body_length: Option<u64>,
    /// Who asks; none for a unix socket.
    pub client: Option<IpAddr>,
    /// Value of the upstream's `hash_key` expression; empty when none is configured.
    pub key: Vec<u8>,
    /// Candidates already tried for this request, in order.
    pub tried: SmallVec<[u32; 8]>,
}
