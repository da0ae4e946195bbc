//! Fields of a body that may be absent, null or there, and structures inside it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Absent: it stays. Null: it goes. Else it becomes this.
pub(super) type Given<T> = Option<Option<T>>;

/// A structure inside another: never read from a list of values.
pub(super) fn object<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let fields = Option::<Map<String, Value>>::deserialize(from)?;
    let read = fields.map(|fields| serde_json::from_value(fields.into())).transpose();
    read.map_err(serde::de::Error::custom)
}

/// The same, and null told from nothing.
pub(super) fn given_object<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    from: D,
) -> Result<Given<T>, D::Error> {
    object(from).map(Some)
}

/// Tells null from nothing.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Given<T>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}
