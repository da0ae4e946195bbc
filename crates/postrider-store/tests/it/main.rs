//! The schema and every statement, against a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod catalog;
mod connecting;
mod migrating;
mod plans;
mod roles;
mod schema;
mod sealing;
mod views;
mod wall;
