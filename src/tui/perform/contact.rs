//! Contact: the server that the open incident is bound to. An incident may be opened while none
//! answers; it is bound to the first one that does, and until then nothing is asked of anybody.

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Mutex, OnceCell};

use crate::config::{Bond, Policy, Target};
use crate::incident::entry::{Entry, Record};
use crate::incident::journal::Journal;
use crate::ops::connect::identify;
use crate::ops::pressure::Monitor;
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
    messages: UnboundedSender<Message>,
    bound: OnceCell<Bound>,
}

impl Contact {
    pub fn new(
        target: &Target,
        server: Option<String>,
        policy: Policy,
        journal: &Journal,
        messages: &UnboundedSender<Message>,
    ) -> Self {
        let bound = server.map(|server| Bound::to(server, target.clone()));
        Self {
            target: target.clone(),
            policy,
            journal: journal.clone(),
            messages: messages.clone(),
            bound: OnceCell::new_with(bound),
        }
    }

    /// The server, asked who it is now if none has answered so far.
    pub async fn bound(&self) -> Result<&Bound, Problem> {
        self.bound
            .get_or_try_init(|| async {
                let met = meet(&self.target, &self.policy, &self.journal).await;
                let (Met { identity, target }, _) = met?;
                let bound = Bound::to(identity.server.clone(), target.clone());
                // Nobody listens any more only when the cockpit is gone.
                let _ = self.messages.send(Message::Met(Box::new(Met { identity, target })));
                Ok(bound)
            })
            .await
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

/// What the journal remembers of who must agree.
pub(super) fn wanted(target: &Target) -> Entry {
    let (approval, high_risk) = (target.approval.word(), target.high_risk);
    Entry::Policy {
        approval: approval.to_owned(),
        high_risk: high_risk.map(|approval| approval.word().to_owned()),
    }
}
