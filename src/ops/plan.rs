//! From a step of a runbook to a plan that can run: the engine's text chosen, answers put in as
//! literals that the database itself quoted, every statement held against the allow-list.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use super::connect::{self, READ_LOCK_WAIT, connect, plain};
use crate::check::Check;
use crate::config::Target;
use crate::dialect::{Dialect, PerDialect};
use crate::digest::Through;
use crate::engine::{Purpose, Stopper};
use crate::incident::entry::Evidence;
use crate::problem::Problem;
use crate::recovery::mass::{Artefact, Before, Mass, Source};
use crate::recovery::{Plan, Planned, TableImages, undo};
use crate::runbook::{Change, Chunks, Runbook, Step};
use crate::sql;
use crate::value::Value;

/// The plan of a change.
pub async fn change(
    runbook: &Runbook,
    step: &Step,
    change: &Change,
    target: &Target,
    answers: &BTreeMap<String, String>,
    checks: impl Fn(&str) -> Option<Check>,
) -> Result<Plan, Problem> {
    let dialect = target.url.dialect;
    let quoted = quote(target, runbook, answers).await?;
    let mut actions = Vec::with_capacity(change.statements.len());
    for (number, statement) in change.statements.iter().enumerate() {
        let name = format!("statement {} of step {}", number + 1, step.id);
        let text = statement
            .sql
            .get(dialect)
            .ok_or_else(|| Problem::usage(format!("{name} has no SQL for {dialect}")))?;
        plain_to(&name, &statement.sql, text, dialect)?;
        let note = &statement.note;
        actions.push(if change.chunks.is_some() {
            chunked(&name, note, text, dialect, &quoted)?
        } else {
            planned(&name, note, text, dialect, &quoted)?
        });
    }
    let mass = match &change.chunks {
        Some(chunks) => Some(mass(step, chunks, dialect, &quoted)?),
        None => None,
    };
    let load = |id: &String| {
        checks(id).ok_or_else(|| {
            Problem::usage(format!("step {} names the check {id}, which is not loaded", step.id))
        })
    };
    Ok(Plan {
        step: step.id.clone(),
        title: step.title.clone(),
        target: target.name.clone(),
        actions,
        cures: change.cures.iter().map(load).collect::<Result<_, _>>()?,
        must_not_worsen: change.must_not_worsen.iter().map(load).collect::<Result<_, _>>()?,
        limits: change.limits,
        valid: change.valid,
        demand: connect::demand(target, change.risk),
        undoes: None,
        lacks: None,
        mass,
    })
}

/// The text as it is written, before an answer stands in it: that one the server quotes itself.
fn plain_to(name: &str, of: &PerDialect, text: &str, dialect: Dialect) -> Result<(), Problem> {
    sql::unambiguous(text, dialect, of.meant(dialect)).map_err(|refusal| {
        let sentence = refusal.clause();
        Problem::refused(format!("{name}: {sentence}; nothing was run"))
    })
}

/// A statement with the place for the keys of a chunk.
fn chunked(
    name: &str,
    note: &str,
    text: &str,
    dialect: Dialect,
    quoted: &HashMap<String, String>,
) -> Result<Planned, Problem> {
    let refused = |why: String| Problem::refused(format!("{name}: {why}; nothing was run"));
    let listed = sql::Listed::of(text, dialect, &|var| quoted.get(var).cloned())
        .map_err(|refusal| refused(refusal.clause().to_owned()))?;
    let write = sql::write(&listed.sample(), dialect)
        .map_err(|refusal| refused(refusal.clause().to_owned()))?;
    Ok(Planned::Chunked { note: note.to_owned(), listed, verb: write.verb, table: write.table })
}

fn mass(
    step: &Step,
    chunks: &Chunks,
    dialect: Dialect,
    quoted: &HashMap<String, String>,
) -> Result<Mass, Problem> {
    let name = format!("the keys of step {}", step.id);
    let text = chunks.keys.get(dialect);
    let text = text.ok_or_else(|| Problem::usage(format!("{name} have no SQL for {dialect}")))?;
    plain_to(&name, &chunks.keys, text, dialect)?;
    let refused = |why: String| Problem::refused(format!("{name}: {why}; nothing was run"));
    let sql = sql::substitute(text, dialect, &|var| quoted.get(var).cloned())
        .map_err(|refusal| refused(refusal.clause().to_owned()))?;
    sql::read(&sql, dialect).map_err(|refusal| refused(refusal.clause().to_owned()))?;
    let (size, most) = (chunks.size, chunks.most);
    let source = Source::Query { key: chunks.key.clone(), sql };
    Ok(Mass { source, size, most, before: Before::default() })
}

