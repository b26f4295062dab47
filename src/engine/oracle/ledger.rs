//! The ledger, and what became of an operation whose end nobody heard.
//!
//! One row an operation, in the operation's own transaction: its key is the evidence. Whoever asks later
//! tries to add the same row and takes it back: if the key is taken, the operation was committed; if the
//! row goes in, it was not, and cannot be any more; if the server makes it wait, the old transaction is
//! still open. No right beyond those of the operation is needed for that.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::OnceLock;
use std::time::Duration;

use super::connect::MODULE;
use super::killer::{End, Id};
use super::kinds::Statement;
use super::{Session, nothing};
use crate::digest::sha256;
use crate::engine::{EngineError, Session as Any, Settled};
use crate::sql::{LEDGER, create_ledger};

/// By this a session is known as one of this process and not of an earlier one.
pub fn process() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| {
        let chance = RandomState::new().build_hasher().finish();
        format!("{}-{chance:016x}", std::process::id())
    })
}

/// What a session carries of its operation; sixty-four bytes are what the server keeps.
pub fn identifier(op: &str) -> String {
    let full = format!("{MODULE}:{op}");
    if full.len() <= 64 { full } else { format!("{MODULE}:{}", &sha256(op.as_bytes())[..40]) }
}

/// Id and operation, as they are written down: `12,345,@1 steadyhand:op xid 3.17.992`.
fn read_mark(mark: &str) -> Option<(Id, &str)> {
    let mut parts = mark.split(' ');
    let id = Id::parse(parts.next()?)?;
    let identifier = parts.next().filter(|name| name.starts_with("steadyhand:"))?;
    Some((id, identifier))
}

/// The session of a mark, if it is still there; a later one with the same numbers is another.
fn sought(id: &Id) -> String {
    format!(
        "SELECT S.STATUS FROM GV$SESSION S WHERE {} AND S.CLIENT_IDENTIFIER = :1 \
         AND S.MODULE = '{MODULE}'",
        id.is("S")
    )
}

fn entry(op: &str, chunk: u64, actor: &str, print: &str) -> Statement {
    let mut row = Statement::default();
    let values = [op, actor, print].map(|text| row.text(text));
    let [op, actor, print] = values;
    row.push(&format!(
        "INSERT INTO {LEDGER} (op_id, chunk_no, actor, fingerprint) \
         VALUES ({op}, {chunk}, SUBSTRB({actor}, 1, 255), {print})"
    ));
    row
}

impl Session {
    /// Hangs the name of the operation on the session.
    pub(super) async fn claim(&mut self, op: &str) -> Result<(), EngineError> {
        let identifier = identifier(op);
        if self.operation.as_ref() == Some(&identifier) {
            return Ok(());
        }
        let mut call = Statement::default();
        let name = call.text(&identifier);
        call.push(&format!("BEGIN DBMS_SESSION.SET_IDENTIFIER({name}); END;"));
        self.wire.run_bound(call).await?;
        self.operation = Some(identifier);
        Ok(())
    }

    pub async fn mark(&mut self) -> Result<String, EngineError> {
        // A session has one only once it wrote.
        const XID: &str = "SELECT DBMS_TRANSACTION.LOCAL_TRANSACTION_ID FROM DUAL";
        let operation = self.operation.clone().unwrap_or_default();
        let xid = self.wire.text(XID).await?;
        let xid = if xid.is_empty() { String::new() } else { format!(" xid {xid}") };
        Ok(format!("{} {operation}{xid}", self.wire.id))
    }

    pub async fn write_ledger(
        &mut self,
        op: &str,
        chunk: u64,
        actor: &str,
        print: &str,
    ) -> Result<(), EngineError> {
        self.claim(op).await?;
        if !self.has_ledger().await? {
            // It commits, so another session does it.
            let create = create_ledger(LEDGER, self.dialect());
            let schema = super::names::quoted(&format!("\"{}\"", self.schema));
            let named = create_ledger(&format!("{schema}.{LEDGER}"), self.dialect());
            self.wire.aside(&named).await.map_err(|error| EngineError::Refused {
                message: format!(
                    "{error}. The owner of the schema must create the ledger once, and grant SELECT and \
                     INSERT on it: {create}"
                ),
            })?;
        }
        self.wire.run_bound(entry(op, chunk, actor, print)).await.map(drop)
    }

    async fn has_ledger(&mut self) -> Result<bool, EngineError> {
        // Under this name, whoever it belongs to.
        let sql = format!(
            "SELECT 1 FROM ALL_OBJECTS WHERE OWNER IN (:1, 'PUBLIC') AND OBJECT_NAME = '{}' \
             AND OBJECT_TYPE IN ('TABLE', 'SYNONYM', 'VIEW')",
            LEDGER.to_uppercase()
        );
        Ok(!self.of_schema(&sql).await?.is_empty())
    }

