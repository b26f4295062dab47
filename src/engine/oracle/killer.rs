//! The second connection, by which the first is stopped.
//!
//! To end something takes the right ALTER SYSTEM, or the procedure that `steadyhand grants` prints.

use std::time::Duration;

use super::connect::Door;
use super::errors;
use super::hear::{Fault, gather};
use super::kinds::Statement;
use super::line::Line;
use super::wire::PATIENCE;
use crate::engine::EngineError;
use crate::value::Value;

/// Made by the grants script: ends a statement or a session of steadyhand and of nobody else.
pub const HELPER: &str = "STEADYHAND_OPS.STEADYHAND_END";

/// A session, told apart from every other one that is or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    pub session: u64,
    pub serial: u64,
    pub instance: u64,
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{},@{}", self.session, self.serial, self.instance)
    }
}

impl Id {
    /// From the form in which it is displayed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let session = parts.next()?.parse().ok()?;
        let serial = parts.next()?.parse().ok()?;
        let instance = parts.next()?.strip_prefix('@')?.parse().ok()?;
        parts.next().is_none().then_some(Self { session, serial, instance })
    }

    /// As a condition on GV$SESSION, whatever it is called there.
    pub fn is(&self, of: &str) -> String {
        let Self { session, serial, instance } = self;
        format!("{of}.SID = {session} AND {of}.SERIAL# = {serial} AND {of}.INST_ID = {instance}")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Statement,
    Session,
}

impl End {
    fn sql(self, id: &Id, release: usize) -> Option<String> {
        match self {
            // The instance stands there like the parts of the text before it, with blanks.
            Self::Statement if release >= 18 => Some(format!(
                "ALTER SYSTEM CANCEL SQL '{}, {}, @{}'",
                id.session, id.serial, id.instance
            )),
            Self::Statement => None,
            Self::Session => Some(format!("ALTER SYSTEM KILL SESSION '{id}' IMMEDIATE")),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Statement => "STATEMENT",
            Self::Session => "SESSION",
        }
    }
}

#[derive(Debug)]
pub struct Killer {
    line: Option<Line>,
    door: Box<Door>,
    pub id: Id,
    release: usize,
}

impl Killer {
    pub fn new(door: Door, id: Id, release: usize) -> Self {
        Self { line: None, door: Box::new(door), id, release }
    }

    pub fn is_armed(&self) -> bool {
        self.line.is_some()
    }

    pub async fn line(&mut self) -> Result<&Line, EngineError> {
        if self.line.is_none() {
            self.line = Some(Line::open(&self.door).await?);
        }
        Ok(self.line.as_ref().expect("it was just opened"))
    }

    pub async fn run(
        &mut self,
        statement: Statement,
    ) -> Result<Result<Vec<Vec<Value>>, oracledb::Error>, EngineError> {
        let line = self.line().await?;
        match gather(line, statement, PATIENCE).await {
            Ok((rows, _)) => Ok(Ok(rows)),
            Err(Some(Fault::Driver(error))) => Ok(Err(error)),
            Err(Some(Fault::Gone) | None) => {
                self.line = None;
                Err(EngineError::Lost { message: "the second connection was lost".into() })
            }
        }
    }

    /// Whether our statement waits for a lock of somebody else, and has for this long. Where that may not
    /// be seen, the limit of the statement has to do.
    pub async fn is_blocked(&mut self, lock_wait: Duration) -> bool {
        let sql = format!(
            "SELECT COUNT(*) FROM GV$SESSION S WHERE {} AND S.BLOCKING_SESSION_STATUS = 'VALID' \
             AND S.STATE = 'WAITING' AND S.EVENT LIKE 'enq:%' AND S.WAIT_TIME_MICRO >= {}",
            self.id.is("S"),
            lock_wait.as_micros()
        );
        let found = self.run(Statement::new(sql)).await;
        matches!(found, Ok(Ok(rows)) if rows.first().is_some_and(|row| row[0] != Value::Integer(0)))
    }

    pub async fn end_own(&mut self, end: End) -> Result<(), String> {
        let id = self.id.clone();
        self.end(&id, end).await.map_err(|error| error.to_string())?
    }

    pub async fn end(&mut self, id: &Id, end: End) -> Result<Result<(), String>, EngineError> {
        let direct = end.sql(id, self.release);
        if let Some(sql) = direct {
            match self.run(Statement::new(sql)).await? {
                Ok(_) => return Ok(Ok(())),
                Err(error) if errors::is_forbidden(errors::number(&error)) => {}
                // It is gone already, or is being ended.
                Err(error) if matches!(errors::number(&error), Some(30 | 31 | 26)) => {
                    return Ok(Ok(()));
                }
                Err(error) => return Ok(Err(errors::message(&error))),
            }
        }
        let mut call = Statement::default();
        let what = call.text(end.word());
        let numbers: Vec<String> =
            [id.session, id.serial, id.instance].iter().map(u64::to_string).collect();
        call.push(&format!("BEGIN {HELPER}({what}, {}); END;", numbers.join(", ")));
        match self.run(call).await? {
            Ok(_) => Ok(Ok(())),
            Err(error) if errors::is_forbidden(errors::number(&error)) => Ok(Err(format!(
                "this account may not end it: it has neither ALTER SYSTEM nor EXECUTE on {HELPER}"
            ))),
            Err(error) => Ok(Err(errors::message(&error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Id {
        Id { session: 12, serial: 345, instance: 2 }
    }

    #[test]
    fn a_session_is_named_so_that_no_other_is_meant() {
        assert_eq!(id().to_string(), "12,345,@2");
        assert_eq!(Id::parse("12,345,@2"), Some(id()));
        assert_eq!(Id::parse("12,345"), None);
        assert_eq!(Id::parse("12,345,@2' IMMEDIATE"), None);
        assert_eq!(id().is("S"), "S.SID = 12 AND S.SERIAL# = 345 AND S.INST_ID = 2");
    }

    #[test]
    fn a_statement_is_ended_where_the_server_can_else_by_the_procedure() {
        assert_eq!(
            End::Statement.sql(&id(), 19).as_deref(),
            Some("ALTER SYSTEM CANCEL SQL '12, 345, @2'")
        );
        assert_eq!(End::Statement.sql(&id(), 12), None);
        assert_eq!(
            End::Session.sql(&id(), 12).as_deref(),
            Some("ALTER SYSTEM KILL SESSION '12,345,@2' IMMEDIATE")
        );
    }
}
