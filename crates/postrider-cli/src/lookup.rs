//! From what people type to the one thing they mean: a whole id, or the beginning of one if no other begins so.

use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_store::Db;
use postrider_store::admin::deliveries::{self, Delivery};
use postrider_store::admin::endpoints::{self, Endpoint};
use postrider_store::admin::events::{self, EventKey};
use uuid::Uuid;

use crate::exit::{Exit, Failure};

/// The endpoint with this id, or the only one whose id begins so.
pub(crate) async fn endpoint(db: &Db, text: &str) -> Result<Endpoint, Failure> {
    let (low, high) = range("endpoint", EndpointId::PREFIX, text)?;
    let found = endpoints::find(db, EndpointId(low), EndpointId(high)).await?;
    only("endpoint", text, found, |endpoint| endpoint.id.to_string())
}

/// The delivery with this id, or the only one whose id begins so.
pub(crate) async fn delivery(db: &Db, text: &str) -> Result<Delivery, Failure> {
    let (low, high) = range("delivery", DeliveryId::PREFIX, text)?;
    let found = deliveries::find(db, DeliveryId(low), DeliveryId(high)).await?;
    only("delivery", text, found, |delivery| delivery.id.to_string())
}

/// The event with this id, or the only one whose id begins so, in one tenant or in all.
pub(crate) async fn event(db: &Db, text: &str, tenant: Option<&str>) -> Result<EventKey, Failure> {
    let fits = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !fits {
        return Err(Failure::new(Exit::Usage, "the event id is none")
            .why("1 to 64 of A-Z a-z 0-9 _ -, such as evt_5183040837844ddf0967ce5f3f1bc40a"));
    }
    let found = events::find(db, text, tenant).await?;
    let several = found.len() > 1;
    only("event", text, found, |key| format!("{} of tenant {}", key.id, key.tenant)).map_err(
        |failure| {
            if several && tenant.is_none() {
                failure.remedy("give the whole id, and --tenant if tenants share it")
            } else {
                failure
            }
        },
    )
}

/// The lowest and the highest id that begin like this text.
fn range(kind: &str, prefix: &str, text: &str) -> Result<(Uuid, Uuid), Failure> {
    let hex = text.strip_prefix(prefix).unwrap_or_default();
    let fits = !hex.is_empty()
        && hex.len() <= 32
        && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let bound = |fill: &str| {
        Uuid::try_parse(&format!("{hex}{}", fill.repeat(32_usize.saturating_sub(hex.len()))))
    };
    match (fits, bound("0"), bound("f")) {
        (true, Ok(low), Ok(high)) => Ok((low, high)),
        _ => Err(Failure::new(Exit::Usage, format!("this is no {kind} id")).why(format!(
            "{prefix} and 32 hex digits, or as many of them as say which one is meant"
        ))),
    }
}

fn only<T>(
    kind: &str,
    text: &str,
    mut found: Vec<T>,
    name: impl Fn(&T) -> String,
) -> Result<T, Failure> {
    match found.len() {
        0 => Err(Failure::new(Exit::Missing, format!("there is no {kind} {text}"))),
        1 => Ok(found.remove(0)),
        _ => {
            let names: Vec<String> = found.iter().map(name).collect();
            Err(Failure::new(Exit::Usage, format!("several {kind} ids begin with {text}"))
                .why(names.join("\n"))
                .remedy("give more of the id"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_is_a_range_of_ids() {
        let (low, high) = range("endpoint", "whk_", "whk_01ab").unwrap();
        assert_eq!(low.simple().to_string(), format!("01ab{}", "0".repeat(28)));
        assert_eq!(high.simple().to_string(), format!("01ab{}", "f".repeat(28)));
        let whole = format!("whk_{}", "a1".repeat(16));
        let (low, high) = range("endpoint", "whk_", &whole).unwrap();
        assert_eq!(low, high);
        for text in ["", "whk_", "whd_01", "whk_XY", "whk_0 1", "01", &format!("{whole}0")] {
            assert_eq!(range("endpoint", "whk_", text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}
