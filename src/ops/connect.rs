//! Opening sessions on a target, and saying in plain words why one could not be opened.

use std::time::Duration;

use crate::clock;
use crate::config::access::{Access, of_process};
use crate::config::{Approval, Bond, Target};
use crate::dialect::Dialect;
use crate::engine::{Called, EngineError, Identity, Stopper};
pub use crate::engine::{Purpose, Session};
use crate::problem::{Kind, Problem};
use crate::recovery::second::Demand;
use crate::runbook::Risk;

/// How long a read waits for a lock.
pub const READ_LOCK_WAIT: Duration = Duration::from_secs(2);

/// A session on the target's server; another one than the one that is pinned is refused.
pub async fn connect(
    target: &Target,
    purpose: Purpose,
    lock_wait: Duration,
    stopper: &Stopper,
) -> Result<Session, Problem> {
    let mut session = open(target, purpose, lock_wait, stopper).await?;
    if target.pins().next().is_some() {
        recognize(&mut session, target).await?;
    }
    Ok(session)
}

/// A session that only reads, in its snapshot, and whose server it is.
pub(super) async fn meet(target: &Target, stopper: &Stopper) -> Result<(Session, Called), Problem> {
    let mut session = open(target, Purpose::Detect, READ_LOCK_WAIT, stopper).await?;
    let begun = session.begin_snapshot().await;
    begun.map_err(|error| plain(&error, &target.name))?;
    let called = recognize(&mut session, target).await?;
    Ok((session, called))
}

/// Whoever answers.
async fn open(
    target: &Target,
    purpose: Purpose,
    lock_wait: Duration,
    stopper: &Stopper,
) -> Result<Session, Problem> {
    if target.bond == Bond::Unmet {
        let sentence = "no server has answered since the incident was opened; nothing was asked";
        return Err(Problem::unreachable(format!("{}: {sentence}", target.name)));
    }
    let opened = if target.url.dialect == Dialect::Sqlite {
        Session::sqlite(&target.url.path, purpose, lock_wait, stopper).await
    } else {
        let access = reach(target).await?;
        match Session::server(&access, purpose, lock_wait, stopper).await {
            // A password that was kept may have been changed since; the same one is not tried twice.
            Err(denied @ EngineError::Denied { .. }) if access.forget_password(target) => {
                let anew = reach(target).await?;
                if anew.has_password_of(&access) {
                    return Err(plain(&denied, &target.name));
                }
                Session::server(&anew, purpose, lock_wait, stopper).await
            }
            opened => opened,
        }
    };
    opened.map_err(|error| plain(&error, &target.name))
}

/// Everything that opening a connection needs, the session's settings included. Files are read for
/// it and a command may run, so it has a thread of its own.
pub(super) async fn reach(target: &Target) -> Result<Access, Problem> {
    let owned = target.clone();
    let mut found = tokio::task::spawn_blocking(move || of_process(&owned))
        .await
        .map_err(|error| Problem::system(error.to_string()))??;
    let zone = target.timezone.iana_name().unwrap_or("UTC").to_owned();
    let name = if target.url.dialect == Dialect::Postgres { "TimeZone" } else { "time_zone" };
    if !found.options.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
        found.options.push((name.to_owned(), zone));
    }
    if matches!(target.url.dialect, Dialect::Mysql | Dialect::Mariadb) {
        // For a server that knows zones by no name.
        let offset = target.timezone.to_offset(clock::now()).seconds() / 60;
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs());
        let offset = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        found.options.push(("offset".to_owned(), offset));
    }
    Ok(found)
}

async fn recognize(session: &mut Session, target: &Target) -> Result<Called, Problem> {
    let called = session.called().await.map_err(|error| plain(&error, &target.name))?;
    target.pins().try_for_each(|pin| held_against(&called.server, target, Some(pin)))?;
    if target.is_no_copy(&called.server) {
        let (server, originals) = (&called.server, target.originals.join(", "));
        return Err(Problem::refused(format!(
            "{}: detect_url leads to {server}, which is no copy of {originals}; nothing was asked; mend detect_url, \
             or write detect_fingerprint = {server:?} if the checks are meant for that one",
            target.name
        )));
    }
    Ok(called)
}

