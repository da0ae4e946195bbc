//! The bare loop: what the HTTP client and the sink can do together when nothing else is done.
//!
//! A process of its own on one thread. One request is built and signed as the product does it, and then sent over and
//! over through the product's own client: the same bytes on the wire, without signing, database or decisions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use postrider_core::address::AddressPolicy;
use postrider_core::headers::CustomHeaders;
use postrider_core::signing::{Secret, Signer};
use postrider_core::url::{EndpointUrl, UrlPolicy};
use postrider_destinations::{
    Capture, Client, ClientConfig, EndpointTarget, OutgoingRequest, Webhook, webhook_request,
};
use tokio::task::JoinSet;

use crate::args::Bare;
use crate::events;

const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// Sends all requests; fails at the first that is not answered with success.
pub(crate) fn run(bare: &Bare) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(post(bare))
}

async fn post(bare: &Bare) -> Result<()> {
    let addresses = AddressPolicy::with_loopback();
    let request = Arc::new(request(&bare.url, &addresses)?);
    let config = ClientConfig { addresses, ..ClientConfig::default() };
    let client = Arc::new(Client::new(config).context("making the client")?);
    let left = Arc::new(AtomicU64::new(bare.requests));
    let mut loops = JoinSet::new();
    for _ in 0..bare.in_flight {
        let (client, request, left) =
            (Arc::clone(&client), Arc::clone(&request), Arc::clone(&left));
        loops.spawn(async move {
            while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                let answer = client.send(OutgoingRequest::clone(&request), ATTEMPT_TIMEOUT).await;
                if !answer.is_success() {
                    bail!("the sink answered {answer:?}");
                }
            }
            Ok(())
        });
    }
    while let Some(ended) = loops.join_next().await {
        ended.context("a loop broke")??;
    }
    Ok(())
}

fn request(url: &str, addresses: &AddressPolicy) -> Result<OutgoingRequest> {
    let policy = UrlPolicy { allow_http: true, addresses };
    let url =
        EndpointUrl::parse(url, policy).map_err(|error| anyhow!("the URL of the sink: {error}"))?;
    let target = EndpointTarget::new(&url, &CustomHeaders::default(), Capture::Failures)
        .map_err(|class| anyhow!("the URL of the sink: {}", class.as_str()))?;
    let signer = Signer::new(&[Secret::generate(&[7; 32])]);
    let webhook = Webhook {
        event_id: events::SAMPLE_ID,
        timestamp: 1_700_000_000,
        attempt: 1,
        traceparent: None,
        envelope: Bytes::from(events::sample_envelope()),
    };
    webhook_request(&target, &signer, webhook)
        .map_err(|class| anyhow!("building the request: {}", class.as_str()))
}
