//! The second person at work: whose signature it is, and what a request does when somebody else runs
//! it with their own rights.

use std::path::Path;
use std::process::Command;

use super::connect;
use super::recover::{self, Job};
use crate::check::Check;
use crate::clock;
use crate::config::Target;
use crate::engine::Stopper;
use crate::problem::Problem;
use crate::recovery::second::Seconded;
use crate::recovery::{Plan, Planned, Preview, Request, Role};
use crate::runbook::Risk;
use crate::signature::{self, Purpose};
use crate::sql;

/// The account that the process runs under, which no variable can change.
pub fn account() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        (fields.nth(1)? == uid).then_some(name)
    };
    // Accounts of a directory are in no file.
    let asked = || {
        let ran = Command::new("id").arg("-un").output().ok()?;
        let name = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
        (ran.status.success() && !name.is_empty()).then_some(name)
    };
    known.lines().find_map(of).or_else(asked).unwrap_or_else(|| format!("uid {uid}"))
}

/// Holds a signature, as a file or a chat has it, against the request and the list of signers.
pub fn check(request: &Request, signature: &str, signers: &Path) -> Result<Seconded, String> {
    let verified = signature::verify(Purpose::Approval, &request.bytes(), signature, signers, None);
    let verified = verified.map_err(|unproved| unproved.to_string())?;
    Seconded::of(request, &verified, clock::now())
}

/// Asks all of it once more: the list of signers may have lost the key since, or the time gone by.
pub async fn holds(seconded: &Seconded) -> Result<(), String> {
    let (request, verified) = seconded.proof();
    let asked = tokio::task::spawn_blocking(move || {
        let verified = verified.again(&request.bytes()).map_err(|unproved| unproved.to_string())?;
        Seconded::of(&request, &verified, clock::now()).map(drop)
    });
    asked.await.unwrap_or_else(|_| Err("a task of ours failed".into()))
}

/// Runs what a request asks for and takes it back, like any preview.
pub async fn preview(
    request: &Request,
    target: &Target,
    actor: String,
    checks: impl Fn(&str) -> Option<Check>,
    stopper: &Stopper,
) -> Result<Preview, Problem> {
    let asked = |role: fn(&Role) -> bool| -> Vec<Check> {
        let of = request.checks.iter().filter(|asked| role(&asked.role));
        of.filter_map(|asked| checks(&asked.check)).collect()
    };
    let mut actions = Vec::new();
    for statement in &request.statements {
        let write = sql::write(&statement.sql, target.url.dialect).map_err(|refusal| {
            Problem::refused(format!("{}; nothing was run", refusal.clause()))
        })?;
        let (note, sql) = (statement.note.clone(), statement.sql.clone());
        actions.push(Planned::Sql { note, sql, verb: write.verb, table: write.table });
    }
    let plan = Plan {
        step: request.step.clone(),
        title: request.title.clone(),
        target: target.name.clone(),
        actions,
        cures: asked(|role| *role == Role::Cure),
        must_not_worsen: asked(|role| *role == Role::Neighbour),
        limits: request.limits.limits(),
        valid: std::time::Duration::ZERO,
        demand: connect::demand(target, Risk::High),
        undoes: None,
        lacks: None,
        mass: None,
    };
    let (server, op) = (request.target.server.clone(), format!("{}-again", request.operation));
    let job = Job { plan, target: target.clone(), server, actor, op };
    recover::preview(&job, stopper).await
}

#[cfg(test)]
mod tests;
