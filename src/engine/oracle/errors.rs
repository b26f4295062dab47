//! What follows from an error, told apart by the server's number; the words are the server's own.

use std::time::Duration;

use oracledb::{Error, ErrorKind};

use crate::engine::EngineError;

/// Why we ended a statement ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Stopped,
    TimedOut(Duration),
    /// Somebody else holds a row that it wants.
    Blocked(Duration),
    /// Whoever reads had enough rows.
    Enough,
}

impl Cause {
    pub fn error(self) -> EngineError {
        match self {
            Self::Stopped | Self::Enough => EngineError::Stopped,
            Self::TimedOut(limit) => EngineError::TimedOut { limit },
            Self::Blocked(waited) => EngineError::Locked { waited },
        }
    }
}

/// The number of an error of the server, as in ORA-00942.
pub fn number(error: &Error) -> Option<usize> {
    match error.kind() {
        ErrorKind::DbError(error) => Some(error.code()),
        _ => None,
    }
}

/// Whether this account lacks the right, or may not even know that there is such a thing.
pub fn is_forbidden(number: Option<usize>) -> bool {
    matches!(number, Some(942 | 1031 | 4043 | 6550 | 41900))
}

/// The server's words on one line, without the advice where to read on.
pub fn message(error: &Error) -> String {
    let text = match error.kind() {
        ErrorKind::DbError(error) => error.message().to_owned(),
        _ => error.to_string(),
    };
    one_line(&text)
}

fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let kept = lines.filter(|line| !line.is_empty() && !line.starts_with("Help: https://"));
    kept.collect::<Vec<_>>().join("; ")
}

pub fn judge(
    error: &Error,
    cause: Option<Cause>,
    limit: Duration,
    lock_wait: Duration,
) -> EngineError {
    let message = message(error);
    match error.kind() {
        ErrorKind::DbError(error) => of_server(error.code(), message, cause, limit, lock_wait),
        ErrorKind::CallTimeoutExceeded => {
            cause.map_or(EngineError::TimedOut { limit }, Cause::error)
        }
        ErrorKind::DeadConnection
        | ErrorKind::LockPoisoned
        | ErrorKind::NotConnected
        | ErrorKind::StreamOperation
        | ErrorKind::TlsOperation
        | ErrorKind::UnableToRecover
        | ErrorKind::UnexpectedResult
        | ErrorKind::OutOfData
        | ErrorKind::UnknownTtcMessageType(..) => EngineError::Lost { message },
        _ => EngineError::Database { message },
    }
}

fn of_server(
    number: usize,
    message: String,
    cause: Option<Cause>,
    limit: Duration,
    lock_wait: Duration,
) -> EngineError {
    match number {
        1013 => cause.map_or_else(
            || EngineError::Database { message: "another session interrupted it".into() },
            Cause::error,
        ),
        // Limits of profiles and of the resource manager.
        40 | 56735 => EngineError::TimedOut { limit },
        54 | 4021 | 30006 => EngineError::Locked { waited: lock_wait },
        // Deadlock, serialisation, undo that is gone, a definition newer than the snapshot.
        60 | 1466 | 1555 | 8176 | 8177 => EngineError::Conflict { message },
        1456 | 12081 | 16000 | 16003 | 28194 => EngineError::ReadOnly { message },
        // Keys, NULL, checks, references, values that do not fit, what triggers raise, and a COMMIT
        // that deferred constraints turned into a rollback.
        1
        | 1400
        | 1401
        | 1407
        | 1438
        | 1722
        | 1840..=1863
        | 2091
        | 2290..=2293
        | 2298
        | 2299
        | 12899
        | 12983
        | 20000..=20999
        | 32795 => EngineError::Rejected { message },
        28
        | 600
        | 603
        | 1012
        | 1033
        | 1034
        | 1041
        | 1089
        | 1090
        | 1092
        | 2396
        | 2399
        | 3113
        | 3114
        | 3135
        | 3136
        | 7445
        | 12153
        | 12537
        | 12547
        | 12570
        | 12571
        | 12583
        | 25401..=25409 => EngineError::Lost { message },
        _ => EngineError::Database { message },
    }
}

/// Why no connection was made, and what to do.
pub fn unreachable(error: &Error, what: String) -> EngineError {
    let said = message(error);
    let why = match number(error) {
        Some(1017) => format!("{said}; check user and password"),
        Some(1005) => format!("{said}; the target needs a password_command"),
        Some(1045) => format!("{said}; the account needs CREATE SESSION"),
        Some(28000) => format!("{said}; a DBA must unlock it"),
        Some(28001) => format!("{said}; set a new one with another client"),
        Some(18 | 20) => format!("{said}; every session is taken"),
        _ => match error.kind() {
            ErrorKind::InvalidServiceName(_, service, host, port) => {
                format!("the listener at {host}:{port} knows no service {service}")
            }
            ErrorKind::ListenerRefusedConnection(_, host, port, number) => {
                format!("the listener at {host}:{port} refuses with TNS-{number:05}")
            }
            _ => said,
        },
    };
    match number(error) {
        Some(1017) => EngineError::Denied { what, why },
        _ => EngineError::Connect { what, why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(number: usize, cause: Option<Cause>) -> EngineError {
        let second = Duration::from_secs(1);
        of_server(number, "as the server says".into(), cause, second, second)
    }

    #[test]
    fn errors_are_told_apart_by_what_follows_from_them() {
        assert!(matches!(judged(1, None), EngineError::Rejected { .. }));
        assert!(matches!(judged(20001, None), EngineError::Rejected { .. }));
        assert!(matches!(judged(2292, None), EngineError::Rejected { .. }));
        assert!(matches!(judged(60, None), EngineError::Conflict { .. }));
        assert!(matches!(judged(8177, None), EngineError::Conflict { .. }));
        assert!(matches!(judged(30006, None), EngineError::Locked { .. }));
        assert!(matches!(judged(1456, None), EngineError::ReadOnly { .. }));
        assert!(matches!(judged(3113, None), EngineError::Lost { .. }));
        assert!(matches!(judged(942, None), EngineError::Database { .. }));
    }

    #[test]
    fn an_interruption_is_what_we_meant_by_it() {
        let limit = Duration::from_secs(3);
        assert_eq!(judged(1013, Some(Cause::Stopped)), EngineError::Stopped);
        assert_eq!(judged(1013, Some(Cause::TimedOut(limit))), EngineError::TimedOut { limit });
        assert_eq!(
            judged(1013, Some(Cause::Blocked(limit))),
            EngineError::Locked { waited: limit }
        );
        assert!(matches!(judged(1013, None), EngineError::Database { .. }));
    }

    #[test]
    fn a_message_is_one_line_without_advice() {
        let text =
            "ORA-20001: no\nORA-06512: at \"ERP.T\", line 3\nHelp: https://docs.oracle.com/x\n";
        assert_eq!(one_line(text), "ORA-20001: no; ORA-06512: at \"ERP.T\", line 3");
    }
}
