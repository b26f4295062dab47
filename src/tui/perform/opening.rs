//! Opening an incident, and going on with one: who the server is, the frozen runbook, the journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::contact::{self, Contact};
use super::{Desk, World};
use crate::config::{Bond, Policy, Target};
use crate::incident::entry::{Entry, Record, TargetSeen};
use crate::incident::journal::{Journal, JournalError};
use crate::incident::lease::{self, Lease, LeaseError, Says};
use crate::incident::store;
use crate::ops;
use crate::ops::share::{self, Bell, Claim};
use crate::ops::{Identity, Stopper};
use crate::problem::{Kind, Problem};
use crate::runbook::Runbook;
use crate::tui::message::{Message, Opened, Shared};

impl World {
    pub(super) fn open(&mut self, runbook: String, target: String, unanswered: Option<String>) {
        let opened = self.open_new(runbook, target, unanswered);
        if let Err(problem) = opened {
            self.send(Message::Opened(Err(problem)));
        }
    }

    /// Finds out who the server is first: the incident is bound to it.
    pub(super) fn open_new(
        &mut self,
        runbook: String,
        target: String,
        unanswered: Option<String>,
    ) -> Result<(), Problem> {
        let names = (runbook.clone(), target.clone());
        let runbook = self.catalogue.runbook(&runbook).cloned().ok_or_else(|| {
            Problem::usage(format!("there is no runbook {runbook}"))
                .hint("the runbooks are listed at home, and by `steadyhand lint`")
        })?;
        let target =
            self.targets.iter().find(|known| known.name == target).cloned().ok_or_else(|| {
                Problem::usage(format!("there is no target {target}"))
                    .hint("targets are configured in steadyhand.toml")
            })?;
        let (state, actor, demo) = (self.state.clone(), self.actor.clone(), self.demo.is_some());
        let (store, messages) = (self.store.clone(), self.messages.clone());
        let controls = self.controls(&runbook);
        let made_up = match (&self.drill, demo) {
            (Some(_), _) => MadeUp::Drill,
            (None, true) => MadeUp::Demo,
            (None, false) => MadeUp::No,
        };
        let policy = self.seconding.policy.clone();
        let answer = move |opened| match opened {
            Ok(New::Opened(opened)) => Message::Opened(Ok(opened)),
            Ok(New::Unanswered(problem)) => {
                let (runbook, target) = names;
                Message::Unanswered { runbook, target, problem }
            }
            Err(problem) => Message::Opened(Err(problem)),
        };
        self.ask(answer, async move {
            let contact = match unanswered {
                Some(why) => Err(why),
                None => match ops::connect::identify(&target).await {
                    Ok(identity) => Ok(identity),
                    // A demo and a drill make their own databases: theirs must answer. And another server
                    // than the one that is pinned is none to wait for.
                    Err(problem) if made_up == MadeUp::No && problem.kind != Kind::Refused => {
                        return Ok(New::Unanswered(problem));
                    }
                    Err(problem) => return Err(problem),
                },
            };
            let opened = new_incident(
                &state, &actor, made_up, runbook, controls, target, contact, &policy, store,
                messages,
            )
            .await;
            opened.map(|opened| New::Opened(Box::new(opened)))
        });
        Ok(())
    }

    /// What the runbook and its checks stand for, with every place of the frameworks.
    pub(super) fn controls(&self, runbook: &Runbook) -> Option<Entry> {
        let in_full = |names: &[String]| self.practice.spelled_out(names);
        let of = |id: &str| {
            let check = self.catalogue.check(id).filter(|check| !check.controls.is_empty())?;
            Some((id.to_owned(), in_full(&check.controls)))
        };
        let checks: Vec<_> = runbook.checks().into_iter().filter_map(of).collect();
        let runbook = in_full(&runbook.controls);
        let is_any = !runbook.is_empty() || !checks.is_empty();
        is_any.then_some(Entry::Controls { runbook, checks })
    }

    pub(super) fn resume(&mut self, incident: &str) {
        let (state, actor) = (self.state.clone(), self.actor.clone());
        let (targets, policy) = (self.targets.clone(), self.seconding.policy.clone());
        let (incident, messages) = (incident.to_owned(), self.messages.clone());
        let (lease, store) = (self.lease.take(), self.store.clone());
        let work = async move {
            let known = Known { targets: &targets, policy: &policy };
            match old_incident(&state, &actor, &incident, lease, store, known, messages).await {
                Ok(opened) => Message::Opened(Ok(Box::new(opened))),
                Err(NotOpened::Held(folder)) => Message::Held(folder),
                Err(NotOpened::Trouble(problem)) => Message::Opened(Err(problem)),
            }
        };
        self.spawn_or(work, |why| Message::Opened(Err(Problem::system(why))));
    }