/// Reads who the server is, and refuses one that is not this one.
pub async fn prove(
    session: &mut Session,
    target: &Target,
    pinned: Option<&str>,
) -> Result<Identity, Problem> {
    let identity = session.identity().await.map_err(|error| plain(&error, &target.name))?;
    // What was seen in a preview is held against the server and its history.
    let incarnation = identity.incarnation();
    let with_history = pinned == Some(incarnation.as_str());
    let server = if with_history { &incarnation } else { &identity.server };
    held_against(server, target, pinned)?;
    Ok(identity)
}

fn held_against(server: &str, target: &Target, expected: Option<&str>) -> Result<(), Problem> {
    match expected {
        Some(expected) if expected != server => Err(Problem::refused(format!(
            "{} is another server now: {server} instead of {expected}; nothing was run",
            target.name
        ))
        .hint("find out why before you go on; a restored copy or a moved file looks like this")),
        _ => Ok(()),
    }
}

/// An engine's error as the operator sees it.
pub fn plain(error: &EngineError, target: &str) -> Problem {
    let sentence = format!("{target}: {error}");
    match error {
        EngineError::Connect { .. } | EngineError::Denied { .. } | EngineError::Lost { .. } => {
            Problem::unreachable(sentence)
        }
        EngineError::Locked { .. } => Problem::unreachable(sentence)
            .hint("find out who holds the lock, or try again when they are done"),
        EngineError::TimedOut { .. } => Problem::unreachable(sentence),
        EngineError::Stopped => Problem::new(Kind::Interrupted, sentence),
        EngineError::Rejected { .. }
        | EngineError::ReadOnly { .. }
        | EngineError::Refused { .. } => Problem::refused(sentence),
        EngineError::Conflict { .. } => {
            Problem::unreachable(sentence).hint("nothing was changed; try again")
        }
        EngineError::Database { .. } => Problem::new(Kind::Database, sentence),
    }
}

/// What whoever waited for a target is told when they wait no more.
pub fn stopped(target: &Target) -> Problem {
    plain(&EngineError::Stopped, &target.name)
}

/// Who the server of a target is.
pub async fn identify(target: &Target) -> Result<Identity, Problem> {
    identify_pinned(target, None, Purpose::Detect).await
}

/// Who the server is, refused if it is not this one. After a write that was cut off the session
/// must be one that may write: the file may wait for somebody who can roll it back.
pub async fn identify_as(
    target: &Target,
    server: &str,
    cut_off: bool,
) -> Result<Identity, Problem> {
    let purpose = if cut_off { Purpose::Work } else { Purpose::Detect };
    identify_pinned(target, Some(server), purpose).await
}

async fn identify_pinned(
    target: &Target,
    pinned: Option<&str>,
    purpose: Purpose,
) -> Result<Identity, Problem> {
    let stopper = Stopper::default();
    let mut session = connect(target, purpose, READ_LOCK_WAIT, &stopper).await?;
    let identity = prove(&mut session, target, pinned).await;
    session.close().await;
    identity
}

/// Why nothing may be written on this connection, by its server or by the target's policy.
pub fn no_writes(target: &Target, identity: &Identity) -> Option<String> {
    let of_server = identity.no_writes.as_ref();
    of_server.map(|why| format!("{}: {why}; nothing was run", target.name))
}

/// Who must agree to a change of this risk there.
pub fn demand(target: &Target, risk: Risk) -> Demand {
    match target.approval_of(risk == Risk::High) {
        Approval::None | Approval::Confirm => Demand::One,
        Approval::BreakGlass => Demand::PairOrBreakGlass,
        Approval::FourEyes => Demand::Pair,
    }
}
