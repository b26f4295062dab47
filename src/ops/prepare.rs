//! Preparing statements on a database without running them: does everything they name exist there?
//!
//! The session is the one that checks get, so nothing could be written even by mistake. What an
//! engine only finds out while running, this does not see.

use super::connect::{READ_LOCK_WAIT, connect, plain, prove};
use crate::check::Check;
use crate::config::Target;
use crate::dialect::Dialect;
use crate::engine::{EngineError, Purpose, Stopper};
use crate::problem::Problem;
use crate::runbook::{Action, Runbook};
use crate::sql;

/// A statement, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// `check hours-out-of-range, [sql]`
    pub place: String,
    pub sql: String,
    /// It makes something that may be there already.
    pub makes: bool,
}

/// What became of all statements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    pub sound: usize,
    /// Places, and the database's words.
    pub refused: Vec<(String, String)>,
}

/// Every statement of these files that this engine would get.
pub fn texts(checks: &[Check], runbooks: &[Runbook], dialect: Dialect) -> Vec<Text> {
    let mut texts = Vec::new();
    // Where an answer goes nothing stands yet, and nothing is what every type has.
    let filled = |text: &str| {
        sql::substitute(text, dialect, &|_| Some("NULL".into())).unwrap_or_else(|_| text.to_owned())
    };
    let mut add = |place: String, sql: Option<&str>, makes: bool| {
        texts.extend(sql.map(|sql| Text { place, sql: filled(sql), makes }));
    };
    for check in checks {
        add(format!("check {}, [sql]", check.id), check.query(dialect).as_deref(), false);
    }
    for runbook in runbooks {
        for step in &runbook.steps {
            let place = |what: &str| format!("runbook {}, step {}, {what}", runbook.id, step.id);
            match &step.action {
                Action::Change(change) => {
                    for (number, statement) in change.statements.iter().enumerate() {
                        let place = place(&format!("statement {}", number + 1));
                        add(place, statement.sql.get(dialect), false);
                    }
                }
                Action::Guard(guard) => {
                    add(place("apply"), guard.apply.get(dialect), true);
                    add(place("probe"), guard.probe.get(dialect), false);
                }
                Action::Note
                | Action::Ask(_)
                | Action::Check(_)
                | Action::Manual(_)
                | Action::Decide(_)
                | Action::Wait(_)
                | Action::Comms(_)
                | Action::Command(_) => {}
            }
        }
    }
    texts
}

/// Prepares each of them.
pub async fn prepare(
    target: &Target,
    texts: &[Text],
    stopper: &Stopper,
) -> Result<Prepared, Problem> {
    let failed = |error: EngineError| plain(&error, &target.name);
    let mut session = connect(target, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
    prove(&mut session, target, None).await?;
    session.table_names().await.map_err(failed)?;
    let mut prepared = Prepared::default();
    for text in texts {
        match session.prepare(&text.sql).await {
            Ok(_) => prepared.sound += 1,
            Err(EngineError::Database { message })
                if text.makes && message.contains("already exists") =>
            {
                prepared.sound += 1;
            }
            Err(
                EngineError::Database { message }
                | EngineError::Rejected { message }
                | EngineError::Refused { message }
                | EngineError::ReadOnly { message },
            ) => {
                prepared.refused.push((text.place.clone(), message));
            }
            Err(other) => return Err(failed(other)),
        }
    }
    session.close().await;
    Ok(prepared)
}
