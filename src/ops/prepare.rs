//! Preparing statements on a database without running them: does everything they name exist there, and
//! may the role that will run them do so?
//!
//! Checks are prepared where they run, and by whom; runbooks on the target itself. The sessions are
//! those that checks get, so nothing could be written even by mistake. What an engine only finds out
//! while running, this does not see.

use super::connect::{READ_LOCK_WAIT, Session, connect, plain, prove};
use crate::check::Check;
use crate::config::Target;
use crate::dialect::{Dialect, Meant, PerDialect};
use crate::engine::{EngineError, Purpose, Stopper};
use crate::problem::Problem;
use crate::runbook::{Action, Runbook};
use crate::sql;

/// A statement, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text {
    /// `check hours-out-of-range, [sql]`
    place: String,
    sql: String,
    /// It makes something that may be there already.
    makes: bool,
    by: By,
    meant: Meant,
}

/// Whose statement it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Detector,
    Recovery,
}

/// What became of all statements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    pub sound: usize,
    /// Places, and the database's words.
    pub refused: Vec<(String, String)>,
}

/// What checks ask where the server is of this engine.
fn of_checks(checks: &[Check], dialect: Dialect) -> Vec<Text> {
    let asked = checks.iter().filter_map(|check| {
        let sql = filled(&check.query(dialect)?, dialect);
        let place = format!("check {}, [sql]", check.id);
        let meant = check.sql.meant(dialect);
        Some(Text { place, sql, makes: false, by: By::Detector, meant })
    });
    asked.collect()
}

/// Every statement of runbooks that a target of this engine would get.
fn of_runbooks(runbooks: &[Runbook], dialect: Dialect) -> Vec<Text> {
    let mut texts = Vec::new();
    let mut add = |by: By, place: String, sql: Option<&str>, makes: bool, of: &PerDialect| {
        let meant = of.meant(dialect);
        texts.extend(sql.map(|sql| Text { place, sql: filled(sql, dialect), makes, by, meant }));
    };
    for runbook in runbooks {
        for step in &runbook.steps {
            let place = |what: &str| format!("runbook {}, step {}, {what}", runbook.id, step.id);
            match &step.action {
                Action::Change(change) => {
                    for (number, statement) in change.statements.iter().enumerate() {
                        let place = place(&format!("statement {}", number + 1));
                        add(By::Recovery, place, statement.sql.get(dialect), false, &statement.sql);
                    }
                    if let Some(keys) = change.chunks.as_ref().map(|chunks| &chunks.keys) {
                        add(By::Detector, place("keys"), keys.get(dialect), false, keys);
                    }
                }
                Action::Guard(guard) => {
                    let apply = guard.apply.get(dialect).unwrap_or_default();
                    // What is no definition is prepared as it stands, and refused there.
                    for one in sql::split(apply, dialect).unwrap_or_else(|_| vec![apply]) {
                        add(By::Recovery, place("apply"), Some(one), true, &guard.apply);
                    }
                    let probe = guard.probe.get(dialect);
                    add(By::Recovery, place("probe"), probe, false, &guard.probe);
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

/// Where an answer goes nothing stands yet, and nothing is what every type has.
fn filled(text: &str, dialect: Dialect) -> String {
    sql::substitute(text, dialect, &|_| Some("NULL".into())).unwrap_or_else(|_| text.to_owned())
}

/// Prepares each of them: of checks what the server that answers would be asked, as every run of them does.
pub async fn prepare(
    target: &Target,
    checks: &[Check],
    runbooks: &[Runbook],
    stopper: &Stopper,
) -> Result<Prepared, Problem> {
    let mut prepared = Prepared::default();
    let named = target.url.dialect;
    let of_runbooks = of_runbooks(runbooks, named);
    for (by, place) in [(By::Detector, target.for_checks()), (By::Recovery, target.clone())] {
        let asks = by == By::Detector && checks.iter().any(|check| check.may_be_for(named));
        let of_runbooks = of_runbooks.iter().filter(|text| text.by == by);
        if !asks && of_runbooks.clone().next().is_none() {
            continue;
        }
        let mut session = connect(&place, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
        prove(&mut session, &place, None).await?;
        let mut texts = if asks { of_checks(checks, session.dialect()) } else { Vec::new() };
        texts.extend(of_runbooks.cloned());
        for text in texts {
            match refusal(&mut session, &text).await {
                Ok(None) => prepared.sound += 1,
                Ok(Some(message)) => prepared.refused.push((text.place, message)),
                Err(error) => return Err(plain(&error, &place.name)),
            }
        }
        session.close().await;
    }
    Ok(prepared)
}

/// What the database has against a statement, if anything.
async fn refusal(session: &mut Session, text: &Text) -> Result<Option<String>, EngineError> {
    if let Err(refusal) = sql::unambiguous(&text.sql, session.dialect(), text.meant) {
        return Ok(Some(refusal.sentence));
    }
    match said(session.prepare(&text.sql).await)? {
        Some(message) if text.makes && message.contains("already exists") => return Ok(None),
        Some(message) => return Ok(Some(message)),
        None if text.makes => return Ok(None),
        None => {}
    }
    // Some servers look at rights only when they make a plan. These have looked, and show the plan of a view
    // only to whoever has rights on what lies behind it.
    if matches!(session.dialect(), Dialect::Mysql | Dialect::Mariadb) {
        return Ok(None);
    }
    let message = said(session.explain(&text.sql).await)?;
    Ok(message.filter(|message| match text.by {
        By::Detector => true,
        // This session sees rows and settings as a check does; only the rights are those of a change.
        By::Recovery => message.contains("denied"),
    }))
}

/// The words of a database that says no; whatever else went wrong is no answer.
fn said<T>(answer: Result<T, EngineError>) -> Result<Option<String>, EngineError> {
    match answer {
        Ok(_) => Ok(None),
        Err(
            EngineError::Database { message }
            | EngineError::Rejected { message }
            | EngineError::Refused { message }
            | EngineError::ReadOnly { message },
        ) => Ok(Some(message)),
        Err(other) => Err(other),
    }
}
