//! Pointsman: an HTTP gateway in which every choice of a backend is made by a sandboxed
//! WebAssembly component, the *policy*.
//!
//! This crate is a map and no code. Imports point downwards, but for one pair: [`forward`] answers
//! what [`listen`] hands it, so it imports `listen`, which knows nobody who answers.
//!
//! | room | what it does | what it does not know |
//! |---|---|---|
//! | [`cli`] | one file a subcommand | |
//! | [`demo`] | a gateway with backends, load and a table in one process, to try it out | |
//! | [`simulate`] | policies over made-up backends in virtual time | sockets, real time |
//! | [`kit`] | what `policy test` tries with a policy | sockets, configurations |
//! | [`app`] | configuration to running generation, reload, shutdown | nothing: it knows all rooms |
//! | [`config`] | what the user wrote; checked, all problems with their places | what runs |
//! | [`admin`] | the control socket: commands, state, metrics | where its numbers come from |
//! | [`listen`] | accepts, serves HTTP on client connections, drains | upstreams, policies |
//! | [`forward`] | the story of a request: admit, route, pick, attempt, answer | wasmtime |
//! | [`route`] | host and path to route; pure | sockets, time |
//! | [`policy`] | policies: engine, component, instance, roster | hyper |
//! | [`upstream`] | backends: addresses, connections, pools, the HTTP/1.1 client | routes, policies |
//! | [`http1`] | the bytes of HTTP/1.1, as both ends of the gateway read and write them | sockets |
//! | [`compress`] | content codings: what a client wants, what is worth one, the encoders | sockets, requests |
//! | [`limit`] | how many requests in a time, how many at once: shared tables of atomics | requests |
//! | [`proxy_protocol`] | the PROXY protocol's header, read and written | sockets |
//! | [`stats`] | counters, moving averages, the in-flight guard | anything but numbers and time |
//! | [`observe`] | access log, the gateway's own log | what it logs |
//! | [`certificate`] | PEM files to chains, keys and trust; what a certificate says | connections |
//! | [`alarm`] | coarse deadlines of a worker | what they are for |
//! | [`template`] | texts with nginx's variables | what the variables stand for |

#![forbid(unsafe_code)]

pub mod admin;
pub mod alarm;
pub mod app;
pub mod certificate;
pub mod cli;
pub mod compress;
pub mod config;
pub mod demo;
pub mod forward;
#[cfg(test)]
mod fuzz;
pub mod http1;
pub mod kit;
pub mod limit;
pub mod listen;
pub mod observe;
pub mod policy;
pub mod proxy_protocol;
pub mod route;
pub mod simulate;
pub mod stats;
pub mod template;
pub mod upstream;
