//! What the options of `endpoints add` and `endpoints update` say about an endpoint, checked before anything is stored.

use std::path::PathBuf;
use std::time::Duration;

use postrider_core::batch::{BatchPolicy, Encoding};
use postrider_core::endpoint;
use postrider_core::filter::is_operator_event;
use postrider_core::headers::CustomHeaders;
use postrider_core::input::InputError;
use postrider_core::ordering::{OnFailure, Ordering};
use postrider_core::retry::Schedule;
use postrider_core::url::EndpointUrl;
use postrider_event::EventType;
use postrider_store::admin::endpoints::{Endpoint, Order};
use serde_json::Value;

use crate::config::Egress;
use crate::exit::{Exit, Failure};
use crate::{input, json};

/// Options that `add` and `update` share.
#[derive(Debug, clap::Args)]
pub(crate) struct Fields {
    /// Event types it wants: exact names, email.* or *; operator events by name or by endpoint.*, not by *
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    pub types: Option<Vec<String>>,
    /// Filter on attributes, labels and data: an event pattern as JSON, @FILE or - for standard input
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,
    /// Request header of its own, as "Name: value"; for secret values use --header-file
    #[arg(long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
    /// File of request headers: a JSON object, or "Name: value" lines
    #[arg(long, value_name = "FILE", conflicts_with = "headers")]
    pub header_file: Option<PathBuf>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Waits before attempts 2, 3, …, such as 5s,5m,1h; default: the standard schedule
    #[arg(long, value_name = "WAITS", value_delimiter = ',')]
    pub retry_schedule: Option<Vec<String>>,
    /// Time for one attempt, 100ms to 30s; default: the worker's
    #[arg(long, value_name = "SPAN")]
    pub timeout: Option<String>,
    /// Requests in flight to it at once, 1 to 1000; default: the worker's
    #[arg(long, value_name = "N")]
    pub max_in_flight: Option<String>,
    /// Requests a second to it, from the whole fleet, 1 to 100000; default: no limit
    #[arg(long, value_name = "N")]
    pub rate_limit: Option<String>,
    /// Send one after the other: none, key (events of one ordering key) or endpoint (all of them)
    #[arg(long, value_name = "ORDER")]
    pub ordering: Option<String>,
    /// What a failing delivery does to those behind it: block, or skip:N to give it up after N attempts
    #[arg(long, value_name = "POLICY")]
    pub on_failure: Option<String>,
    /// Several events in one request: how many at most, 1 to 500. Any of the --batch options asks for batches
    #[arg(long, value_name = "N")]
    pub batch_max_events: Option<String>,
    /// How long the first event of a batch waits for others, 0ms to 60s; default: 1s
    #[arg(long, value_name = "SPAN")]
    pub batch_max_wait: Option<String>,
    /// Bytes of a body with more than one event, 1024 to 4194304; default: 1048576
    #[arg(long, value_name = "BYTES")]
    pub batch_max_bytes: Option<String>,
    /// How a batch is written: array (JSON, the default) or ndjson
    #[arg(long, value_name = "ENCODING")]
    pub batch_encoding: Option<String>,
    /// Keep the answers of successful attempts too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub capture_responses: Option<bool>,
    /// JSON object of your own, as JSON, @FILE or -
    #[arg(long, value_name = "JSON")]
    pub metadata: Option<String>,
    /// Permit http:// and this machine's addresses, as `postrider run --dev` does
    #[arg(long)]
    pub dev: bool,
}

/// A tenant's name.
pub(crate) fn check_tenant(tenant: &str) -> Result<(), Failure> {
    Ok(postrider_core::input::check_tenant(tenant)?)
}

/// # Errors
/// When its events are read by who wants them.
pub(crate) fn check_sent_to(endpoint: &Endpoint) -> Result<(), Failure> {
    match endpoint.is_pull() {
        false => Ok(()),
        true => Err(Failure::new(
            Exit::Usage,
            format!("nothing is sent to {}: its events are read", endpoint.id),
        )),
    }
}

/// A URL that may be stored. What this installation does not permit is refused with the setting that would.
pub(crate) fn url(text: &str, egress: &Egress) -> Result<EndpointUrl, Failure> {
    EndpointUrl::parse(text, egress.url_policy()).map_err(|error| {
        let permitted_elsewhere = matches!(error.code, "url.address_blocked" | "url.host_blocked")
            || (error.code == "url.scheme" && text.to_ascii_lowercase().starts_with("http://"));
        let failure = Failure::from(error);
        if permitted_elsewhere {
            failure.remedy(
                "on this machine: add --dev here, and deliver with \"postrider run --dev\";\n\
                 in your network: set egress.allow_cidrs (and egress.allow_http) here and where the daemon runs,\n\
                 or for one tenant: postrider egress set TENANT --allow-cidrs NETWORKS",
            )
        } else {
            failure
        }
    })
}

