//! Watch: an incident that somebody else works on, followed live on the screens of a replay; and the
//! way from watching to working, which leads over the lease.
//!
//! What lies on disk is looked at once a second and read only when it changed. Nothing here can write
//! into a journal: what can is the lease that is brought home when the incident is taken over.

pub mod lines;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::app::App;
use super::effect::Effect;
use super::overlay::{Ask, Overlay, Purpose};
use super::replay::moment;
use crate::clock;
use crate::config::Target;
use crate::incident::entry::Record;
use crate::incident::lease::{self, BEAT, Forced, Holder, Lease, LeaseError, Request, SILENT};
use crate::incident::{journal, store};
use crate::ops::share::{Mirror, Told};

const HEARD: &str = "the incident store is heard again";

/// How an incident is watched.
#[derive(Debug, Clone)]
pub struct Asked {
    pub login: String,
    /// How long a holder has to answer before the lease can be taken by typed words.
    pub patience: Duration,
    /// Where incidents of other hosts come from.
    pub store: Option<Target>,
}

/// What one look found.
#[derive(Debug, Default)]
pub struct Seen {
    pub at: Timestamp,
    /// All records, if there are other ones than before.
    pub records: Option<Vec<Record>>,
    /// Why the journal cannot be followed any further, if so.
    pub trouble: Option<String>,
    /// The store is heard again.
    pub heard: bool,
    pub holder: Option<Holder>,
    /// What we asked, and what was answered to it.
    pub request: Option<Request>,
}

/// What is known of the one who works, on the screens.
#[derive(Debug)]
pub struct Watching {
    pub patience: Duration,
    pub holder: Option<Holder>,
    pub request: Option<Request>,
}

/// The way to the disk.
#[derive(Debug)]
pub struct Watcher {
    folder: PathBuf,
    asked: Asked,
    request: Option<Request>,
    /// The file as it was read last: which one, and how long.
    read: (u64, u64),
    mirror: Option<Mirror>,
}

impl Watcher {
    pub fn new(folder: PathBuf, asked: Asked) -> Self {
        // What only this host wrote is nowhere else.
        let store = asked.store.clone().filter(|_| !store::is_apart(&folder));
        let mirror = store.map(|store| Mirror::start(store, folder.clone()));
        Self { folder, asked, request: None, read: (0, 0), mirror }
    }

    /// How long until the next look.
    pub const EVERY: Duration = BEAT;

    pub fn begin(&self) -> Watching {
        let patience = self.asked.patience;
        Watching { patience, holder: lease::holder(&self.folder), request: None }
    }

    pub fn look(&mut self) -> Seen {
        let mut seen = Seen { at: clock::now(), ..Seen::default() };
        let meta = fs::metadata(self.folder.join("journal.jsonl"));
        let now = meta.map_or((0, 0), |meta| (meta.ino(), meta.len()));
        if now != self.read {
            self.read = now;
            match journal::read(&self.folder) {
                Ok((records, _, fault)) => {
                    seen.records = Some(records);
                    seen.trouble = fault.map(|fault| fault.to_string());
                }
                Err(error) => seen.trouble = Some(error.to_string()),
            }
        }
        let told = self.mirror.as_ref().map(Mirror::told).unwrap_or_default();
        seen.heard = told.last() == Some(&Told::HeardAgain);
        let troubles = told.into_iter().filter_map(|told| match told {
            Told::Trouble(why) => Some(why),
            Told::HeardAgain => None,
        });
        let troubles: Vec<String> = troubles.collect();
        let told = (!troubles.is_empty()).then(|| troubles.join("; "));
        seen.trouble = seen.trouble.or(told);
        seen.holder = lease::holder(&self.folder);
        if let Some(ours) = &self.request {
            let answered = Request::read(&self.folder);
            seen.request = answered.filter(|now| now.by == ours.by && now.at == ours.at);
            self.request.clone_from(&seen.request);
        }
        seen
    }

    /// Whoever asked has it as soon as it is free.
    pub fn is_given(&mut self) -> Option<Lease> {
        let refused = self.request.as_ref()?.refused.is_some();
        if refused { None } else { self.take().ok() }
    }

