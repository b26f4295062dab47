//! The first look at a change: counts and samples by reads alone, in one snapshot on the session that
//! checks get. Nothing is written and nothing is locked; what it cannot see is said with it.

use std::ops::ControlFlow;
use std::time::Instant;

use super::connect::{READ_LOCK_WAIT, connect, plain, prove};
use crate::engine::{EngineError, Purpose, Session, Stopper};
use crate::problem::Problem;
use crate::recovery::mass::Source;
use crate::recovery::{FirstLook, Looked, Plan, Planned};
use crate::sql;
use crate::value::{Rows, ValueRef};

pub async fn look(job: &super::recover::Job, stopper: &Stopper) -> Result<FirstLook, Problem> {
    let failed = |error: EngineError| plain(&error, &job.target.name);
    let mut session = connect(&job.target, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
    prove(&mut session, &job.target, Some(&job.server)).await?;
    session.begin_snapshot().await.map_err(failed)?;
    let start = Instant::now();
    let mut statements = Vec::new();
    for action in &job.plan.actions {
        if let Planned::Sql { note, sql, .. } = action {
            let looked = one(&mut session, &job.plan, sql).await.map_err(failed)?;
            statements.push((note.clone(), looked));
        }
    }
    if let Some(Source::Query { sql: keys, .. }) = job.plan.mass.as_ref().map(|mass| &mass.source) {
        let keys = sql::one(keys, session.dialect())
            .map_err(|refusal| Problem::refused(refusal.sentence))?;
        let count = format!("SELECT COUNT(*) FROM ({keys}) keys_of_chunks");
        let looked = both(&mut session, &job.plan, (&count, sql::Counted::Exactly), keys)
            .await
            .map_err(failed)?;
        statements.push(("Keys of all chunks".into(), looked));
    }
    let seconds = start.elapsed().as_secs_f64();
    session.close().await;
    Ok(FirstLook { at: crate::clock::now(), statements, seconds })
}

async fn one(session: &mut Session, plan: &Plan, text: &str) -> Result<Looked, EngineError> {
    let Some(look) = sql::look(text, session.dialect()) else {
        return Ok(Looked::Not(
            "its rows cannot be selected by a read; the preview counts them".into(),
        ));
    };
    both(session, plan, (&look.count, look.counted), &look.sample).await
}

/// A count, and the first rows of a sample.
async fn both(
    session: &mut Session,
    plan: &Plan,
    (count, counted): (&str, sql::Counted),
    of: &str,
) -> Result<Looked, EngineError> {
    let cap = plan.limits.time_cap;
    let mut rows = 0;
    let asked = session
        .read(count, cap, &mut |_, row| {
            rows = match row.first() {
                Some(ValueRef::Integer(n)) => u64::try_from(*n).unwrap_or(0),
                Some(other) => other.plain().and_then(|text| text.parse().ok()).unwrap_or(0),
                None => 0,
            };
            ControlFlow::Break(())
        })
        .await;
    let mut sample = Rows::default();
    let sampled = match asked {
        Ok(_) => {
            session
                .read(of, cap, &mut |names, row| {
                    if sample.is_empty() {
                        sample = Rows::new(names.to_vec());
                    }
                    sample.push(row.iter().copied());
                    if sample.len() < sql::SAMPLE {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    }
                })
                .await
        }
        Err(error) => Err(error),
    };
    match sampled {
        Ok(_) => Ok(Looked::Rows { rows, counted, sample }),
        // The statement may well run although a read made of it does not.
        Err(EngineError::Database { message }) => Ok(Looked::Not(message)),
        Err(error) => Err(error),
    }
}
