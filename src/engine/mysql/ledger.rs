//! The ledger, and the lock by which the session of an operation is found again.
//!
//! One row an operation, in the operation's own transaction: the evidence of the outcome when the
//! answer to COMMIT did not come, and its key makes a blind repetition fail. A row that is missing
//! proves nothing while the old session may still commit. That session holds a user lock with the name
//! of its operation, and the server releases it only after it has ended the transaction.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use super::Session;
use super::values::{literal, text};
use super::wire::Wire;
use crate::digest::sha256;
use crate::engine::{EngineError, Session as Any, Settled};
use crate::sql::create_ledger;
use crate::value::Value;

pub use crate::sql::LEDGER as TABLE;

/// What every lock of ours begins with.
pub const PREFIX: &str = "steadyhand:";

/// The locks that sessions of this process hold.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Held by the server for the session until that ends.
#[derive(Debug)]
pub struct Lock {
    pub name: String,
}

impl Lock {
    fn new(op: &str) -> Self {
        let name = name(op);
        HELD.lock().expect("no thread panics here").insert(name.clone());
        Self { name }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        HELD.lock().expect("no thread panics here").remove(&self.name);
    }
}

pub fn is_ours_now(name: &str) -> bool {
    HELD.lock().expect("no thread panics here").contains(name)
}

/// Sixty-four characters are what a lock may have.
fn name(op: &str) -> String {
    let short = op.chars().count() + PREFIX.len() <= 64;
    format!(
        "{PREFIX}{}",
        if short { op.to_owned() } else { sha256(op.as_bytes())[..40].to_owned() }
    )
}

async fn holder(wire: &mut Wire, name: &str) -> Result<Option<u64>, EngineError> {
    let holder = wire.text(&format!("SELECT IS_USED_LOCK({})", text(name))).await?;
    Ok(holder.parse().ok())
}

impl Session {
    /// Hangs the name of the operation on the session.
    pub(super) async fn claim(&mut self, op: &str) -> Result<(), EngineError> {
        /// Seconds in which a server that has much to do lets go of a session that said goodbye.
        const MOMENT: u8 = 3;
        let name = name(op);
        if self.lock.as_ref().is_some_and(|lock| lock.name == name) {
            return Ok(());
        }
        if self.wire.text(&format!("SELECT GET_LOCK({}, {MOMENT})", text(&name))).await? == "1" {
            self.lock = Some(Lock::new(op));
            return Ok(());
        }
        Err(EngineError::Refused {
            message: format!(
                "another session is at work on {op}; find out what became of it first"
            ),
        })
    }

