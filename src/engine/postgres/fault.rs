//! What the server's errors mean, told apart by their code and never by their words.

use std::time::Duration;

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::stop::Failure;
use crate::engine::{EngineError, Stopper};

pub fn judge(failure: &Failure, stopper: &Stopper, lock_wait: Duration) -> EngineError {
    match failure {
        Failure::Said { error, limit } => said(error, *limit, stopper, lock_wait),
        Failure::Deaf { why } => EngineError::Lost { message: why.clone() },
    }
}

fn said(
    error: &sqlx::Error,
    limit: Duration,
    stopper: &Stopper,
    lock_wait: Duration,
) -> EngineError {
    let Some(said) = server(error) else {
        return match error {
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                EngineError::Database { message: "it sent something that could not be read".into() }
            }
            _ => EngineError::Lost { message: transport(error) },
        };
    };
    let message = words(said);
    match said.code() {
        "57014" if stopper.is_stopped() => EngineError::Stopped,
        "57014" => EngineError::TimedOut { limit },
        "55P03" => EngineError::Locked { waited: lock_wait },
        "40001" | "40P01" => EngineError::Conflict { message },
        "25006" => EngineError::ReadOnly { message },
        "42501" => EngineError::Database { message: forbidden(said, message) },
        "25P02" => EngineError::Database {
            message: "the transaction has failed before and can only be rolled back".into(),
        },
        // Sent with the end of the session.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => EngineError::Lost { message },
        "P0001" | "P0004" | "44000" => EngineError::Rejected { message },
        code if code.starts_with("23") => EngineError::Rejected { message },
        code if code.starts_with("08") => EngineError::Lost { message },
        _ => EngineError::Database { message },
    }
}

/// What the server said, if it was the server.
pub fn server(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

/// The server's message with what it says besides: constraint, detail, hint, place.
pub fn words(said: &PgDatabaseError) -> String {
    let mut text = said.message().to_owned();
    if let Some(name) = said.constraint().filter(|name| !text.contains(*name)) {
        text.push_str(&format!(" [{name}]"));
    }
    if let Some(detail) = said.detail() {
        text.push_str(&format!("; {}", detail.trim_end_matches('.')));
    }
    if let Some(hint) = said.hint() {
        text.push_str(&format!("; hint: {}", hint.trim_end_matches('.')));
    }
    if let Some(PgErrorPosition::Original(place)) = said.position() {
        text.push_str(&format!(" (at character {place})"));
    }
    text
}

/// A right is missing: which one, as far as the server says it.
fn forbidden(said: &PgDatabaseError, message: String) -> String {
    let text = said.message();
    if text.contains("row-level security") {
        return format!(
            "{message}: this role sees only a part of the rows; it needs BYPASSRLS, or a policy that shows all"
        );
    }
    let Some(rest) = text.strip_prefix("permission denied for ") else { return message };
    match rest.split_once(' ') {
        Some(("table" | "view" | "materialized", name)) => {
            format!("{message}: its owner must GRANT the right on {name} to this role")
        }
        Some(("schema", name)) => format!("{message}: GRANT USAGE ON SCHEMA {name} is missing"),
        Some(("sequence", name)) => format!("{message}: GRANT USAGE ON SEQUENCE {name} is missing"),
        Some(("function", name)) => {
            format!("{message}: GRANT EXECUTE ON FUNCTION {name} is missing")
        }
        _ => message,
    }
}

/// What happened on the wire, without the driver's own prefixes and debug forms.
pub fn transport(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the server closed it".into()
        }
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => format!("TLS: {error}"),
        sqlx::Error::Protocol(why) => why.clone(),
        _ => "the driver gave up".into(),
    }
}
