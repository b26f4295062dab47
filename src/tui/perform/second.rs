//! The second person: the request that is written for them, and the signature that comes back.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use super::{Desk, World};
use crate::clock;
use crate::digest::sha256;
use crate::incident::entry::{Deed, Entry, Evidence};
use crate::incident::journal::{JournalError, REQUESTS};
use crate::ops;
use crate::recovery::request::{About, Person};
use crate::recovery::{Plan, Preview, Request};
use crate::signature;
use crate::tui::message::{Message, Signed, Unsigned};

impl World {
    pub(super) fn ask_second(
        &mut self,
        plan: &Plan,
        preview: &Preview,
        deed: Deed,
    ) -> Result<(), JournalError> {
        let Some(desk) = self.desk.clone() else { return Ok(()) };
        let (request, evidence) = self.written(&desk, plan, preview)?;
        let (step, op) = (request.step.clone(), request.operation.clone());
        let (words, expires) = (request.words(), request.expires);
        self.append(Entry::Requested { step, op, deed, words, expires, evidence })?;
        self.send(Message::Requested(Arc::new(request)));
        Ok(())
    }

    /// Whoever reviews it sees what it was.
    pub(super) fn break_glass(
        &mut self,
        plan: &Plan,
        preview: &Preview,
        deed: Deed,
        reason: String,
    ) -> Result<(), JournalError> {
        let Some(desk) = self.desk.clone() else { return Ok(()) };
        let (request, evidence) = self.written(&desk, plan, preview)?;
        let (step, op) = (request.step, request.operation);
        let within = jiff::SignedDuration::try_from(self.seconding.review()).unwrap_or_default();
        let review_due = request.created + within;
        self.append(Entry::GlassBroken { step, op, deed, reason, review_due, evidence })
    }

    /// What is asked, as a file beside the journal.
    fn written(
        &self,
        desk: &Desk,
        plan: &Plan,
        preview: &Preview,
    ) -> Result<(Request, Evidence), JournalError> {
        let folder = desk.folder.file_name().unwrap_or_default();
        let about = About {
            incident: folder.to_string_lossy().into_owned(),
            engine: desk.target.url.dialect.key().to_owned(),
            environment: desk.target.environment.word().to_owned(),
            requester: Person {
                name: self.actor.clone(),
                account: ops::second::account(),
                host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            },
            now: clock::now(),
            valid: self.seconding.valid(),
        };
        let request = Request::of(plan, preview, about);
        let evidence = desk.journal.keep_request(&request.file(), &request.bytes())?;
        Ok((request, evidence))
    }

    /// A signature that is not the one known lies beside the request.
    pub(super) fn look_for_signature(&mut self, request: Arc<Request>, known: Option<String>) {
        let Some(desk) = &self.desk else { return };
        let path = desk.folder.join(REQUESTS).join(format!("{}.sig", request.file()));
        let Some(text) = read(&path) else { return };
        let Some(signers) = &self.seconding.signers else { return };
        if known.as_deref() != Some(&tried(&text, &signers.value)) {
            self.check_signature(request, text);
        }
    }

    pub(super) fn check_signature(&mut self, request: Arc<Request>, text: String) {
        let Some(desk) = self.desk.clone() else { return };
        let Some(signers) = self.seconding.signers.clone().map(|set| set.value) else { return };
        self.spawn(async move {
            let (step, op) = (request.step.clone(), request.operation.clone());
            let digest = tried(&text, &signers);
            let checked = tokio::task::spawn_blocking(move || {
                let seconded = ops::second::check(&request, &text, &signers)?;
                let signature = signature::armored(&text).unwrap_or(text);
                // Whoever signs beside the request later must not write over what was taken.
                let own = sha256(signature.as_bytes());
                let name = format!("{}.{}.sig", request.file(), &own[..12]);
                let kept = desk.journal.keep_request(&name, signature.as_bytes());
                let evidence = kept.map_err(|error| error.to_string())?;
                let list = fs::read(&signers).map_err(|error| error.to_string())?;
                let signers_sha256 = sha256(&list);
                Ok(Box::new(Signed { seconded, evidence, signers_sha256 }))
            });
            let checked = checked.await.unwrap_or_else(|_| Err("a task of ours failed".into()));
            let signed = checked.map_err(|why| Unsigned { op, sha256: digest, why });
            Message::Signed { step, signed }
        });
    }
}

/// What was tried: the same signature may hold by another list.
fn tried(text: &str, signers: &Path) -> String {
    let list = fs::read(signers).unwrap_or_default();
    sha256(&[text.as_bytes(), &list].concat())
}

/// A plain file of no more than a signature's length; whatever else lies there is none.
fn read(path: &Path) -> Option<String> {
    const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    const AT_ONCE: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut open = fs::OpenOptions::new();
    let file = open.read(true).custom_flags(NO_LINK | AT_ONCE).open(path).ok()?;
    let found = file.metadata().ok()?;
    if !found.is_file() || found.len() > signature::LONGEST as u64 {
        return None;
    }
    let mut text = String::new();
    file.take(signature::LONGEST as u64).read_to_string(&mut text).ok()?;
    Some(text)
}