    /// The loop hands over what an opened incident needs, before `update` sees it.
    pub fn take_desk(&mut self, opened: &mut Opened) {
        self.look_after(&opened.journal);
        let store = self.store.clone().filter(|_| opened.shared.is_some());
        if let Some(shared) = opened.shared.take() {
            self.send_to_store(shared, &opened.journal);
        }
        // Whatever is asked from here on is asked of one server.
        let (server, policy) = (opened.server.clone(), self.seconding.policy.clone());
        let (journal, messages) = (&opened.journal, &self.messages);
        let contact = Contact::new(&opened.target, server, policy, journal, store, messages);
        self.desk = Some(Desk {
            journal: opened.journal.clone(),
            folder: opened.folder.clone(),
            target: Target { bond: Bond::Unmet, ..opened.target.clone() },
            contact: Arc::new(contact),
            runbook: Arc::new(opened.runbook.clone()),
            document: Arc::default(),
        });
    }
}

fn listen(journal: &Journal, messages: UnboundedSender<Message>, bell: Option<Bell>) {
    journal.listen(move |record| {
        let _ = messages.send(Message::Recorded(Box::new(record.clone())));
        if let Some(bell) = &bell {
            bell.notify_one();
        }
    });
}

/// Why an incident is not ours, whatever the lock here says.
enum NotOurs {
    /// Somebody else works on it.
    Held,
    /// It was taken from another host, and the store does not say that it is ours.
    Unsaid(Problem),
    /// The store has it and takes nothing from us.
    Refused(Problem),
}

/// The way to the store, if there is one.
async fn shared(
    store: Option<&Target>,
    records: &[Record],
    journal: &Journal,
) -> Result<Option<Shared>, NotOurs> {
    let courier = store.and_then(|at| share::Courier::of(at, records, journal));
    let Some(mut courier) = courier else { return Ok(None) };
    match courier.claim().await {
        Ok(Claim::Theirs) => Err(NotOurs::Held),
        Err(problem) | Ok(Claim::Refused(problem)) if is_from_elsewhere(journal) => {
            Err(NotOurs::Unsaid(problem))
        }
        Ok(Claim::Refused(problem)) => Err(NotOurs::Refused(problem)),
        // A store that is away holds nobody up; the courier says so, and tries again.
        Ok(Claim::Ours) | Err(_) => Ok(Some(Shared { courier, bell: Bell::default() })),
    }
}

/// Our lock is none for them: the lease is the store's alone to give.
fn is_from_elsewhere(journal: &Journal) -> bool {
    journal.taken().is_some_and(|(from, _)| from.is_elsewhere())
}

async fn tell_same_server(
    shared: Option<&Shared>,
    store: Option<&Target>,
    server: Option<&str>,
    messages: &UnboundedSender<Message>,
) {
    let there = store.filter(|_| shared.is_some_and(|shared| shared.courier.is_there()));
    if let (Some(at), Some(server)) = (there, server) {
        contact::tell_same_server(at, server, messages).await;
    }
}

/// What comes of the wish for a new incident.
enum New {
    Opened(Box<Opened>),
    /// Nothing was recorded: whether it is opened without its database is the operator's to say.
    Unanswered(Problem),
}

/// Whether an incident is one that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MadeUp {
    No,
    Demo,
    Drill,
}

/// A drill is walked like the real thing, so that it must be sure that it is none.
async fn is_for_drills(target: &Target) -> Result<(), Problem> {
    const LOCK_WAIT: std::time::Duration = std::time::Duration::from_secs(5);
    let (look, stopper) = (ops::connect::Purpose::Detect, Stopper::default());
    let mut session = ops::connect::connect(target, look, LOCK_WAIT, &stopper).await?;
    let scratch = crate::demo::scratch::is_scratch(&mut session).await;
    session.close().await;
    if scratch.is_ok_and(|scratch| scratch) {
        return Ok(());
    }
    let sentence =
        format!("{} is not marked as a demo or scratch; no drill touches it", target.name);
    Err(Problem::refused(sentence).hint("a drill makes its own databases: `steadyhand drill`"))
}

