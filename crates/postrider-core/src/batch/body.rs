//! The body of a batch, put together from stored envelopes: the same members, format and encoding give the same bytes.

use super::Encoding;
use crate::format::{Format, NoEnvelope};

/// The body of a tenant's events in this order.
///
/// On a line of its own an event can hold no line break. JSON has them only between its tokens, where a blank says the same.
///
/// # Errors
/// When one of them is no envelope of ours.
pub fn body<'a>(
    format: Format,
    encoding: Encoding,
    tenant: &str,
    envelopes: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, NoEnvelope> {
    let mut body = Vec::new();
    for (place, envelope) in envelopes.into_iter().enumerate() {
        let item = format.render(tenant, envelope)?;
        match encoding {
            Encoding::Array => {
                body.push(if place == 0 { b'[' } else { b',' });
                body.extend_from_slice(&item);
            }
            Encoding::Ndjson => {
                let blank = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
                body.extend(item.iter().map(blank));
                body.push(b'\n');
            }
        }
    }
    if encoding == Encoding::Array {
        if body.is_empty() {
            body.push(b'[');
        }
        body.push(b']');
    }
    Ok(body)
}

/// The request's `content-type`.
#[must_use]
pub fn content_type(format: Format, encoding: Encoding) -> &'static str {
    match (encoding, format) {
        (Encoding::Ndjson, _) => "application/x-ndjson",
        (Encoding::Array, Format::CloudEvents) => {
            "application/cloudevents-batch+json; charset=utf-8"
        }
        (Encoding::Array, _) => "application/json",
    }
}

/// The bytes of an event's part of the body, from the sizes of what is stored: nothing has to be read to form a batch.
#[must_use]
pub fn item_bytes(
    format: Format,
    tenant: usize,
    event_id: usize,
    event_type: usize,
    envelope: usize,
) -> usize {
    // As `created_at` is written: 2026-11-21T13:00:00.000000Z.
    const TIME: usize = 27;
    const ENVELOPE: usize = r#"{"event":"","id":"","created_at":"","data":}"#.len() + TIME;
    const STANDARD: usize = r#"{"type":"","timestamp":"","data":}"#.len() + TIME;
    const CLOUD: usize = r#"{"specversion":"1.0","id":"","source":"/postrider/","type":"","time":"","datacontenttype":"application/json","data":}"#.len() + TIME;
    let data = envelope.saturating_sub(ENVELOPE + event_id + event_type);
    match format {
        Format::Postrider => envelope,
        Format::Raw => data,
        Format::Standard => STANDARD + event_type + data,
        Format::CloudEvents => CLOUD + event_id + tenant + event_type + data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(id: &str, data: &str) -> Vec<u8> {
        format!(r#"{{"event":"email.sent","id":"{id}","created_at":"2026-11-21T13:00:00.000001Z","data":{data}}}"#).into_bytes()
    }

    fn written(format: Format, encoding: Encoding) -> String {
        let envelopes = [envelope("a", "{\"n\":\r\n 1}"), envelope("b", "\"x\"")];
        let body = body(format, encoding, "acme", envelopes.iter().map(Vec::as_slice));
        String::from_utf8(body.unwrap()).unwrap()
    }

    #[test]
    fn an_array_holds_the_bytes_of_every_event_in_order() {
        let (a, b) = (envelope("a", "{\"n\":\r\n 1}"), envelope("b", "\"x\""));
        let expected = [b"[".as_slice(), &a, b",", &b, b"]"].concat();
        assert_eq!(written(Format::Postrider, Encoding::Array).as_bytes(), expected);
        assert_eq!(written(Format::Raw, Encoding::Array), "[{\"n\":\r\n 1},\"x\"]");
    }

    #[test]
    fn a_line_holds_one_event_and_no_line_break() {
        assert_eq!(written(Format::Raw, Encoding::Ndjson), "{\"n\":   1}\n\"x\"\n");
        for format in Format::ALL {
            let text = written(*format, Encoding::Ndjson);
            assert_eq!(text.lines().count(), 2, "{text}");
            for line in text.lines() {
                serde_json::from_str::<serde_json::Value>(line).expect("it is JSON");
            }
            let array = written(*format, Encoding::Array);
            let read: Vec<serde_json::Value> = serde_json::from_str(&array).expect("it is JSON");
            assert_eq!(read.len(), 2);
        }
    }

    #[test]
    fn sizes_are_known_before_anything_is_written() {
        for format in Format::ALL {
            for (id, data) in [("evt_1", "null"), ("evt_0123456789", "{\"a\":\"Grüße\"}")] {
                let envelope = envelope(id, data);
                let expected = format.render("acme", &envelope).unwrap().len();
                let bytes = item_bytes(*format, 4, id.len(), "email.sent".len(), envelope.len());
                assert_eq!(bytes, expected, "{format} {data}");
            }
        }
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let envelopes = [b"{}".as_slice()];
        assert_eq!(body(Format::Standard, Encoding::Array, "t", envelopes), Err(NoEnvelope));
    }

    #[test]
    fn cloud_events_have_a_content_type_for_batches() {
        let array = content_type(Format::CloudEvents, Encoding::Array);
        assert_eq!(array, "application/cloudevents-batch+json; charset=utf-8");
        assert_eq!(content_type(Format::CloudEvents, Encoding::Ndjson), "application/x-ndjson");
        assert_eq!(content_type(Format::Standard, Encoding::Array), "application/json");
    }
}
