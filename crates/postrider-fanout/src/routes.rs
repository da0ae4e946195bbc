//! The compiled endpoints of each tenant, kept for exactly one routing version.
//!
//! A claim reads the tenants' versions in its own snapshot, so an entry of that version cannot be stale; any other is
//! read again inside the claiming transaction.

use std::collections::HashMap;
use std::sync::Arc;

use postrider_core::batch::BatchManner;
use postrider_core::filter::{Routes, Subscription};
use postrider_core::ids::EndpointId;
use postrider_core::ordering::Ordering;
use postrider_store::StoreError;
use postrider_store::endpoints::TenantRoutes;
use postrider_store::events::Claim;
use tracing::warn;

/// How many tenants are kept; beyond that the cache starts anew, which costs one read a tenant.
const MAX_TENANTS: usize = 100_000;

/// Where an event may go, and whether in order or in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) endpoint: EndpointId,
    pub(crate) ordering: Ordering,
    pub(crate) batched: bool,
    /// How its batches are made, where this binary can make them.
    pub(crate) manner: Option<BatchManner>,
}

/// Compiled endpoints by tenant.
#[derive(Default)]
pub(crate) struct RouteCache {
    tenants: HashMap<String, Cached>,
}

struct Cached {
    version: i64,
    routes: Arc<Routes<Route>>,
}

impl RouteCache {
    /// The tenant's compiled endpoints of at least `version`, the one the claim saw.
    pub(crate) async fn get(
        &mut self,
        claim: &Claim,
        tenant: &str,
        version: i64,
    ) -> Result<Arc<Routes<Route>>, StoreError> {
        if let Some(cached) = self.tenants.get(tenant)
            && cached.version >= version
        {
            return Ok(Arc::clone(&cached.routes));
        }
        let read = claim.routes(tenant).await?;
        if self.tenants.len() >= MAX_TENANTS {
            self.tenants.clear();
        }
        let routes = Arc::new(compile(&read));
        self.tenants.insert(
            tenant.to_owned(),
            Cached { version: read.version, routes: Arc::clone(&routes) },
        );
        Ok(routes)
    }
}

/// An endpoint whose stored filter does not compile (it was checked when stored, by an older or newer version of us)
/// matches nothing and is named in the log, rather than stopping its tenant.
fn compile(read: &TenantRoutes) -> Routes<Route> {
    let mut entries = Vec::with_capacity(read.routes.len());
    for route in &read.routes {
        match Subscription::compile(&route.event_types, route.filter.as_ref()) {
            Ok(subscription) => {
                let known = Route {
                    endpoint: route.endpoint,
                    ordering: route.ordering,
                    batched: route.batched,
                    manner: route.manner,
                };
                entries.push((known, subscription));
            }
            Err(error) => {
                warn!(endpoint.id = %route.endpoint, %error, "endpoint {} matches nothing: its filter cannot be compiled", route.endpoint);
            }
        }
    }
    Routes::new(entries)
}
