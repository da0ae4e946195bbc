//! The OpenAPI 3.1 document of this API, made of its operations, and a page to read it with.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operation::{Gives, Operation};
use super::problem::ProblemDocument;
use super::shapes;

const PREFIX: &str = "/api/v1";

/// The document.
pub(super) fn document(operations: &[Operation]) -> Value {
    let taken = SchemaSettings::draft2020_12().with(settings).for_deserialize();
    let given = SchemaSettings::draft2020_12().with(settings).for_serialize();
    let (mut taken, mut given) = (taken.into_generator(), given.into_generator());
    let problem = given.subschema_for::<ProblemDocument>();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let path = paths.entry(format!("{PREFIX}{}", operation.path)).or_insert(json!({}));
        path[operation.method.as_str().to_lowercase()] =
            described(operation, &mut taken, &mut given);
    }
    let mut schemas = taken.take_definitions(true);
    schemas.append(&mut given.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postrider", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Publishes events, configures where they are sent, shows what became of them and sends them again.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer", "description": "A key of postrider api-keys create" } },
            "responses": {
                "Problem": {
                    "description": "What went wrong (RFC 9457)",
                    "headers": { "x-request-id": { "schema": { "type": "string" } } },
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
        },
    })
}

fn settings(settings: &mut SchemaSettings) {
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
}

fn described(
    operation: &Operation,
    taken: &mut SchemaGenerator,
    given: &mut SchemaGenerator,
) -> Value {
    let mut answers: Map<String, Value> = operation
        .gives
        .iter()
        .map(|gives| (gives.status.to_string(), answer(gives, given)))
        .collect();
    answers.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    let mut described = json!({
        "operationId": operation.id, "summary": operation.summary, "tags": [tag(operation.path)], "parameters": parameters(operation),
        "responses": answers, "x-scope": operation.need.scope.as_str(),
    });
    if operation.need.admin {
        described["description"] = "Needs an admin key.".into();
    }
    if let Some(takes) = &operation.takes {
        let schema = (takes.schema)(taken);
        described["requestBody"] = json!({ "required": takes.required, "content": { "application/json": { "schema": schema } } });
    }
    described
}

/// The noun that a path begins with.
fn tag(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

fn answer(gives: &Gives, given: &mut SchemaGenerator) -> Value {
    let schema = (gives.schema)(given);
    if gives.status == 204 {
        return json!({ "description": gives.says });
    }
    json!({
        "description": gives.says,
        "headers": { "x-request-id": { "schema": { "type": "string" } } },
        "content": { "application/json": { "schema": schema } },
    })
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let placeholders = operation.path.split(['{', '}']).skip(1).step_by(2);
    let of_path = placeholders.map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": shapes::of_path(name) })
    });
    let of_query = operation.params.iter().map(|param| {
        json!({
            "name": param.name, "in": "query", "required": param.required, "description": param.says, "schema": param.schema,
        })
    });
    of_path.chain(of_query).collect()
}

/// RapiDoc, gzipped; see viewer/README.md.
const VIEWER: &[u8] = include_bytes!("../../viewer/rapidoc-min.js.gz");
/// It asks nobody but this listener.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Postrider API</title>
<script src="/docs/viewer.js"></script>
</head>
<body>
<rapi-doc spec-url="/openapi.json" load-fonts="false" render-style="read" schema-style="table" show-header="false" allow-server-selection="false" persist-auth="false"></rapi-doc>
</body>
</html>
"#;
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The page that shows the document.
pub(super) async fn page() -> Response {
    let mut response = PAGE.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// What the page runs.
pub(super) async fn viewer() -> Response {
    let mut response = VIEWER.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    response
}
