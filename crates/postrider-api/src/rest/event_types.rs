//! `/event-types`: the catalog, the same for all tenants. Whoever has a key reads it, admins change it.

use axum::extract::Path;
use axum::response::{IntoResponse, Json, Response};
use http::{Method, StatusCode};
use postrider_core::api_key::Scope;
use postrider_core::event_type::{Catalog, Change, Declaration, Named, Refused};
use postrider_event::EventType;
use postrider_store::admin::event_types;
use serde_json::json;

use super::body::{Body, parse};
use super::caller::Caller;
use super::cursor::List;
use super::event_type_body::{
    Deleted, EventTypeDocument, Import, Imported, NewEventType, Planned, Summary, document, summary,
};
use super::operation::{Operation, param};
use super::params::Params;
use super::problem::{FieldError, Problem};
use super::shapes::Page;

pub(super) fn operations() -> Vec<Operation> {
    let flag = || json!({ "type": "boolean" });
    vec![
        Operation::new(
            (Method::GET, "/event-types"),
            "list_event_types",
            "Event types by name, without their schemas and examples",
            list,
        )
        .params([param(
            "declared",
            "Those that somebody declared, or those that were only met",
            flag(),
        )])
        .paged()
        .gives::<Page<Summary>>(200, "One page"),
        Operation::new(
            (Method::GET, "/event-types/{event_type}"),
            "get_event_type",
            "An event type with its schema and example",
            show,
        )
        .gives::<EventTypeDocument>(200, "The type"),
        Operation::new(
            (Method::PUT, "/event-types"),
            "import_event_types",
            "Declares many types, all or none; what is not named stays as it is",
            import,
        )
        .needs(Scope::Write)
        .for_admins()
        .params([param("dry_run", "Only say what would change", flag())])
        .takes::<Import>()
        .gives::<Imported>(200, "What it changed, or would"),
        Operation::new(
            (Method::PUT, "/event-types/{event_type}"),
            "put_event_type",
            "Declares a type, or says something else of it",
            put,
        )
        .needs(Scope::Write)
        .for_admins()
        .takes::<NewEventType>()
        .gives::<EventTypeDocument>(200, "The type as it is now")
        .gives::<EventTypeDocument>(201, "It was not declared before"),
        Operation::new(
            (Method::DELETE, "/event-types/{event_type}"),
            "delete_event_type",
            "Removes a type from the catalog",
            delete,
        )
        .needs(Scope::Write)
        .for_admins()
        .gives::<Deleted>(200, "It is gone"),
    ]
}

async fn list(caller: Caller, mut params: Params) -> Result<Json<Page<Summary>>, Problem> {
    let declared = params.parsed::<bool>("declared", "true or false")?;
    let (limit, cursor) = (params.limit()?, params.text("cursor"));
    params.end()?;
    let list = List::of("event_types", &json!([declared]));
    let after = list.key::<String>(cursor.as_deref())?;
    // Whoever makes a cursor up can put anything into it.
    after.clone().map_or(Ok(()), |name| EventType::parse(name).map(drop))?;
    let found = event_types::list(&caller.db, declared, after.as_deref(), limit).await?;
    let last = found.last().map(|info| info.name.clone());
    Ok(Json(list.page(found.into_iter().map(summary).collect(), last, limit)))
}

async fn show(
    caller: Caller,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<EventTypeDocument>, Problem> {
    params.end()?;
    let name = named(&name)?;
    let found = event_types::find(&caller.db, name.as_str()).await?;
    Ok(Json(document(found.ok_or_else(missing)?)?))
}

async fn import(
    caller: Caller,
    mut params: Params,
    Body(body): Body,
) -> Result<Json<Imported>, Problem> {
    let dry_run = params.parsed("dry_run", "true or false")?.unwrap_or(false);
    params.end()?;
    let given: Import = parse(&body)?;
    let wanted = Catalog { event_types: given.event_types.into_iter().map(Named::from).collect() };
    let wanted = wanted.judge().map_err(refused)?;
    let changes = match dry_run {
        true => event_types::plan(&caller.db, &wanted).await?,
        false => event_types::put(&caller.db, &wanted).await?,
    };
    let count = |wanted: Change| changes.iter().filter(|change| **change == wanted).count();
    let data = wanted.iter().zip(&changes);
    Ok(Json(Imported {
        dry_run,
        added: count(Change::Added),
        changed: count(Change::Changed),
        unchanged: count(Change::Unchanged),
        data: data
            .map(|(wanted, change)| Planned {
                name: wanted.name().to_owned(),
                change: change.as_str(),
            })
            .collect(),
    }))
}

async fn put(
    caller: Caller,
    Path(name): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    params.end()?;
    let new: NewEventType = parse(&body)?;
    let NewEventType { description, example, schema, schema_check } = new;
    let wanted = Declaration::judge(&Named { name, description, example, schema, schema_check })
        .map_err(refused)?;
    let change = event_types::put(&caller.db, std::slice::from_ref(&wanted)).await?;
    let found = event_types::find(&caller.db, wanted.name()).await?;
    let document = document(found.ok_or_else(missing)?)?;
    let status = match change.first() {
        Some(Change::Added) => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    Ok((status, Json(document)).into_response())
}

async fn delete(
    caller: Caller,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<Deleted>, Problem> {
    params.end()?;
    let name = named(&name)?.as_str().to_owned();
    match event_types::remove(&caller.db, &name).await? {
        true => Ok(Json(Deleted { name, deleted: true })),
        false => Err(missing()),
    }
}

/// A name that could be one.
fn named(text: &str) -> Result<EventType, Problem> {
    EventType::parse(text).map_err(|_| missing())
}

fn missing() -> Problem {
    Problem::not_found("event type", "there is no such event type")
}

fn refused(errors: Vec<Refused>) -> Problem {
    let errors = errors.into_iter().map(|error| FieldError {
        pointer: error.pointer,
        code: error.code,
        detail: error.detail,
    });
    Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, errors.take(20).collect())
}