    pub async fn settle(
        &mut self,
        op: &str,
        chunk: u64,
        mark: Option<&str>,
    ) -> Result<Settled, EngineError> {
        /// So long the old transaction may take to end by itself.
        const PATIENCE: Duration = Duration::from_secs(15);
        let mut ended = Ok(false);
        if let Some((id, identifier)) = mark.and_then(read_mark) {
            // Not to be ended is no answer yet: the key below tells whether it still matters.
            ended = self.end_known(&id, identifier).await?;
        }
        if !self.has_ledger().await? {
            if mark.is_some() {
                // It was there before the mark was written down.
                return Ok(ended.map_or_else(Settled::Unknown, |_| Settled::no_ledger()));
            }
            // Who owns the schema sees everything in it.
            let owner = "SELECT SYS_CONTEXT('USERENV', 'SESSION_USER') FROM DUAL";
            return Ok(if self.wire.text(owner).await? == self.schema {
                Settled::RolledBack("there is no ledger, so nothing was ever committed".into())
            } else {
                Settled::Unknown("the ledger is not there, or this account may not see it".into())
            });
        }
        self.rollback().await?;
        let tried =
            self.wire.work(entry(op, chunk, "asked", "asked"), PATIENCE, &mut nothing).await;
        let settled = match tried {
            Ok(_) => Settled::RolledBack(
                "its ledger row could be added anew, so the old transaction is gone with its row".into(),
            ),
            // Of the constraints of the ledger only the key can say no to this row.
            Err(EngineError::Rejected { message }) if message.contains("ORA-00001") => {
                Settled::Committed("its ledger row is in the database".into())
            }
            Err(EngineError::TimedOut { .. } | EngineError::Locked { .. }) => Settled::Unknown(
                "the old session still holds its ledger row; it ends when the server misses its client, \
                 or when a DBA ends it"
                    .into(),
            ),
            Err(EngineError::Database { message }) => Settled::Unknown(message),
            Err(error) => return Err(error),
        };
        self.rollback().await?;
        Ok(settled)
    }

    /// Ends the session of a mark if it is there; why not, if not. `true` if there was one.
    async fn end_known(
        &mut self,
        id: &Id,
        identifier: &str,
    ) -> Result<Result<bool, String>, EngineError> {
        const PAUSE: Duration = Duration::from_millis(100);
        const PATIENCE: u32 = 50;
        if *id == self.wire.id {
            return Ok(Err("this very session is at work on it".into()));
        }
        for round in 0..PATIENCE {
            let sought = super::wire::with_binds(sought(id), &[identifier]);
            let found = match self.wire.texts_bound(sought).await {
                Ok(found) => found,
                Err(EngineError::Database { message }) => return Ok(Err(message)),
                Err(error) => return Err(error),
            };
            if found.is_empty() || found[0] == ["KILLED"] {
                return Ok(Ok(round > 0 || !found.is_empty()));
            }
            if round == 0
                && let Err(why) = self.wire.end(id, End::Session).await?
            {
                return Ok(Err(why));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Err("the old session is being ended, but it is still there".into()))
    }

    pub async fn end_session(&mut self, mark: &str) -> Result<bool, EngineError> {
        let Some((id, identifier)) = read_mark(mark) else {
            return Err(EngineError::Refused {
                message: format!("`{mark}` names no session of steadyhand"),
            });
        };
        match self.end_known(&id, identifier).await? {
            Ok(ended) => Ok(ended),
            Err(message) => Err(EngineError::Database { message }),
        }
    }

    pub async fn end_silent(&mut self, silent: &Any) -> Result<(), EngineError> {
        match silent {
            Any::Oracle(silent) => match self.wire.end(&silent.wire.id, End::Session).await? {
                Ok(()) => Ok(()),
                Err(message) => Err(EngineError::Database { message }),
            },
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::Bind;
    use super::*;

    #[test]
    fn a_mark_names_the_session_and_its_operation() {
        let (id, name) = read_mark("12,345,@1 steadyhand:op-7 xid 3.17.992").expect("a mark");
        assert_eq!((id.to_string().as_str(), name), ("12,345,@1", "steadyhand:op-7"));
        assert!(read_mark("12,345,@1 app").is_none());
        assert!(read_mark("12 steadyhand:op").is_none());
    }

    #[test]
    fn a_long_operation_still_has_a_name_of_its_own() {
        assert_eq!(identifier("op-7"), "steadyhand:op-7");
        let (one, other) = (identifier(&"a".repeat(99)), identifier(&"a".repeat(98)));
        assert!(one.len() <= 64 && one != other);
    }

    #[test]
    fn the_ledger_row_binds_what_people_typed() {
        let row = entry("op-7", 0, "it's me", "print");
        assert!(row.sql.starts_with("INSERT INTO steadyhand_ledger (op_id, chunk_no"));
        assert!(row.sql.ends_with("VALUES (:1, 0, SUBSTRB(:2, 1, 255), :3)"), "{}", row.sql);
        assert_eq!(row.binds[1], Bind::Text("it's me".into()));
        assert_eq!(process(), process());
    }
}
