//! One request and its answer, from the first byte that arrives to the last that leaves.
//! Whatever ends it (the answer left, the client went away, the connection was reset) ends with exactly one entry.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::connection::Wire;
use super::record::Recorder;
use crate::journal::How;

/// One request in the hands of the receiver.
#[derive(Debug)]
pub(super) struct Exchange {
    recorder: Arc<Recorder>,
    wire: Arc<Wire>,
    pub(super) sequence: Option<u64>,
    status: Option<u16>,
    /// All of the answer has been handed over to be sent.
    complete: bool,
}

impl Exchange {
    pub(super) fn begin(recorder: Arc<Recorder>, wire: Arc<Wire>) -> Exchange {
        recorder.begin();
        Exchange { recorder, wire, sequence: None, status: None, complete: false }
    }

    /// The answer: its status, and the body that carries this exchange to its end.
    pub(super) fn answer(mut self, status: u16, content: Content) -> Outgoing {
        self.status = Some(status);
        self.complete = matches!(&content, Content::Whole(bytes) if bytes.is_empty());
        Outgoing { content, exchange: self }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let ended = Ended {
            recorder: Arc::clone(&self.recorder),
            sequence: self.sequence,
            status: self.status,
        };
        match self.status {
            Some(_) if self.complete => self.wire.leaves_with_next_flush(ended),
            Some(_) => ended.settle(How::Partial),
            None => ended.settle(How::None),
        }
    }
}

/// An exchange whose whole answer was handed over, and may not have left yet.
#[derive(Debug)]
pub(super) struct Ended {
    recorder: Arc<Recorder>,
    sequence: Option<u64>,
    status: Option<u16>,
}

impl Ended {
    pub(super) fn settle(self, how: How) {
        self.recorder.end(self.sequence, self.status, how);
    }
}

/// What an answer's body consists of.
#[derive(Debug)]
pub(super) enum Content {
    /// All at once.
    Whole(Bytes),
    /// So many bytes, in pieces, as fast as they are taken.
    Many { left: u64 },
    /// So many bytes, one after each pause.
    Slow { left: u64, every: Duration, pause: Pin<Box<Sleep>> },
    /// These, then nothing more; the connection is reset once they have left.
    Cut { bytes: Option<Bytes>, promised: u64 },
}

/// The size of a piece of a large body.
const PIECE: &[u8] = &[b'x'; 16 * 1024];

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Outgoing {
    content: Content,
    exchange: Exchange,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let piece = match &mut this.content {
            Content::Whole(bytes) => std::mem::take(bytes),
            Content::Many { left } => {
                let size = PIECE.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= size as u64;
                Bytes::from_static(&PIECE[..size])
            }
            Content::Slow { left: 0, .. } => Bytes::new(),
            Content::Slow { left, every, pause } => {
                std::task::ready!(pause.as_mut().poll(cx));
                pause.as_mut().reset(tokio::time::Instant::now() + *every);
                *left -= 1;
                Bytes::from_static(b".")
            }
            Content::Cut { bytes, .. } => match bytes.take() {
                Some(bytes) => {
                    this.exchange.wire.reset_after_flush();
                    bytes
                }
                None => return Poll::Pending,
            },
        };
        if this.is_end_stream() {
            this.exchange.complete = true;
        }
        if piece.is_empty() { Poll::Ready(None) } else { Poll::Ready(Some(Ok(Frame::data(piece)))) }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Many { left } | Content::Slow { left, .. } => *left == 0,
            Content::Cut { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Many { left: u64::MAX } => SizeHint::new(),
            Content::Many { left } | Content::Slow { left, .. } => SizeHint::with_exact(*left),
            Content::Cut { promised, .. } => SizeHint::with_exact(*promised),
        }
    }
}
