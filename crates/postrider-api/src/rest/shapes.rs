//! How the texts of the API look, as JSON Schema says it, and the page that every list answers with.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Value, json};

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
    /// Where the next page begins.
    pub(super) next_cursor: Option<String>,
    /// The search ended before it had looked at everything: ask for a shorter time, or with fewer filters.
    pub(super) cut: bool,
}

impl<T> Page<T> {
    /// All there is.
    pub(super) fn whole(data: Vec<T>) -> Self {
        Self { data, has_more: false, next_cursor: None, cut: false }
    }
}

/// A text that looks like this.
macro_rules! texts {
    ($($name:ident = $pattern:literal;)*) => { $(
        #[derive(Debug)]
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )* };
}

/// One of a few words.
macro_rules! words {
    ($($name:ident = [$($word:literal),*];)*) => { $(
        #[derive(Debug)]
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "enum": [$($word),*] })
            }
        }
    )* };
}

texts! {
    EventIdText = "^[A-Za-z0-9_-]{1,64}$";
    EndpointIdText = "^whk_[0-9a-f]{32}$";
    DeliveryIdText = "^whd_[0-9a-f]{32}$";
    BatchIdText = "^btc_[0-9a-f]{32}$";
    ApiKeyIdText = "^key_[0-9a-f]{32}$";
    JobIdText = "^job_[0-9a-f]{32}$";
    TenantText = "^[A-Za-z0-9._:-]{1,128}$";
    EventTypeText = "^[A-Za-z0-9_]+(\\.[A-Za-z0-9_]+)*$";
    EventTypePattern = "^(\\*|[A-Za-z0-9_]+(\\.[A-Za-z0-9_]+)*(\\.\\*)?)$";
}

words! {
    DeliveryStatusWord = ["pending", "delivered", "exhausted", "rejected", "skipped", "expired", "cancelled"];
    EndedStatusWord = ["delivered", "exhausted", "rejected", "skipped", "expired", "cancelled"];
    EventStateWord = ["pending", "failed", "fanned_out"];
    OutcomeWord = ["delivered", "retry", "exhausted", "rejected"];
    JobStateWord = ["queued", "running", "done", "stopped", "failed"];
    FormatWord = ["postrider", "standard", "cloudevents", "raw"];
    OrderingWord = ["none", "key", "endpoint"];
    SecretKindWord = ["standard", "opaque", "ed25519"];
    ScopeWord = ["read", "write", "publish"];
    SchemaCheckWord = ["off", "report", "enforce"];
    ChangeWord = ["added", "changed", "unchanged"];
}

/// Any JSON object.
#[derive(Debug)]
pub(super) struct AnyObject;

impl JsonSchema for AnyObject {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "AnyObject".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

/// Any JSON value, null too.
#[derive(Debug)]
pub(super) struct AnyValue;

impl JsonSchema for AnyValue {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "AnyValue".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

/// The schema of a tenant's name.
pub(super) fn tenant() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$" })
}

/// The schema of what a placeholder of a path stands for.
pub(super) fn of_path(placeholder: &str) -> Value {
    let pattern = match placeholder {
        "event_id" => "^[A-Za-z0-9_-]{1,64}$",
        "endpoint_id" | "webhook_id" => "^whk_[0-9a-f]{32}$",
        "delivery_id" => "^whd_[0-9a-f]{32}$",
        "job_id" => "^job_[0-9a-f]{32}$",
        "key_id" => "^key_[0-9a-f]{32}$",
        "tenant_id" => return tenant(),
        "event_type" => "^[A-Za-z0-9_]+(\\.[A-Za-z0-9_]+)*$",
        _ => return json!({ "type": "string" }),
    };
    json!({ "type": "string", "pattern": pattern })
}

/// Of an answer without a body.
#[derive(Debug)]
pub(super) struct NoContent;

impl JsonSchema for NoContent {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "NoContent".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "not": {} })
    }
}
