// Written by `postrider types gen --lang rust`; write it anew when the catalog has changed.

use serde::{Deserialize, Serialize};

postrider::event_types! {
    /// All event types of the catalog.
    pub catalog EVENT_TYPES {
        /// It has no description.
        LIST_SENT = "list.sent",
        /// Of this nobody said what it holds.
        NOTHING_SAID = "nothing.said",
        /// It has no description.
        TREE_GROWN = "tree.grown",
        /// It has no description.
        USER_SIGNED_UP = "user.signed.up",
        /// Somebody signed up.
        /// Once a person.
        USER_SIGNED_UP2 = "user.signed_up",
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListSentItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<f64>,
}

/// Payload of tree.grown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeGrown {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_name: Option<std::collections::BTreeMap<String, TreeGrown>>,
    pub children: Vec<TreeGrown>,
    pub parent: Option<Box<TreeGrown>>,
}

/// Payload of user.signed.up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserSignedUp {
    #[serde(rename = "userId", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<i64>,
    #[serde(rename = "user_id", default, skip_serializing_if = "Option::is_none")]
    pub user_id2: Option<i64>,
    pub verified: bool,
}

/// Who signed up, and for what.
///
/// Payload of user.signed_up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserSignedUp2 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anything: Option<serde_json::Value>,
    /// This or that.
    // Any JSON: it must fit one of several schemas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<std::collections::BTreeMap<String, serde_json::Value>>,
    // Any JSON: it refers to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far: Option<serde_json::Value>,
    #[serde(rename = "invitedBy", default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<UserSignedUp2User>,
    /// What they pay for.
    pub plan: UserSignedUp2Plan,
    /// Where they came from */ or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<std::collections::BTreeMap<String, f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    pub user: UserSignedUp2User,
}

/// A person
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserSignedUp2User {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<UserSignedUp2UserAddress>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_friend: Option<Box<UserSignedUp2User>>,
    #[serde(rename = "e-mail")]
    pub e_mail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friends: Option<Vec<UserSignedUp2User>>,
    pub id: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserSignedUp2UserAddress {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<UserSignedUp2UserAddressType>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UserSignedUp2UserAddressType {
    #[serde(rename = "home")]
    Home,
}

/// What they pay for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UserSignedUp2Plan {
    #[serde(rename = "free")]
    Free,
    #[serde(rename = "paid")]
    Paid,
    #[serde(rename = "paid-yearly")]
    PaidYearly,
    #[serde(rename = "2024")]
    V2024,
}
