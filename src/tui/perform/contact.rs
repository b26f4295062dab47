//! Contact: the server that the open incident is bound to. An incident may be opened while none
//! answers; it is bound to the first one that does, and until then nothing is asked of anybody.

use std::sync::{Mutex as Lock, PoisonError};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Mutex, OnceCell};

use super::change::told;
use crate::config::{Bond, Policy, Target};
use crate::incident::entry::{Entry, Record};
use crate::incident::journal::Journal;
use crate::ops::Stopper;
use crate::ops::connect::{identify, stopped};
use crate::ops::pressure::Monitor;
use crate::ops::share;
use crate::problem::Problem;
use crate::tui::message::{Message, Met};

/// A server that is known, and the target whose sessions must find it.
#[derive(Debug)]
pub(super) struct Bound {
    pub target: Target,
    pub server: String,
    pub monitor: Mutex<Monitor>,
}

impl Bound {
    fn to(server: String, target: Target) -> Self {
        let target = Target { bond: Bond::To(server.clone()), ..target };
        let monitor = Monitor::new(target.clone()).into();
        Self { target, server, monitor }
    }
}

#[derive(Debug)]
pub(super) struct Contact {
    target: Target,
    policy: Policy,
    journal: Journal,
    /// Where others read it, if they do.
    store: Option<Target>,
    messages: UnboundedSender<Message>,
    bound: OnceCell<Bound>,
    /// How many tries failed, and why the last one did.
    failed: Lock<(u64, Option<Problem>)>,
}

impl Contact {
    pub fn new(
        target: &Target,
        server: Option<String>,
        policy: Policy,
        journal: &Journal,
        store: Option<Target>,
        messages: &UnboundedSender<Message>,
    ) -> Self {
        let bound = server.map(|server| Bound::to(server, target.clone()));
        Self {
            target: target.clone(),
            policy,
            journal: journal.clone(),
            store,
            messages: messages.clone(),
            bound: OnceCell::new_with(bound),
            failed: Lock::default(),
        }
    }

    /// The server, asked who it is now if none has answered so far.
    pub async fn bound(&self, stopper: &Stopper) -> Result<&Bound, Problem> {
        tokio::select! {
            biased;
            bound = self.found() => bound,
            () = stopper.stopped() => Err(stopped(&self.target)),
        }
    }

    /// One asks at a time. Whoever waited for that one hears the same, and asks only where they gave up.
    async fn found(&self) -> Result<&Bound, Problem> {
        let failed = || self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = failed().0;
        let ask = || async {
            if let (tries, Some(problem)) = &*failed()
                && *tries > before
            {
                return Err(problem.clone());
            }
            let found = self.ask().await;
            if let Err(problem) = &found {
                let mut failed = failed();
                *failed = (failed.0 + 1, Some(problem.clone()));
            }
            found
        };
        self.bound.get_or_try_init(ask).await
    }

    async fn ask(&self) -> Result<Bound, Problem> {
        if !told(&self.journal.folder())?.is_open() {
            let sentence = "no server had answered this incident when it was closed";
            return Err(Problem::refused(sentence));
        }
        let (Met { identity, target }, _) = meet(&self.target, &self.policy, &self.journal).await?;
        let bound = Bound::to(identity.server.clone(), target.clone());
        // Nobody listens any more only when the cockpit is gone.
        let _ = self.messages.send(Message::Met(Box::new(Met { identity, target })));
        if let Some(store) = self.store.clone() {
            let (server, messages) = (bound.server.clone(), self.messages.clone());
            // Nothing that asks the database waits for the store.
            tokio::spawn(async move { tell_same_server(&store, &server, &messages).await });
        }
        Ok(bound)
    }
}

/// Asks who answers, and binds the incident to it: the records say so before anything else is asked.
pub(super) async fn meet(
    target: &Target,
    policy: &Policy,
    journal: &Journal,
) -> Result<(Met, Vec<Record>), Problem> {
    let identity = identify(&Target { bond: Bond::Free, ..target.clone() }).await?;
    let (server, version) = (identity.server.clone(), identity.version.clone());
    let asked = wanted(target);
    let target = policy.over(target.clone(), Some(&server));
    // More may be asked there than of the name and the address alone.
    let more = Some(wanted(&target)).filter(|more| *more != asked);
    let entries = std::iter::once(Entry::Met { server, version }).chain(more);
    let written: Result<_, _> = entries.map(|entry| journal.append(entry)).collect();
    let records = written.map_err(|error| Problem::system(error.to_string()))?;
    Ok((Met { identity, target }, records))
}

pub(super) async fn tell_same_server(
    store: &Target,
    server: &str,
    messages: &UnboundedSender<Message>,
) {
    if share::is_same_server(store, server).await {
        let _ = messages.send(Message::Store(share::News::SameServer));
    }
}

/// What the journal remembers of who must agree.
pub(super) fn wanted(target: &Target) -> Entry {
    let (approval, high_risk) = (target.approval.word(), target.high_risk);
    Entry::Policy {
        approval: approval.to_owned(),
        high_risk: high_risk.map(|approval| approval.word().to_owned()),
    }
}