fn planned(
    name: &str,
    note: &str,
    text: &str,
    dialect: Dialect,
    quoted: &HashMap<String, String>,
) -> Result<Planned, Problem> {
    let refused = |why: String| Problem::refused(format!("{name}: {why}; nothing was run"));
    let sql = sql::substitute(text, dialect, &|var| quoted.get(var).cloned())
        .map_err(|refusal| refused(refusal.clause().to_owned()))?;
    match sql::classify(&sql, dialect) {
        sql::Effect::Write(write) => {
            let (verb, table) = (write.verb, write.table);
            Ok(Planned::Sql { note: note.to_owned(), sql, verb, table })
        }
        sql::Effect::Read | sql::Effect::UnparsedRead => {
            Err(refused("it only reads, and a change must write".into()))
        }
        sql::Effect::Other(refusal) => Err(refused(refusal.clause().to_owned())),
    }
}

/// Every answer as a literal of the kind that was asked for, in the database's own quoting: a text of
/// digits is no number, which would find other rows.
async fn quote(
    target: &Target,
    runbook: &Runbook,
    answers: &BTreeMap<String, String>,
) -> Result<HashMap<String, String>, Problem> {
    let mut quoted = HashMap::new();
    if answers.is_empty() {
        return Ok(quoted);
    }
    let stopper = Stopper::default();
    let mut session = connect(target, Purpose::Detect, READ_LOCK_WAIT, &stopper).await?;
    for (name, answer) in answers {
        let asked = runbook.answer_type(name);
        let asked = asked.filter(|asked| asked.is_number());
        let literal = match (asked, answer.parse::<i64>()) {
            (Some(_), Ok(whole)) => whole.to_string(),
            (Some(_), Err(_)) if sql::is_number(answer, target.url.dialect) => answer.clone(),
            _ => {
                let quoted = session.quote(&Value::Text(answer.clone())).await;
                quoted.map_err(|error| plain(&error, &target.name))?
            }
        };
        quoted.insert(name.clone(), literal);
    }
    session.close().await;
    Ok(quoted)
}

/// The plan that takes an execution back, from its artefact on disk. The artefact must be the one
/// the journal names.
pub fn undo(change: &Plan, op: &str, folder: &Path, artefact: &Evidence) -> Result<Plan, Problem> {
    let images = put_back(op, &folder.join(&artefact.file), &artefact.sha256)?;
    Ok(Plan {
        title: format!("Undo: {}", change.title),
        actions: vec![Planned::PutBack(images)],
        undoes: Some(op.to_owned()),
        mass: None,
        ..change.clone()
    })
}

/// The same for an execution in chunks.
pub fn undo_chunks(change: &Plan, op: &str, artefacts: Vec<Artefact>, before: Before) -> Plan {
    let source = Source::Artefacts(artefacts);
    Plan {
        title: format!("Undo: {}", change.title),
        actions: Vec::new(),
        undoes: Some(op.to_owned()),
        mass: Some(Mass { source, size: 1, most: 1, before }),
        ..change.clone()
    }
}

/// The images of an artefact, which must be the one of this digest.
pub(super) fn put_back(op: &str, path: &Path, sha256: &str) -> Result<Vec<TableImages>, Problem> {
    let bad = |why: String| {
        Problem::refused(format!("the undo of {op} cannot be used: {why}; nothing was run"))
            .hint(format!("the file is {}", path.display()))
    };
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            bad("its file is not here; written on another host, it may still \
                                        be on its way through the store"
                .into())
        }
        _ => bad(error.to_string()),
    };
    let file = File::open(path).map_err(broken)?;
    let mut input = BufReader::with_capacity(1 << 16, Through::new(file));
    let read = undo::read(&mut input);
    io::copy(&mut input, &mut io::sink()).map_err(broken)?;
    let (_, digest) = input.into_inner().finish();
    if digest != sha256 {
        return Err(bad("it is not the file that was written at the change".into()));
    }
    let (_, images) = read.map_err(bad)?;
    if let Some(why) = undo::impossible(&images) {
        return Err(bad(why));
    }
    Ok(images)
}
