//! The byte stream of one connection to a receiver, plain or TLS.
//!
//! Reads from and writes to the socket that [`crate::connector`] opened; hyper is its only user. Counts what arrives
//! between two writes, or over HTTP/2 for its requests, so that no receiver can feed us for ever without ending its answer.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::classify::AnswerTooLong;
use crate::frames;

/// What an HTTP/1 receiver may send for one request: 64 KiB of head, 64 KiB of drained body, and as much again for
/// interim answers and for what hyper reads ahead. Endless `100 Continue` ends here, before it has cost a core for
/// the rest of the deadline.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The address at the other end, unless only the proxy knows it; the client finds it among the response's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) Option<IpAddr>);

/// A connection that was judged, opened and, for https, verified.
pub(crate) struct Stream {
    transport: Transport,
    peer: Peer,
    allowance: Allowance,
}

/// What may still arrive.
enum Allowance {
    /// So many bytes before we write again.
    Http1(usize),
    /// One connection carries many answers at once. Flow control bounds each one's body, and this everything else.
    Http2(Box<frames::Allowance>),
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn plain(tcp: TcpStream, peer: Option<IpAddr>) -> Self {
        let transport = Transport::Plain(tcp);
        Stream { transport, peer: Peer(peer), allowance: Allowance::Http1(MAX_ANSWER_BYTES) }
    }

    pub(crate) fn tls(tls: TlsStream<TcpStream>, peer: Option<IpAddr>) -> Self {
        let h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        let transport = Transport::Tls(Box::new(tls));
        let allowance = match h2 {
            true => Allowance::Http2(Box::new(frames::Allowance::new())),
            false => Allowance::Http1(MAX_ANSWER_BYTES),
        };
        Stream { transport, peer: Peer(peer), allowance }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.peer);
        match &self.allowance {
            Allowance::Http1(_) => connected,
            Allowance::Http2(_) => connected.negotiated_h2(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let spent = match &self.allowance {
            Allowance::Http1(left) => *left == 0,
            Allowance::Http2(allowance) => allowance.is_spent(),
        };
        if spent {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, AnswerTooLong)));
        }
        let before = buf.filled().len();
        ready!(match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Transport::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        })?;
        let arrived = &buf.filled()[before..];
        match &mut self.allowance {
            Allowance::Http1(left) => *left = left.saturating_sub(arrived.len()),
            Allowance::Http2(allowance) => allowance.arrived(arrived),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.expect_answer();
        let written = ready!(match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Transport::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        })?;
        self.left(&[IoSlice::new(buf)], written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.expect_answer();
        let written = ready!(match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Transport::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        })?;
        self.left(bufs, written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(tcp) => tcp.is_write_vectored(),
            Transport::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Transport::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Transport::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

impl Stream {
    /// Request bytes of HTTP/1 are about to leave, so a new answer may arrive. A write that makes no progress (a receiver that
    /// never reads) refills the allowance as well; then nothing but the deadline counts.
    fn expect_answer(&mut self) {
        if let Allowance::Http1(left) = &mut self.allowance {
            *left = MAX_ANSWER_BYTES;
        }
    }

    /// So many of these bytes have left: over HTTP/2 a new answer may arrive for each request among them.
    fn left(&mut self, bufs: &[IoSlice<'_>], mut written: usize) {
        let Allowance::Http2(allowance) = &mut self.allowance else { return };
        for buf in bufs {
            let part = written.min(buf.len());
            allowance.left(&buf[..part]);
            written -= part;
        }
    }
}
