//! Reads an answer as far as it is worth reading.
//!
//! Keeps some headers and the beginning of the body, as bytes and undecoded; reads a little more so that the connection can
//! be used again; never waits beyond the attempt's deadline. [`crate::client`] makes the `Answer` of it.

use std::error::Error;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use http_body_util::BodyExt;
use hyper::body::Body;
use postrider_core::status::ErrorClass;
use tokio::time::Sleep;

use crate::classify::class_of;

/// A body up to this long is read to its end, because a new connection costs more. A longer one is cut.
const DRAIN_LIMIT: usize = 64 * 1024;

/// Nor more than so many pieces: a body of one-byte chunks costs a processor more than its length says.
const PIECES_LIMIT: usize = 4096;

/// Of the headers (at most 100 lines, hyper's limit), so many bytes are kept.
const HEADER_BYTES: usize = 8 * 1024;

/// What a receiver tells us in a header; it counts on every answer, also where nothing else of the answer is kept.
static INSTRUCTION: HeaderName = HeaderName::from_static("webhook-delivery");

/// The receiver's instruction alone, if there is one.
pub(crate) fn keep_instruction(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let found = headers.get(&INSTRUCTION);
    found
        .map(|value| (INSTRUCTION.as_str().to_owned(), value.as_bytes().to_vec()))
        .into_iter()
        .collect()
}

/// The headers in their order, until `HEADER_BYTES` are full.
pub(crate) fn keep_headers(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let mut room = HEADER_BYTES;
    let mut kept = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let size = name.as_str().len() + value.len();
        if size > room {
            break;
        }
        room -= size;
        kept.push((name.as_str().to_owned(), value.as_bytes().to_vec()));
    }
    kept
}

/// What was read of a body.
#[derive(Debug)]
pub(crate) struct Read {
    /// Its beginning.
    pub(crate) kept: Vec<u8>,
    /// How it ended before its end, if it did: `body_cut`, `body_timeout` or `body_broken`.
    pub(crate) short: Option<&'static str>,
}

/// Reads a body to its end, its limit, its failure or the deadline, whatever comes first. The beginning is returned: a
/// status that has arrived counts, however its body ends.
pub(crate) async fn read_body<B>(mut body: B, mut deadline: Pin<&mut Sleep>, keep: usize) -> Read
where
    B: Body<Data = Bytes, Error: Error + 'static> + Unpin,
{
    let keep = keep.min(DRAIN_LIMIT);
    let mut kept = Vec::new();
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    // What will be cut anyway is not drained: the part to keep is all there is to gain.
    let enough = if announced > DRAIN_LIMIT { keep } else { DRAIN_LIMIT };
    let (mut seen, mut pieces) = (0, 0);
    let short = loop {
        if body.is_end_stream() {
            break None;
        }
        if seen >= enough || pieces >= PIECES_LIMIT {
            break Some("body_cut");
        }
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = deadline.as_mut() => break Some("body_timeout"),
        };
        match frame {
            None => break None,
            Some(Err(error)) if class_of(&error) == ErrorClass::ResponseTooLarge => {
                break Some("body_cut");
            }
            Some(Err(_)) => break Some("body_broken"),
            Some(Ok(frame)) => {
                // Trailers are of no use to us, and the last thing of a body.
                let Ok(data) = frame.into_data() else { break None };
                seen += data.len();
                pieces += 1;
                let more = data.len().min(keep - kept.len());
                kept.extend_from_slice(&data[..more]);
            }
        }
    };
    Read { kept, short }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;
    use postrider_core::answer::BODY_LIMIT;
    use tokio::time::sleep;

    use super::*;

    async fn kept(
        body: impl Body<Data = Bytes, Error: Error + 'static> + Unpin,
        keep: usize,
    ) -> usize {
        read(body, keep).await.0
    }

    async fn read(
        body: impl Body<Data = Bytes, Error: Error + 'static> + Unpin,
        keep: usize,
    ) -> (usize, Option<&'static str>) {
        let deadline = std::pin::pin!(sleep(Duration::from_secs(15)));
        let read = read_body(body, deadline, keep).await;
        (read.kept.len(), read.short)
    }

    fn endless(
        chunk: usize,
    ) -> (
        impl Body<Data = Bytes, Error: Error + 'static> + Unpin,
        std::sync::Arc<std::sync::atomic::AtomicUsize>,
    ) {
        let read = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = std::sync::Arc::clone(&read);
        let chunks = std::iter::repeat_with(move || {
            counter.fetch_add(chunk, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(vec![0; chunk])))
        });
        (StreamBody::new(futures_util::stream::iter(chunks)), read)
    }

    #[tokio::test]
    async fn the_first_4_kib_are_kept() {
        assert_eq!(read(Full::new(Bytes::from(vec![1; 10])), BODY_LIMIT).await, (10, None));
        assert_eq!(kept(Full::new(Bytes::from(vec![1; 50_000])), BODY_LIMIT).await, BODY_LIMIT);
        assert_eq!(kept(Full::new(Bytes::from(vec![1; 50_000])), 0).await, 0);
        assert_eq!(kept(Full::new(Bytes::from(vec![1; 50_000])), usize::MAX).await, 50_000);
    }

    #[tokio::test]
    async fn an_endless_body_is_cut_after_64_kib() {
        let (body, read) = endless(1000);
        assert_eq!(self::read(body, BODY_LIMIT).await, (BODY_LIMIT, Some("body_cut")));
        assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), 66_000);
    }

    #[tokio::test]
    async fn a_body_of_tiny_pieces_is_cut_long_before() {
        let (body, read) = endless(1);
        assert_eq!(self::read(body, 0).await, (0, Some("body_cut")));
        assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), PIECES_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_ends_at_the_deadline() {
        let silent = StreamBody::new(futures_util::stream::pending::<
            Result<Frame<Bytes>, std::convert::Infallible>,
        >());
        assert_eq!(read(silent, BODY_LIMIT).await, (0, Some("body_timeout")));
    }

    #[test]
    fn headers_are_kept_in_order_until_they_are_too_many_bytes() {
        let mut headers = HeaderMap::new();
        headers.append("x-first", HeaderValue::from_bytes(b"\xff").unwrap());
        headers.append("x-second", HeaderValue::from_static("2"));
        headers.append("x-huge", HeaderValue::try_from("h".repeat(HEADER_BYTES)).unwrap());
        let kept = keep_headers(&headers);
        assert_eq!(
            kept,
            [("x-first".to_owned(), vec![0xff]), ("x-second".to_owned(), b"2".to_vec())]
        );
    }
}
