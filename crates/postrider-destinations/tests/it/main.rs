//! The client against real sockets on the loopback interface: raw receivers, a DNS server, TLS with its own authority.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic, also in its helpers"
)]

mod deadlines;
mod guard;
mod http2;
mod http2_floods;
mod identity;
mod names;
mod proxy;
mod responses;
mod reuse;
mod support;
mod tenants;
mod tls;
mod tokens;