/// Event types and filter, compiled once to see that they can be.
pub(crate) fn check_subscription(types: &[String], filter: Option<&Value>) -> Result<(), Failure> {
    endpoint::check_subscription(types, filter)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

/// What is accepted and may still be a mistake: types that nobody declared, since a typing error looks the same.
pub(crate) fn doubts(types: &[String]) -> Vec<String> {
    undeclared(types)
        .map(|name| format!("event type {name} is not declared; check its spelling"))
        .collect()
}

/// The types that nobody declared.
fn undeclared(types: &[String]) -> impl Iterator<Item = &str> {
    let known = |name: &&String| {
        !name.contains('*') && !EventType::is_valid(name) && !is_operator_event(name)
    };
    types.iter().filter(known).map(String::as_str)
}

impl Fields {
    /// The request headers, if any are given.
    pub(crate) fn headers(&self) -> Result<Option<CustomHeaders>, Failure> {
        if let Some(file) = &self.header_file {
            let bytes = input::bytes(Some(file))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| InputError::new("headers", "header.value", "the file is not UTF-8"))?;
            if text.trim_start().starts_with('{') {
                let Value::Object(object) = json::parse("headers", &text)? else {
                    unreachable!("what begins with a brace is an object");
                };
                return Ok(Some(CustomHeaders::parse_json(&object)?));
            }
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            return Ok(Some(CustomHeaders::parse(
                &lines.map(header).collect::<Result<Vec<_>, _>>()?,
            )?));
        }
        if self.headers.is_empty() {
            return Ok(None);
        }
        let pairs: Vec<(&str, &str)> =
            self.headers.iter().map(|line| header(line)).collect::<Result<_, _>>()?;
        Ok(Some(CustomHeaders::parse(&pairs)?))
    }

    pub(crate) fn description(&self) -> Result<Option<&str>, Failure> {
        let description = self.description.as_deref();
        description.map_or(Ok(()), endpoint::check_description)?;
        Ok(description)
    }

    /// The filter; `Some(None)` where the text is `none`, which takes a filter away.
    pub(crate) fn filter(&self) -> Result<Option<Option<Value>>, Failure> {
        match self.filter.as_deref() {
            None => Ok(None),
            Some("none") => Ok(Some(None)),
            Some(text) => Ok(Some(Some(json("filter", text)?))),
        }
    }

    pub(crate) fn metadata(&self) -> Result<Option<Value>, Failure> {
        let Some(text) = self.metadata.as_deref() else { return Ok(None) };
        let value = json("metadata", text)?;
        endpoint::check_metadata(&value)?;
        Ok(Some(value))
    }

    /// The waits in milliseconds; `Some(None)` for `default`.
    pub(crate) fn retry_schedule(&self) -> Result<Option<Option<Vec<i32>>>, Failure> {
        let Some(texts) = &self.retry_schedule else { return Ok(None) };
        if texts == &["default"] {
            return Ok(Some(None));
        }
        Ok(Some(Some(endpoint::schedule_ms(&Schedule::parse(texts)?)?)))
    }

    /// The order in which it is sent to, if that changes from what it `was`.
    pub(crate) fn order(&self, was: Order) -> Result<Option<Order>, Failure> {
        let ordering = self.ordering.as_deref().map(Ordering::parse).transpose()?;
        let on_failure = self.on_failure.as_deref().map(OnFailure::parse).transpose()?;
        let order = endpoint::order(ordering, on_failure, (was.ordering, was.on_failure))?;
        Ok(order.map(|(ordering, on_failure)| Order { ordering, on_failure }))
    }

    /// The time for one attempt in ms; `Some(None)` for `default`.
    pub(crate) fn timeout_ms(&self) -> Result<Option<Option<i32>>, Failure> {
        or_default(self.timeout.as_deref(), |text| endpoint::timeout_ms(input::span(text).ok()))
    }

    /// The requests in flight at once; `Some(None)` for `default`.
    pub(crate) fn max_in_flight(&self) -> Result<Option<Option<i32>>, Failure> {
        or_default(self.max_in_flight.as_deref(), |text| endpoint::max_in_flight(text.parse().ok()))
    }
}

impl Fields {
    /// The batches it asks for, if that changes; what is not named stays as it `was`, or is the default.
    pub(crate) fn batch(&self, was: Option<BatchPolicy>) -> Result<Option<BatchPolicy>, Failure> {
        let named = [
            &self.batch_max_events,
            &self.batch_max_wait,
            &self.batch_max_bytes,
            &self.batch_encoding,
        ];
        if named.iter().all(|option| option.is_none()) {
            return Ok(None);
        }
        let was = was.unwrap_or_default();
        // What is no number is out of every range.
        let number = |text: &str| text.parse().unwrap_or(-1);
        let events = self.batch_max_events.as_deref().map_or(was.max_events().into(), number);
        let bytes = self.batch_max_bytes.as_deref().map_or(was.max_bytes().into(), number);
        let wait = self.batch_max_wait.as_deref();
        let wait = wait.map_or(was.max_wait(), |text| input::span(text).unwrap_or(Duration::MAX));
        let encoding =
            self.batch_encoding.as_deref().map_or(Ok(was.encoding()), Encoding::parse)?;
        Ok(Some(BatchPolicy::new(events, wait, bytes, encoding)?))
    }

    /// The requests a second; `Some(None)` for `default`.
    pub(crate) fn rate_limit(&self) -> Result<Option<Option<i32>>, Failure> {
        or_default(self.rate_limit.as_deref(), |text| endpoint::rate_limit(text.parse().ok()))
    }
}

/// In a batch all start at once; in an order each waits for the one before it.
pub(crate) fn check_batch_or_order(batched: bool, ordering: Ordering) -> Result<(), Failure> {
    Ok(endpoint::check_batch_or_order(batched, ordering)?)
}

fn or_default<T>(
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<T, InputError>,
) -> Result<Option<Option<T>>, Failure> {
    match text {
        None => Ok(None),
        Some("default") => Ok(Some(None)),
        Some(text) => Ok(Some(Some(parse(text)?))),
    }
}

/// `Name: value`. The blanks around the value are the writer's, not the value's.
fn header(line: &str) -> Result<(&str, &str), InputError> {
    let missing =
        || InputError::new("headers", "header.name", "must be written as \"Name: value\"");
    let (name, value) = line.split_once(':').ok_or_else(missing)?;
    Ok((name, value.trim_matches([' ', '\t'])))
}

fn json(field: &str, text: &str) -> Result<Value, Failure> {
    Ok(json::storable(field, &input::text(field, "json", text)?)?)
}