#[allow(clippy::too_many_arguments)] // one call site; each is a fact of the opening
async fn new_incident(
    state: &Path,
    actor: &str,
    made_up: MadeUp,
    runbook: Runbook,
    controls: Option<Entry>,
    target: Target,
    contact: Result<Identity, String>,
    asked: &Policy,
    store: Option<Target>,
    messages: UnboundedSender<Message>,
) -> Result<Opened, Problem> {
    let server = contact.as_ref().ok().map(|identity| identity.server.clone());
    let target = asked.over(target, server.as_deref());
    if made_up == MadeUp::Drill {
        is_for_drills(&target).await?;
    }
    let failed = |error: JournalError| Problem::system(error.to_string());
    let (id, folder) = store::create(state).map_err(|error| Problem::system(error.to_string()))?;
    let (journal, _) = Journal::open(&folder, actor).map_err(failed)?;
    if made_up == MadeUp::Drill {
        journal.mark_drill();
    }
    let frozen = folder.join("runbook.toml");
    crate::files::write_synced(&frozen, runbook.source.as_bytes())
        .map_err(|error| Problem::system(format!("{}: {error}", frozen.display())))?;
    let record = journal
        .append(Entry::Opened {
            incident: id,
            runbook: runbook.id.clone(),
            runbook_sha256: runbook.digest(),
            title: runbook.title.clone(),
            severity: runbook.severity,
            target: target_seen(&target, contact.as_ref().ok()),
            program: format!("steadyhand {}", env!("CARGO_PKG_VERSION")),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            demo: made_up != MadeUp::No,
        })
        .map_err(failed)?;
    let mut records = vec![record];
    let unanswered = contact.as_ref().err().map(|why| Entry::Unanswered { why: why.clone() });
    for entry in unanswered.into_iter().chain(controls).chain([contact::wanted(&target)]) {
        records.push(journal.append(entry).map_err(failed)?);
    }
    let shared = shared(store.as_ref(), &records, &journal).await.unwrap_or(None);
    tell_same_server(shared.as_ref(), store.as_ref(), server.as_deref(), &messages).await;
    listen(&journal, messages, shared.as_ref().map(|shared| shared.bell.clone()));
    let identity = contact.map_err(Problem::unreachable);
    let drafts = std::collections::BTreeMap::new();
    Ok(Opened {
        records,
        runbook,
        target,
        server,
        identity,
        folder,
        journal,
        shared,
        resumed: false,
        also_open: Vec::new(),
        drafts,
    })
}

/// What the configuration knows.
#[derive(Clone, Copy)]
struct Known<'a> {
    targets: &'a [Target],
    policy: &'a Policy,
}

const NOT_OURS: &str = "nothing was changed and nothing recorded; whoever has it may still write there. \
    Try again when the store answers and lets this role end their session";

const NOT_TAKEN: &str = "nothing was recorded: the store has this incident and would never get what is \
    written here, so that somebody on another host could go on with it at the same time. Put the store \
    right, or take it out of the configuration if nobody else does.";

/// Why an incident cannot be gone on with.
enum NotOpened {
    /// Somebody else does.
    Held(PathBuf),
    Trouble(Problem),
}

impl From<Problem> for NotOpened {
    fn from(problem: Problem) -> Self {
        Self::Trouble(problem)
    }
}

