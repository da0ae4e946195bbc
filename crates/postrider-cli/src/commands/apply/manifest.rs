//! The file: tenants and endpoints by name, each as the API takes it. Secrets are not in it, only where they are.

use std::collections::BTreeMap;

use postrider_core::input::InputError;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::commands::endpoints::check_tenant;
use crate::exit::{Exit, Failure};

/// What there is to be.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Manifest {
    /// By their ids.
    pub(super) tenants: BTreeMap<String, TenantWanted>,
    /// By their names, which they keep in their metadata as `name`. The tenant is `tenant_id`, or the usual one.
    pub(super) endpoints: BTreeMap<String, Map<String, Value>>,
}

/// What is to be set of a tenant. What is left out stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TenantWanted {
    /// A number, or none.
    pub(super) max_in_flight: Option<Value>,
    pub(super) rate_limit: Option<Value>,
    pub(super) workflows_config: WorkflowsWanted,
}

/// The same of its e-mails.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WorkflowsWanted {
    pub(super) capture_messaging_engagement_events: Option<bool>,
}

/// Where texts may stand as `{ env = "NAME" }` or `{ file = "PATH" }`.
const REFERRING: [&str; 4] = ["headers", "auth", "tls", "secret"];
/// What may stand in no other way.
const SECRET: [(&str, &str); 5] = [
    ("auth", "password"),
    ("auth", "token"),
    ("auth", "client_secret"),
    ("tls", "key"),
    ("secret", "value"),
];

impl Manifest {
    /// Reads TOML, or JSON if it begins with a brace, and what it refers to.
    pub(super) fn read(
        text: &[u8],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let text = std::str::from_utf8(text)
            .map_err(|_| Failure::new(Exit::Usage, "the file is not UTF-8"))?;
        let wrong = |why: String| Failure::new(Exit::Usage, "the file cannot be read").why(why);
        let mut manifest: Self = match text.trim_start().starts_with('{') {
            true => serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?,
            false => toml::from_str(text).map_err(|error| wrong(error.to_string()))?,
        };
        for tenant in manifest.tenants.keys() {
            check_tenant(tenant)?;
        }
        for (name, endpoint) in &mut manifest.endpoints {
            let named = |failure: Failure| failure.doing(format!("endpoint {name} cannot be read"));
            check_name(name)?;
            resolve(endpoint, &environment).map_err(named)?;
        }
        Ok(manifest)
    }
}

fn check_name(name: &str) -> Result<(), Failure> {
    if (1..=200).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let detail = "must be 1 to 200 characters, none of them a control character";
    Err(InputError::new("endpoints", "name.syntax", detail).into())
}

/// Puts texts in the place of references to them.
fn resolve(
    endpoint: &mut Map<String, Value>,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    for (field, within) in SECRET {
        if endpoint.get(field).is_some_and(|value| value[within].is_string()) {
            let detail =
                "stands in the file as it is; write { env = \"NAME\" } or { file = \"PATH\" }";
            return Err(InputError::new(format!("{field}.{within}"), "secret.bare", detail).into());
        }
    }
    for field in REFERRING {
        let Some(Value::Object(values)) = endpoint.get_mut(field) else { continue };
        for (name, value) in values {
            let Value::Object(reference) = value else { continue };
            let field = format!("{field}.{name}");
            *value = Value::String(referred(&field, reference, environment)?);
        }
    }
    Ok(())
}

/// The text that is referred to, without the line's end at its end.
fn referred(
    field: &str,
    reference: &Map<String, Value>,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<String, Failure> {
    let text = |name: &str| reference.get(name).and_then(Value::as_str);
    let found = match (reference.len(), text("env"), text("file")) {
        (1, Some(variable), None) => {
            environment(variable).ok_or_else(|| format!("the variable {variable} is not set"))
        }
        (1, None, Some(file)) => {
            std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))
        }
        _ => Err("must be text, { env = \"NAME\" } or { file = \"PATH\" }".to_owned()),
    };
    match found {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(why) => Err(InputError::new(field, "reference", why).into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Manifest, String> {
        let environment = |name: &str| (name == "TOKEN").then(|| "t0ken\n".to_owned());
        Manifest::read(text.as_bytes(), environment)
            .map_err(|failure| format!("{} {}", failure.what, failure.why.unwrap_or_default()))
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = read(
            "[tenants.acme]\nmax_in_flight = 7\n[endpoints.orders]\nurl = \"https://x.test/\"\nheaders = { X-Key = { env = \"TOKEN\" }, X-Plain = \"p\" }\n",
        )
        .unwrap();
        let json = read(
            r#"{"tenants":{"acme":{"max_in_flight":7}},"endpoints":{"orders":{"url":"https://x.test/","headers":{"X-Key":{"env":"TOKEN"},"X-Plain":"p"}}}}"#,
        )
        .unwrap();
        assert_eq!(toml.endpoints, json.endpoints);
        assert_eq!(
            toml.endpoints["orders"]["headers"],
            json!({ "X-Key": "t0ken", "X-Plain": "p" })
        );
        assert_eq!(toml.tenants["acme"].max_in_flight, json.tenants["acme"].max_in_flight);
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_stands_in_the_file() {
        for (text, said) in [
            ("endpoints = 7", "the file cannot be read"),
            ("[event_types]\n", "unknown field `event_types`"),
            ("[tenants.\"a b\"]\n", "tenant"),
            ("[endpoints.a]\nauth = { type = \"bearer\", token = \"x\" }\n", "auth.token"),
            ("[endpoints.a]\nsecret = { value = \"x\" }\n", "secret.value"),
            (
                "[endpoints.a]\nsecret = { value = { env = \"NONE\" } }\n",
                "the variable NONE is not set",
            ),
            (
                "[endpoints.a]\nsecret = { value = { file = \"/nowhere/at/all\" } }\n",
                "/nowhere/at/all",
            ),
            ("[endpoints.a]\ntls = { key = { vault = \"x\" } }\n", "tls.key"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
