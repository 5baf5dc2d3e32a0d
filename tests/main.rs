//! End-to-end tests: the real gateway between scripted backends and clients, all of them raw
//! sockets. Each file below is one behaviour; a test in it is one sentence about it.
#![allow(unreachable_pub, reason = "`pub` in the harness means: for the scenarios")]

mod harness;

/// The table of contents.
mod scenarios {
    /// What passes through the gateway, and how.
    mod proxying {
        mod abort; // a client that leaves is noticed at the backend
        mod addresses; // unix sockets and IPv6, on both sides
        mod bodies; // lengths, chunks and ends, in both directions
        mod early_answer; // a backend that answers before it has read everything
        mod expect; // 100-continue
        mod http2; // HTTP/2 in clear text
        mod informational; // 1xx answers
        mod keep_alive; // connections are used again, on both sides
        mod no_body; // HEAD, 204, 304
        mod old_clients; // HTTP/1.0
        mod pipelining; // requests sent before the answers
        mod streaming; // nothing is held back, nothing piles up
        mod trailers; // fields after the body, in both directions
        mod upgrade; // tunnels
    }
    /// Messages that are not HTTP, or two messages at once.
    mod framing {
        mod bad_answers; // a backend's nonsense is a 502 and costs the connection
        mod bad_chunks; // a client's nonsense inside a body never ends well for the request
        mod bad_requests; // a client's nonsense gets 4xx and reaches no backend
        mod cut_answers; // what was cut looks cut
        mod cut_uploads; // and never whole to the backend
        mod http2; // what HTTP/2 can carry and HTTP/1.1 must not
        mod http2_bodies; // uploads and answers by HTTP/2 that are cut, late, early
        mod http2_floods; // much of what costs a client little
        mod left_over; // bytes after an answer are no answer to the next request
        mod sizes; // heads and bodies have limits
        mod slow; // clients that take their time, many of them
    }
    /// Fields: which pass, which do not, which are added.
    mod headers {
        mod forwarded; // who asked, told to the backend
        mod hop_by_hop; // what ends at the gateway
        mod rewriting; // request_headers and response_headers
        mod rules; // the same in tables: add, default, remove
    }
    /// What the gateway answers by itself.
    mod answers {
        mod compression;
        mod error_pages;
        mod redirect_mode; // sent to the backend instead of served from it
        mod returns; // `return`
    }
    /// Who the client is.
    mod clients {
        mod proxy_protocol; // in and out
        mod trusted_proxies; // X-Forwarded-For, Forwarded
    }
    /// What a client may use up.
    mod limits {
        mod at_once; // requests at the same time
        mod connections;
        mod rates; // requests in a time
    }
    /// HTTP/2 towards backends.
    mod http2_backends {
        mod exchanges; // requests and answers, cut or whole
        mod failures; // GOAWAY, refused streams, timeouts
        mod grpc; // trailers, streams both ways, over TLS and without
        mod heads; // what a backend is told
        mod nonsense; // what a backend must not answer
        mod sharing; // many requests on one connection, and no more than it takes
        mod stale; // a connection that ends, idle or when it is used again
        mod uploads; // bodies that are cut, or answered early
    }
    /// TLS, on both sides.
    mod tls {
        mod backends; // verified, resumed, mTLS
        mod certificates; // which one for which name; swapped while the gateway runs
        mod clients; // certificates of clients
        mod handshakes; // what is agreed on, what is refused, how long it may take
    }
    /// From host and path to an upstream.
    mod routing {
        mod expressions; // regular expressions, and another path for the backend
        mod hosts;
        mod paths;
        mod targets; // absolute-form and other targets
    }
    /// When a backend fails, the request moves on if that is safe.
    mod failover {
        mod broken; // accepted, then closed
        mod churn; // backends that come and go under load
        mod deadline; // longer than a request may take
        mod refused; // nobody listens
        mod retries; // after what, how often, with which bodies
        mod stale; // a kept connection that ends exactly when it is used again
        mod tiers; // backup and down
        mod timeouts; // too slow, on every side
    }
    /// Who is fit to be chosen.
    mod health {
        mod checks; // asking backends themselves
        mod draining; // no new clients
        mod ejection; // who only fails is out for a time
        mod max_conns; // no more than a backend can bear; the queue
        mod max_fails; // nginx's count
        mod panic; // better a bad backend than none
        mod slow_start; // who comes back begins with a part
        mod sticky; // sessions stay where they are
    }
    /// The policies that come with the gateway.
    mod policies {
        mod balancing; // round_robin, random, weights
        mod canary; // decides for a share, and goes back
        mod exports; // feedback, timer, state, explain; and what a policy may ask
        mod hashing; // ip_hash, hash, consistent
        mod load_aware; // least_conn, fair
        mod own; // a file in `policies/`
        mod reports; // weighted_report
        mod shadow; // asked and not obeyed
    }
    /// A bad policy never costs a request.
    mod bad_guests {
        mod boundary; // lists that are too long, or lie nowhere
        mod busy_machine; // slow because others compute is not too slow
        mod faults; // trap, deadline, memory, impossible answers
        mod quarantine; // after too many of them, and the way back
        mod refused; // files that never come into force
        mod under_load; // failing at every pick, under many clients
    }
    /// New configuration and new policies while requests run.
    mod reload {
        mod configuration;
        mod policy_cache; // large policies are compiled once
        mod policy_files;
        mod under_load; // nothing is lost
    }
    /// The command line, signals and the control socket.
    mod commands {
        mod build; // policy build
        mod check;
        mod control; // state and metrics
        mod demo; // everything in one process
        mod ending; // stop and quit
        mod inspect;
        mod new; // policy new
        mod record; // picks written down, made again, explained
        mod service; // sockets from outside, what a service manager is told, another user
        mod simulate; // policies over made-up backends
        mod test; // policy test
        mod upgrade; // a new process takes over
    }
    /// What is written about each request.
    mod access_log;
}
