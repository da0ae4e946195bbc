//! How much one caller may ask: so many requests a second, told in every answer as draft-ietf-httpapi-ratelimit-headers has it.

use std::num::NonZeroU32;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderName, HeaderValue, StatusCode};

use super::Api;
use super::caller::Caller;
use super::problem::Problem;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// What each caller has left. Only those with a key that is one are in it, so there are no more than keys.
pub(super) struct Rate {
    per_second: NonZeroU32,
    limiter:
        RateLimiter<String, HashMapStateStore<String>, DefaultClock, StateInformationMiddleware>,
    clock: DefaultClock,
}

impl Rate {
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        let limiter = RateLimiter::hashmap(Quota::per_second(per_second)).with_middleware();
        Self { per_second, limiter, clock: DefaultClock::default() }
    }

    /// Takes one request from what a caller has left; how many more it may make at once, or in how many seconds it may again.
    fn take(&self, actor: &String) -> Result<u32, u16> {
        match self.limiter.check_key(actor) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(not_until) => {
                let wait = not_until.wait_time_from(self.clock.now()).as_secs().saturating_add(1);
                Err(u16::try_from(wait).unwrap_or(u16::MAX))
            }
        }
    }
}

impl std::fmt::Debug for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rate").field("per_second", &self.per_second).finish_non_exhaustive()
    }
}

pub(super) async fn limit(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>() else {
        return Problem::unauthorized("who asks is not known").into_response();
    };
    let rate = api.rate();
    let taken = rate.take(&caller.actor);
    let (mut response, left) = match taken {
        Ok(left) => (next.run(request).await, left),
        Err(seconds) => {
            let detail = format!("more than {} requests a second", rate.per_second);
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
            (problem.again_after(seconds).into_response(), 0)
        }
    };
    let headers = response.headers_mut();
    let policy = format!("\"key\";q={};w=1", rate.per_second);
    for (name, text) in [(POLICY, policy), (LEFT, format!("\"key\";r={left};t=1"))] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    response
}
