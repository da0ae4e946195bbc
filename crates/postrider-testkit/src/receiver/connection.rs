//! The wire under a connection: knows when an answer has left, and can be cut.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::exchange::Ended;
use crate::journal::How;

/// What a connection's exchanges tell its wire.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// Answers that were handed over since the last flush; `None` once the connection is gone.
    leaving: Mutex<Option<Vec<Ended>>>,
    reset_after_flush: AtomicBool,
    /// End the connection with a reset instead of an orderly close.
    reset: AtomicBool,
    cut: Notify,
}

impl Wire {
    pub(super) fn new() -> Wire {
        Wire { leaving: Mutex::new(Some(Vec::new())), ..Wire::default() }
    }

    pub(super) fn leaves_with_next_flush(&self, ended: Ended) {
        match self.leaving.lock().expect("nobody panics with this lock").as_mut() {
            Some(leaving) => leaving.push(ended),
            None => ended.settle(How::Partial),
        }
    }

    pub(super) fn reset_after_flush(&self) {
        self.reset_after_flush.store(true, Ordering::SeqCst);
    }

    /// Cuts the connection now.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::SeqCst);
        self.cut.notify_one();
    }

    /// Returns when the connection is to be cut.
    pub(super) async fn to_be_cut(&self) {
        self.cut.notified().await;
    }

    fn flushed(&self) {
        let left =
            self.leaving.lock().expect("nobody panics with this lock").as_mut().map(std::mem::take);
        left.into_iter().flatten().for_each(|ended| ended.settle(How::Full));
        if self.reset_after_flush.load(Ordering::SeqCst) {
            self.reset();
        }
    }

    /// The connection is gone: what had not left yet never will.
    pub(super) fn gone(&self) {
        let lost = self.leaving.lock().expect("nobody panics with this lock").take();
        lost.into_iter().flatten().for_each(|ended| ended.settle(How::Partial));
    }
}

/// A connection's stream that reports to its wire.
#[derive(Debug)]
pub(super) struct Tracked {
    stream: TcpStream,
    wire: Arc<Wire>,
}

impl Tracked {
    pub(super) fn new(stream: TcpStream, wire: Arc<Wire>) -> Tracked {
        Tracked { stream, wire }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if self.wire.reset.load(Ordering::SeqCst) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Tracked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tracked {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// HTTP flushes when all it had to send is written, and a TCP stream keeps nothing back.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.wire.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
