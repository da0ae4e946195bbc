//! The events of the benchmark: 500 bytes of JSON each, published through the library in batches.

use std::sync::LazyLock;

use anyhow::{Context as _, Result};
use postrider::{EMAIL_RECEIVED, Event, publish_many_tx};
use tokio_postgres::Client;

/// The tenant that owns what is measured.
pub(crate) const TENANT: &str = "bench";
/// An id as long as all ids are.
pub(crate) const SAMPLE_ID: &str = "evt_00112233445566778899aabbccddeeff";
/// Bytes of a payload.
pub(crate) const BYTES: usize = 500;

const WORDS: &str = "a letter of a few lines that says what came about and to whom it matters ";
const BATCH: u64 = 500;

/// A payload of exactly 500 bytes; no two alike.
pub(crate) fn payload(number: u64) -> String {
    static TEXT: LazyLock<String> = LazyLock::new(|| WORDS.repeat(BYTES / WORDS.len() + 1));
    let head = format!(r#"{{"number":{number},"text":""#);
    let fill = BYTES.saturating_sub(head.len() + 2);
    format!("{head}{}\"}}", &TEXT[..fill])
}

/// An event of that tenant with a random id.
pub(crate) fn event(tenant: &str, number: u64) -> Event {
    Event::new(EMAIL_RECEIVED, tenant).data_text(payload(number))
}

/// An envelope as the database composes it, for the bare loop.
pub(crate) fn sample_envelope() -> String {
    let (kind, data) = (EMAIL_RECEIVED.as_str().to_owned(), payload(1));
    format!(
        r#"{{"event":"{kind}","id":"{SAMPLE_ID}","created_at":"2026-01-02T03:04:05.678901Z","data":{data}}}"#
    )
}

/// Publishes so many events, 500 in a transaction.
pub(crate) async fn publish(client: &mut Client, tenant: &str, count: u64) -> Result<()> {
    let mut next = 0;
    while next < count {
        let until = count.min(next + BATCH);
        let batch: Vec<Event> = (next..until).map(|number| event(tenant, number)).collect();
        let tx = client.transaction().await?;
        publish_many_tx(&tx, &batch).await.context("publishing")?;
        tx.commit().await?;
        next = until;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_their_size_and_are_json() {
        for number in [0, 1, 99_999, u64::MAX] {
            let payload = payload(number);
            assert_eq!(payload.len(), BYTES);
            let value: serde_json::Value = serde_json::from_str(&payload).unwrap();
            assert_eq!(value["number"], number);
        }
    }

    #[test]
    fn the_bare_loop_sends_an_envelope() {
        let value: serde_json::Value = serde_json::from_str(&sample_envelope()).unwrap();
        assert_eq!(value["event"], "email.received");
    }
}