    #[allow(clippy::unused_async)]
    pub async fn mark(&mut self) -> Result<String, EngineError> {
        let lock = self.lock.as_ref().map_or("", |lock| &lock.name);
        Ok(format!("{} {lock}", self.wire.id()))
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
            // Creating it in the transaction would commit it, so another session does.
            let create = create_ledger(TABLE, self.dialect());
            self.wire.aside(&create).await.map_err(|error| match error {
                EngineError::Database { message } => EngineError::Refused {
                    message: format!(
                        "{message}. An owner of the database must create the ledger once, and grant \
                         SELECT and INSERT on it: {create}"
                    ),
                },
                other => other,
            })?;
        }
        let values = [op, actor, print].map(|part| literal(&Value::Text(part.to_owned())));
        let [op, actor, print] = values;
        let sql = format!(
            "INSERT INTO {TABLE} (op_id, chunk_no, actor, fingerprint) \
             VALUES ({op}, {chunk}, LEFT({actor}, 255), {print})"
        );
        self.wire.run(&sql).await.map(drop)
    }

    /// Why the ledger could not be written, if so. Preparing asks for the rights and does nothing.
    pub(super) async fn no_ledger(&mut self) -> Result<Option<String>, EngineError> {
        let (sql, why) = if self.has_ledger().await? {
            let insert = format!(
                "INSERT INTO {TABLE} (op_id, chunk_no, actor, fingerprint) VALUES ('', 0, '', '')"
            );
            (insert, "may not be written by this account")
        } else {
            let create = create_ledger(TABLE, self.dialect());
            (create, "is missing (or not shown to this account), and it may not be created")
        };
        match self.compiled(&sql).await {
            // In a transaction that only reads this cannot be asked.
            Ok(_) | Err(EngineError::ReadOnly { .. }) => Ok(None),
            Err(EngineError::Database { message }) => Ok(Some(format!(
                "the ledger {TABLE} {why} ({message}); `steadyhand grants` prints what an owner must run"
            ))),
            Err(error) => Err(error),
        }
    }

    async fn has_ledger(&mut self) -> Result<bool, EngineError> {
        let sql = format!(
            "SELECT COUNT(*) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = '{TABLE}'"
        );
        Ok(self.wire.number(&sql).await? > 0)
    }

    /// Needs no right beyond those of the operation: an account may always end its own sessions.
    pub async fn settle(
        &mut self,
        op: &str,
        chunk: u64,
        mark: Option<&str>,
    ) -> Result<Settled, EngineError> {
        if let Err(why) = self.end_holder(&name(op)).await? {
            return Ok(Settled::Unknown(why));
        }
        if !self.has_ledger().await? {
            // Before the mark was written down the ledger was there; without one nothing was sent.
            return Ok(match mark {
                Some(_) => Settled::no_ledger(),
                None => Settled::RolledBack("it never came to a ledger row".into()),
            });
        }
        let op = text(op);
        let sql = format!("SELECT COUNT(*) FROM {TABLE} WHERE op_id = {op} AND chunk_no = {chunk}");
        Ok(if self.wire.number(&sql).await? > 0 {
            Settled::Committed("its ledger row is in the database".into())
        } else {
            Settled::RolledBack("no ledger row, and the session that could add it is gone".into())
        })
    }

    /// Makes sure that no session holds this lock any more; else says why not. `true` if one did.
    pub(super) async fn end_holder(
        &mut self,
        name: &str,
    ) -> Result<Result<bool, String>, EngineError> {
        const PAUSE: Duration = Duration::from_millis(100);
        const PATIENCE: u32 = 100;
        let mut ended = false;
        for _ in 0..PATIENCE {
            let Some(id) = holder(&mut self.wire, name).await? else { return Ok(Ok(ended)) };
            if id == self.wire.id() {
                return Ok(Err("this very session is at work on it".into()));
            }
            match self.wire.run(&format!("KILL CONNECTION {id}")).await {
                Ok(_) => ended = true,
                Err(EngineError::Database { message }) => {
                    // Else it went by itself.
                    if holder(&mut self.wire, name).await? == Some(id) {
                        return Ok(Err(format!(
                            "session {id} still holds the transaction and cannot be ended: {message}"
                        )));
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Err("the old session is being ended, but its transaction is not rolled back yet".into()))
    }

    pub async fn end_session(&mut self, mark: &str) -> Result<bool, EngineError> {
        let lock =
            mark.split_once(' ').map(|(_, lock)| lock).filter(|lock| lock.starts_with(PREFIX));
        let Some(lock) = lock else {
            return Err(EngineError::Refused {
                message: format!("`{mark}` names no session of steadyhand"),
            });
        };
        match self.end_holder(lock).await? {
            Ok(ended) => Ok(ended),
            Err(message) => Err(EngineError::Database { message }),
        }
    }

    /// While the server is up no other session gets its number.
    pub async fn end_silent(&mut self, silent: &Any) -> Result<(), EngineError> {
        match silent {
            Any::Mysql(silent) => {
                self.wire.run(&format!("KILL CONNECTION {}", silent.wire.id())).await.map(drop)
            }
            _ => Ok(()),
        }
    }
}
