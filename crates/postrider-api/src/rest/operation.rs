//! What can be asked: each operation with its handler, what it needs, what it takes and what it gives. The router and the OpenAPI document
//! are both made of these, so the one cannot say what the other does not do.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use postrider_core::api_key::Scope;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::Api;
use super::caller::Caller;
use super::problem::Problem;

/// One thing that can be asked.
pub(super) struct Operation {
    pub(super) method: Method,
    /// Under `/api/v1`.
    pub(super) path: &'static str,
    /// Its name in the document, and in clients made of it.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) need: Need,
    pub(super) params: Vec<Param>,
    pub(super) takes: Option<Takes>,
    pub(super) gives: Vec<Gives>,
    route: MethodRouter<Api>,
}

/// What a key has to allow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    pub(super) scope: Scope,
    /// Whether it must be an admin's.
    pub(super) admin: bool,
}

/// A parameter of the query.
#[derive(Debug, Clone)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) says: &'static str,
    pub(super) schema: Value,
    pub(super) required: bool,
}

/// The body of a request.
pub(super) struct Takes {
    pub(super) schema: SchemaOf,
    /// Else it may be left out.
    pub(super) required: bool,
}

/// One answer that is no problem.
pub(super) struct Gives {
    pub(super) status: u16,
    pub(super) says: &'static str,
    pub(super) schema: SchemaOf,
}

/// Makes the schema of a type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

impl Operation {
    /// An operation that needs the scope `read`, until something else is said.
    pub(super) fn new<H, T>(
        (method, path): (Method, &'static str),
        id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a method of HTTP/1.1");
        let need = Need { scope: Scope::Read, admin: false };
        let route = on(filter, handler);
        let (params, takes, gives) = (Vec::new(), None, Vec::new());
        Self { method, path, id, summary, need, params, takes, gives, route }
    }

    pub(super) fn needs(mut self, scope: Scope) -> Self {
        self.need.scope = scope;
        self
    }

    pub(super) fn for_admins(mut self) -> Self {
        self.need.admin = true;
        self
    }

    pub(super) fn params<const N: usize>(mut self, params: [Param; N]) -> Self {
        self.params.extend(params);
        self
    }

    /// Where a list begins and how long it is.
    pub(super) fn paged(self) -> Self {
        self.params([
            param(
                "limit",
                "How many at most",
                json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 }),
            ),
            param(
                "cursor",
                "The next_cursor of the page before, with the same other parameters",
                text(),
            ),
        ])
    }

    pub(super) fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Some(Takes { schema: schema_of::<T>, required: true });
        self
    }

    pub(super) fn may_take<T: JsonSchema>(mut self) -> Self {
        self.takes = Some(Takes { schema: schema_of::<T>, required: false });
        self
    }

    pub(super) fn gives<T: JsonSchema>(mut self, status: u16, says: &'static str) -> Self {
        self.gives.push(Gives { status, says, schema: schema_of::<T> });
        self
    }
}

/// A parameter that may be left out.
pub(super) fn param(name: &'static str, says: &'static str, schema: Value) -> Param {
    Param { name, says, schema, required: false }
}

/// Of an admin's: one tenant's things alone.
pub(super) fn tenant_param() -> Param {
    param(
        "tenant_id",
        "Only of this tenant; a tenant's key sees only its own anyway",
        super::shapes::tenant(),
    )
}

/// The schema of a text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// The schema of a time.
pub(super) fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// What answers the operations. Whoever asks without the scope an operation needs is refused before its handler sees anything.
pub(super) fn router(operations: Vec<Operation>) -> Router<Api> {
    operations.into_iter().fold(Router::new(), |router, operation| {
        let need = operation.need;
        let look = move |caller: Caller, request: Request, next: Next| async move {
            caller.need(need)?;
            Ok::<_, Problem>(next.run(request).await)
        };
        router.route(operation.path, operation.route.route_layer(middleware::from_fn(look)))
    })
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