    /// The lease if nobody has it; else its holder is asked.
    pub fn ask(&mut self) -> Result<Option<Lease>, String> {
        match self.take() {
            Ok(lease) => return Ok(Some(lease)),
            Err(LeaseError::Held { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
        let elsewhere = lease::elsewhere(&self.folder);
        if elsewhere.is_some_and(|holder| !holder.is_silent(clock::now())) {
            return Err(format!(
                "it is worked on on another host; it is free when they leave, and can be taken \
                 when no sign of life came for {} s",
                SILENT.as_secs()
            ));
        }
        let request = Request::make(&self.folder, &self.asked.login, clock::now());
        self.request = Some(request.map_err(|error| {
            format!("it cannot be asked for, this login may only read the incident: {error}")
        })?);
        Ok(None)
    }

    pub fn force(&mut self, forced: Forced) -> Result<Lease, String> {
        Lease::take_by_force(&self.folder, &self.asked.login, forced)
            .map_err(|error| error.to_string())
    }

    fn take(&self) -> Result<Lease, LeaseError> {
        Lease::take(&self.folder, &self.asked.login)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if self.request.is_some() {
            lease::forget_request(&self.folder);
        }
    }
}

impl Watching {
    /// Whether typed words are enough by now.
    pub fn may_force(&self, now: Timestamp) -> bool {
        let both = self.request.as_ref().zip(self.holder.as_ref());
        both.is_some_and(|(request, holder)| request.may_force(holder, self.patience, now))
    }

    /// Who works here, in few words.
    pub fn line(&self, now: Timestamp) -> String {
        let Some(holder) = &self.holder else { return "nobody works on it".into() };
        let age = holder.seen.map_or(i64::MAX, |seen| now.duration_since(seen).as_secs());
        let (party, pid) = (&holder.party, holder.party.pid);
        if holder.is_silent(now) && age < 0 {
            format!("held by {party} (process {pid}), no sign of life since the clock was set back")
        } else if holder.is_silent(now) {
            format!("held by {party} (process {pid}), no sign of life for {age} s")
        } else {
            format!("held by {party} (process {pid}) since {} UTC", holder.since.strftime("%H:%M"))
        }
    }
}

/// One look came back.
pub fn seen(app: &mut App, seen: Seen) {
    let before = std::mem::replace(&mut app.now, seen.at);
    let Some(watching) = app.replay.as_mut().and_then(|replay| replay.watching.as_mut()) else {
        return;
    };
    let could = watching.may_force(before);
    watching.holder = seen.holder;
    watching.request = seen.request;
    let can = watching.may_force(seen.at);
    let refused = watching.request.as_ref().and_then(|request| request.refused.clone());
    if let Some(who) = refused {
        watching.request = None;
        app.complain(format!("{who} goes on with it and does not hand it over now"));
    } else if can && !could {
        force(app);
    }
    if let Some(records) = seen.records {
        moment::grow(app, records);
    }
    if let Some(trouble) = seen.trouble {
        app.complain(trouble);
    }
    if seen.heard {
        app.say(HEARD);
    }
}

/// The key that asks to take over, and asks for the words where nobody answers.
pub fn take_over(app: &mut App) -> Vec<Effect> {
    let Some(watching) = app.replay.as_ref().and_then(|replay| replay.watching.as_ref()) else {
        moment::refuse(app);
        return Vec::new();
    };
    if watching.may_force(app.now) {
        force(app);
        return Vec::new();
    }
    if watching.request.is_some() {
        app.say("asked already; who works on it has seen it");
        return Vec::new();
    }
    vec![Effect::AskTakeOver]
}

fn force(app: &mut App) {
    let (Some(case), Some(replay)) = (&app.case, &app.replay) else { return };
    let Some(holder) = replay.watching.as_ref().and_then(|one| one.holder.clone()) else { return };
    let words = Forced::words(&case.incident.id);
    let question = format!(
        "{} does not answer\n{holder}\nWhoever takes over goes on alone. That cockpit can then write \
         nothing any more, and only watches when it wakes up.\nType  {words}",
        holder.party.login
    );
    app.cover(Overlay::ask(Ask::new(Purpose::TakeOver, &question).expecting(&words)));
}

/// The words were typed.
pub fn forced(app: &App, typed: &str) -> Result<Vec<Effect>, String> {
    let watching = app.replay.as_ref().and_then(|replay| replay.watching.as_ref());
    let both = watching.and_then(|one| Some((one, one.holder.as_ref()?, one.request.as_ref()?)));
    let (Some((watching, holder, request)), Some(case)) = (both, &app.case) else {
        return Err("there is nobody to take it from any more; esc goes back".into());
    };
    let patience = watching.patience;
    let forced = Forced::new(typed, &case.incident.id, request, holder, patience, app.now);
    let forced = forced.ok_or("who works on it may still answer; esc goes back")?;
    Ok(vec![Effect::TakeOver(forced)])
}
