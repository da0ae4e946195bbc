//! What clients of e2a send and read.

use jiff::Timestamp;
use postrider_core::ids::{DeliveryId, EndpointId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::shapes::{AnyObject, DeliveryIdText, EndpointIdText, EventTypePattern};

/// An endpoint in e2a's shape.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Webhook {
    #[schemars(with = "EndpointIdText")]
    pub(super) id: EndpointId,
    pub(super) url: String,
    pub(super) description: String,
    pub(super) events: Vec<String>,
    #[schemars(with = "AnyObject")]
    pub(super) filters: Value,
    pub(super) enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auto_disabled_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Webhooks {
    pub(super) webhooks: Vec<Webhook>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WebhookCreated {
    #[serde(flatten)]
    pub(super) webhook: Webhook,
    pub(super) signing_secret: String,
}

/// A webhook to be added.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    #[schemars(length(min = 1, max = 2048))]
    pub(super) url: String,
    #[schemars(with = "Vec<EventTypePattern>", length(min = 1, max = 200))]
    pub(super) events: Vec<String>,
    /// agent_ids, conversation_ids and labels, each a list; or a pattern.
    #[schemars(with = "Option<AnyObject>")]
    pub(super) filters: Option<Value>,
    #[schemars(length(max = 200))]
    pub(super) description: Option<String>,
}

/// What becomes of a webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookChanges {
    #[schemars(length(min = 1, max = 2048))]
    pub(super) url: Option<String>,
    #[schemars(with = "Option<Vec<EventTypePattern>>", length(min = 1, max = 200))]
    pub(super) events: Option<Vec<String>>,
    #[schemars(with = "Option<AnyObject>")]
    pub(super) filters: Option<Value>,
    #[schemars(length(max = 200))]
    pub(super) description: Option<String>,
    pub(super) enabled: Option<bool>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookSecretRotated")]
pub(super) struct SecretRotated {
    pub(super) signing_secret: String,
    pub(super) previous_secret_expires_at: Timestamp,
}

/// Accepted as e2a's clients send it. The event that goes out is postrider.test, whatever it says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebhookTest")]
#[expect(dead_code, reason = "accepted, and of no consequence")]
pub(super) struct Test {
    pub(super) event: Option<String>,
    pub(super) data: Option<serde_json::Map<String, Value>>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookTested")]
pub(super) struct Tested {
    #[schemars(with = "DeliveryIdText")]
    pub(super) delivery_id: DeliveryId,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookDeliveries")]
pub(super) struct Deliveries {
    pub(super) deliveries: Vec<Delivery>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookDelivery")]
pub(super) struct Delivery {
    #[schemars(with = "DeliveryIdText")]
    pub(super) id: DeliveryId,
    pub(super) event_type: Option<String>,
    /// pending, delivered or failed.
    #[schemars(with = "String")]
    pub(super) status: &'static str,
    pub(super) attempts: i16,
    pub(super) next_retry_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_status_code: Option<i16>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    /// At most seven days ago.
    pub(super) since: Timestamp,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookScheduled")]
pub(super) struct Scheduled {
    #[schemars(with = "EndpointIdText")]
    pub(super) webhook_id: EndpointId,
    pub(super) since: Timestamp,
    pub(super) scheduled: i64,
    pub(super) skipped_already_pending: i64,
}
