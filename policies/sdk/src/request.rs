//! About the request being picked for, beyond what [`Request`](crate::Request) carries. Valid
//! during `pick` and `explain`; elsewhere everything is empty. A string costs about 130 ns.

#[cfg(target_arch = "wasm32")]
use crate::bindings::pointsman::policy::request_info as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::request_info as host;

/// The value of the upstream's `hash_key` expression; empty when none is configured.
#[must_use]
pub fn key_bytes() -> Vec<u8> {
    host::key_bytes()
}

/// CRC-32 (IEEE, as zlib's) of [`key_bytes`]; 0 when there is no key.
#[must_use]
pub fn key_crc32() -> u32 {
    // The interface keeps `u32` below 2^31, so this one travels as `u64`.
    host::key_crc32() as u32
}

/// The method, `GET`.
#[must_use]
pub fn method() -> String {
    host::method()
}

/// The path as received, without the query.
#[must_use]
pub fn path() -> String {
    host::path()
}

/// What follows the `?`; empty when there is none.
#[must_use]
pub fn query() -> String {
    host::query()
}

/// The host asked for, in lower case, without the port.
#[must_use]
pub fn host() -> String {
    host::host()
}

/// First value of a request header, by name in any case.
#[must_use]
pub fn header(name: &str) -> Option<String> {
    host::header(name)
}

/// Value of a cookie, by exact name.
#[must_use]
pub fn cookie(name: &str) -> Option<String> {
    host::cookie(name)
}

/// Address of the client: 4 bytes (IPv4) or 16 (IPv6); empty for a unix socket.
#[must_use]
pub fn client_address() -> Vec<u8> {
    host::client_address()
}

/// Candidates already tried for this request, in order. Asks the gateway only if there can be
/// any, so the first pick of a request costs nothing.
#[must_use]
pub fn tried(request: &crate::Request) -> Vec<u32> {
    if request.attempt == 0 { Vec::new() } else { host::tried() }
}
