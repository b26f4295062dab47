//! What follows from an error, told apart by the server's number; the words are the server's own.

use std::time::Duration;

use sqlx::mysql::MySqlDatabaseError;

use crate::engine::EngineError;

/// One statement was read, of a kind that the server does not prepare.
pub const NOT_PREPARED: u16 = 1295;

/// Why we ended a statement ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Stopped,
    TimedOut(Duration),
    /// Whoever reads had enough rows.
    Enough,
}

impl Cause {
    fn error(self) -> EngineError {
        match self {
            Self::Stopped | Self::Enough => EngineError::Stopped,
            Self::TimedOut(limit) => EngineError::TimedOut { limit },
        }
    }
}

pub fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

/// The database's own words, without the driver's.
pub fn message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

pub fn judge(
    error: &sqlx::Error,
    cause: Option<Cause>,
    limit: Duration,
    lock_wait: Duration,
) -> EngineError {
    let message = message(error);
    let Some(number) = number(error) else {
        return match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => {
                EngineError::Database { message }
            }
            _ => EngineError::Lost { message },
        };
    };
    let state = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match number {
        1317 => cause.map_or_else(
            || EngineError::Database { message: "another session interrupted it".into() },
            Cause::error,
        ),
        1969 | 3024 => EngineError::TimedOut { limit },
        1205 | 3572 => EngineError::Locked { waited: lock_wait },
        // 1020: a row changed since the snapshot, where the server looks for that.
        1213 | 1020 => EngineError::Conflict { message },
        1290 if message.contains("read-only") || message.contains("read_only") => {
            EngineError::ReadOnly { message }
        }
        1792 | 1836 => EngineError::ReadOnly { message },
        // Duplicates, references, checks, values that do not fit, and what triggers raise.
        1022 | 1048 | 1062 | 1169 | 1216 | 1217 | 1264 | 1265 | 1292 | 1364 | 1366 | 1406
        | 1451 | 1452 | 1557 | 1586 | 1644 | 1761 | 1762 | 3819 | 4025 => {
            EngineError::Rejected { message }
        }
        _ if state.as_deref() == Some("45000") => EngineError::Rejected { message },
        1053 | 1080 | 1152 | 1158..=1161 | 1184 | 1927 | 2006 | 2013 | 3169 | 4031 => {
            EngineError::Lost { message }
        }
        _ => EngineError::Database { message },
    }
}

/// Why no connection was made, and what to do.
pub fn unreachable(error: &sqlx::Error, what: String) -> EngineError {
    let said = message(error);
    let why = match number(error) {
        Some(1040 | 1203 | 1226) => format!(
            "{said}; every connection is taken. Free some, or use the account that the server \
             keeps one for"
        ),
        Some(1045 | 1698) => format!(
            "{said}; check user and password, and whether the account wants TLS (ssl-mode=REQUIRED) \
             or a certificate"
        ),
        Some(1044) => format!("{said}; the account has no right on this database"),
        Some(_) => said,
        None => match error {
            sqlx::Error::Io(error) => match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such socket".into(),
                std::io::ErrorKind::ConnectionRefused => format!("{said}; nothing listens there"),
                std::io::ErrorKind::UnexpectedEof => "the server closed it".into(),
                _ => said,
            },
            sqlx::Error::Tls(error) if error.to_string().contains("UnknownIssuer") => {
                format!("TLS: {error}; name the authority that signed it with ssl-ca")
            }
            sqlx::Error::Tls(error) => format!("TLS: {error}"),
            _ if said.contains("unknown authentication plugin") => {
                "the account logs in by a way that is not spoken here, such as ed25519; one with \
                 mysql_native_password, caching_sha2_password, unix_socket or a certificate will do"
                    .into()
            }
            _ => said,
        },
    };
    match number(error) {
        Some(1045 | 1698) => EngineError::Denied { what, why },
        _ => EngineError::Connect { what, why },
    }
}
