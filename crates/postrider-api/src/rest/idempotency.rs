//! `Idempotency-Key` on a POST: the first request is carried out, and whoever sends the same again within a day gets its answer.
//! By the IETF draft of that header: 400 for a key that is none, 409 while the first is under way, 422 where the key came with another request.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use postrider_store::StoreError;
use postrider_store::admin::idempotency::{self, Answer, Claim, Claimed, Digest};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::caller::Caller;
use super::problem::Problem;
use super::request::RequestId;
use super::{Api, body};

/// The largest answer that is kept.
const MOST_ANSWER: usize = 1 << 20;
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(super) async fn once(State(api): State<Api>, request: Request, next: Next) -> Response {
    let key = match (request.method(), request.headers().get(KEY)) {
        (&Method::POST, Some(key)) => key.clone(),
        _ => return next.run(request).await,
    };
    match carry_out(&api, &key, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn carry_out(
    api: &Api,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let visible = |text: &str| (1..=255).contains(&text.len());
    let key = key.to_str().ok().filter(|text| visible(text)).ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "idempotency_key.syntax",
            "must be 1 to 255 visible characters",
        )
    })?;
    let (parts, body) = request.into_parts();
    let body = body::read(body).await?;
    let actor = parts.extensions.get::<Caller>().map_or("", |caller| caller.actor.as_str());
    let id = digest(&[actor, parts.uri.path(), key].map(str::as_bytes));
    let asked = digest(&[parts.uri.query().unwrap_or_default().as_bytes(), &body]);
    let claim = match idempotency::claim(api.db(), &id, &asked).await? {
        Claimed::First(claim) => claim,
        Claimed::Again(answer) => return again(api, &id, answer),
        Claimed::UnderWay => {
            let detail = "the same request is being answered";
            return Err(Problem::conflict("idempotency_key.under_way", detail).again_after(1));
        }
        Claimed::Other => {
            return Err(Problem::field(
                "",
                "idempotency_key.reused",
                "the key came with another request before",
            ));
        }
    };
    // Carried out to its end and kept, also if who asked has gone: then the same is asked again.
    let (api, request) = (api.clone(), Request::from_parts(parts, Body::from(body)));
    let carried_out =
        RequestId::scoped(async move { keep(&api, &id, &claim, next.run(request).await).await });
    #[expect(
        clippy::disallowed_methods,
        reason = "it outlives the connection, and ends with its request"
    )]
    let task = tokio::spawn(carried_out);
    task.await.unwrap_or_else(|_| {
        let detail = "the log of the daemon says why, under this request_id";
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail))
    })
}

/// Keeps an answer that would be the same again, and frees the key of any other.
async fn keep(
    api: &Api,
    id: &Digest,
    claim: &Claim,
    response: Response,
) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let lasting = !parts.status.is_server_error()
        // What is to be asked again is carried out again.
        && !parts.headers.contains_key(RETRY_AFTER)
        && body.len() <= MOST_ANSWER;
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kept: Result<(), StoreError> = if lasting {
        let answer = Answer {
            status: parts.status.as_u16(),
            content_type: content_type.unwrap_or_default().to_owned(),
            // It may hold a secret that is shown once.
            body: api.keys().seal(&body, &aad(id), rand::random()),
        };
        idempotency::answer(api.db(), id, claim, &answer).await
    } else {
        idempotency::forget(api.db(), id, claim).await
    };
    if let Err(failure) = kept {
        // What was asked is done. The key is taken for three minutes; after it the same request is carried out again.
        warn!(error = %failure, "an answer could not be kept for its idempotency key: {failure}");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn again(api: &Api, id: &Digest, answer: Answer) -> Result<Response, Problem> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let body = api.keys().open(&answer.body, &aad(id)).map_err(|_| {
        let detail = "the answer was sealed with a master key that is gone; what was asked is done";
        Problem::conflict("idempotency_key.sealed", detail)
    })?;
    let mut response = (status, body.to_vec()).into_response();
    let content_type = HeaderValue::from_str(&answer.content_type);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/json")));
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// The place that a sealed answer belongs to.
fn aad(id: &Digest) -> Vec<u8> {
    [b"idempotency:".as_slice(), id].concat()
}

/// SHA-256 over the parts, each preceded by its length.
fn digest(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