async fn old_incident(
    state: &Path,
    actor: &str,
    incident: &str,
    lease: Option<Lease>,
    store: Option<Target>,
    known: Known<'_>,
    messages: UnboundedSender<Message>,
) -> Result<Opened, NotOpened> {
    let wanted = (!incident.is_empty()).then_some(incident);
    let folder = match &lease {
        // What was taken over is what is gone on with, whatever else is called the same.
        Some(lease) => lease.folder().to_owned(),
        None => {
            let found = store::find(state, wanted).map_err(|error| {
                Problem::usage(error.to_string()).hint("`steadyhand incidents` lists what there is")
            })?;
            found.folder
        }
    };
    let incident = store::name(&folder);
    let mut also_open = Vec::new();
    if wanted.is_none() {
        let open = store::open(state).unwrap_or_default().into_iter().map(|one| one.id);
        also_open.extend(open.filter(|one| *one != incident));
    }
    let opened = match lease {
        Some(lease) => Journal::open_with(lease, actor),
        None => Journal::open(&folder, actor),
    };
    let (journal, mut records) = opened.map_err(|error| match error {
        JournalError::Lease(LeaseError::Held { .. }) => NotOpened::Held(folder.clone()),
        JournalError::Broken(fault) => Problem::refused(format!("{incident}: {fault}"))
            .hint("`steadyhand verify` says more; an altered journal is not written to")
            .into(),
        other => Problem::system(other.to_string()).into(),
    })?;
    let remember =
        |entry: Entry| journal.append(entry).map_err(|error| Problem::system(error.to_string()));
    let taken = journal.taken();
    let taken = taken.map(|(from, typed)| Entry::TakenOver { from: from.party, typed });
    let elsewhere = is_from_elsewhere(&journal);
    // On this host it is ours from here on, whatever comes of the rest.
    if let Some(taken) = taken.clone().filter(|_| !elsewhere) {
        records.push(remember(taken)?);
    }
    let (runbook, mut target, mut server) = frozen(&folder, &records, known)?;
    let shared = match shared(store.as_ref(), &records, &journal).await {
        Ok(shared) => shared,
        Err(NotOurs::Held) => return Err(NotOpened::Held(folder)),
        Err(NotOurs::Unsaid(problem)) => {
            let sentence = format!("{incident} was not taken over: {}", problem.sentence);
            return Err(Problem::refused(sentence).hint(NOT_OURS).into());
        }
        Err(NotOurs::Refused(problem)) => {
            let sentence = format!("{incident} is not gone on with: {}", problem.sentence);
            let hint = format!("{NOT_TAKEN} `steadyhand watch {incident}` follows it");
            return Err(Problem::refused(sentence).hint(hint).into());
        }
    };
    if let Some(taken) = taken.filter(|_| elsewhere) {
        records.push(remember(taken)?);
        if shared.is_none() {
            // Whoever configured no store has nobody else to say it.
            let _ = lease::store_says(&folder, Says::Nobody);
        }
    }
    if store::is_apart(&folder) {
        let _ = messages.send(Message::Store(share::News::Alone));
    }
    let folded = crate::incident::Incident::replay(&incident, &records);
    let cut_off = folded.in_doubt().is_some();
    let identity = match &server {
        Some(server) => ops::connect::identify_as(&target, server, cut_off).await,
        None if folded.is_open() => {
            let met = contact::meet(&target, known.policy, &journal).await;
            met.map(|(met, written)| {
                records.extend(written);
                (target, server) = (met.target, Some(met.identity.server.clone()));
                met.identity
            })
        }
        None => Err(Problem::unreachable("no server ever answered this incident")),
    };
    tell_same_server(shared.as_ref(), store.as_ref(), server.as_deref(), &messages).await;
    if folded.is_open() {
        // Of a program that is gone nobody will say how they ended.
        for step in folded.commands {
            let why = "it was cut off: what it did by then is not known".into();
            records.push(remember(Entry::StepFailed { step, why })?);
        }
        let step = folded.progress.current.unwrap_or_default();
        // Known already, unless more is asked by now.
        let asked = Some(contact::wanted(&target))
            .filter(|asked| records.iter().all(|one| one.entry != *asked));
        for entry in std::iter::once(Entry::Resumed { step }).chain(asked) {
            records.push(remember(entry)?);
        }
    }
    listen(&journal, messages, shared.as_ref().map(|shared| shared.bell.clone()));
    let drafts = crate::incident::drafts::all(&folder);
    Ok(Opened {
        records,
        runbook,
        target,
        server,
        identity,
        folder,
        journal,
        shared,
        resumed: true,
        also_open,
        drafts,
    })
}

fn target_seen(target: &Target, identity: Option<&Identity>) -> TargetSeen {
    let of = |what: fn(&Identity) -> &String| identity.map(what).cloned().unwrap_or_default();
    TargetSeen {
        name: target.name.clone(),
        url: target.url.to_string(),
        dialect: target.url.dialect,
        environment: target.environment.word().to_owned(),
        server: of(|identity| &identity.server),
        version: of(|identity| &identity.version),
    }
}

/// The runbook as it was frozen and the target the incident is bound to.
fn frozen(
    folder: &Path,
    records: &[Record],
    Known { targets, policy }: Known<'_>,
) -> Result<(Runbook, Target, Option<String>), Problem> {
    let broken = |why: String| {
        Problem::refused(format!("{}: {why}", folder.display()))
            .hint("`steadyhand verify` says what was altered")
    };
    let opened = records.iter().find_map(|record| match &record.entry {
        Entry::Opened { runbook, runbook_sha256, target, .. } => {
            Some((runbook, runbook_sha256, target))
        }
        _ => None,
    });
    let (id, sha256, seen) = opened.ok_or_else(|| broken("it was never opened".into()))?;
    let source = std::fs::read_to_string(folder.join("runbook.toml"))
        .map_err(|error| broken(format!("runbook.toml: {error}")))?;
    if crate::digest::sha256(source.as_bytes()) != *sha256 {
        return Err(broken("runbook.toml is not the one the incident was opened on".into()));
    }
    let runbook = crate::runbook::load::parse(&format!("{id}.toml"), "frozen", &source)
        .map_err(|_| broken("runbook.toml cannot be read by this version".into()))?;
    let known = targets.iter().find(|target| target.name == seen.name).cloned();
    let target = match known {
        Some(target) => target,
        None => Target::seen(&seen.name, &seen.url, &seen.environment)?,
    };
    let met = records.iter().find_map(|record| match &record.entry {
        Entry::Met { server, .. } => Some(server),
        _ => None,
    });
    let server = Some(&seen.server).filter(|_| seen.is_met()).or(met).cloned();
    let target = policy.over(target, server.as_deref());
    let target = records.iter().fold(target, |target, record| match &record.entry {
        Entry::Policy { approval, high_risk } => target.at_least(approval, high_risk.as_deref()),
        _ => target,
    });
    Ok((runbook, target, server))
}
