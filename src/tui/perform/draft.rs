//! Drafts go to disk in their order, on a thread of their own: a slow disk must not hold up a key.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::{ForTerminal, World};
use crate::incident::drafts;
use crate::tui::effect::EditFor;
use crate::tui::message::Message;

/// What is to be done in an incident's folder.
#[derive(Debug)]
enum Job {
    Keep {
        folder: PathBuf,
        name: String,
        text: String,
    },
    Forget {
        folder: PathBuf,
        name: String,
    },
    /// Says when everything before it is done.
    Done(Sender<()>),
}

#[derive(Debug)]
pub struct Drafts {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Drafts {
    /// `broken` hears why a draft could not be written, the first time.
    pub fn start(broken: impl Fn(String) + Send + 'static) -> Self {
        let (jobs, todo) = channel();
        let thread = thread::Builder::new().name("drafts".into());
        let thread = thread.spawn(move || work(&todo, broken)).ok();
        Self { jobs: Some(jobs), thread }
    }

    pub fn keep(&self, folder: PathBuf, name: String, text: String) {
        self.send(Job::Keep { folder, name, text });
    }

    pub fn forget(&self, folder: PathBuf, name: String) {
        self.send(Job::Forget { folder, name });
    }

    /// Waits until what was asked for is on disk.
    pub fn flush(&self) {
        let (done, wait) = channel();
        self.send(Job::Done(done));
        let _ = wait.recv();
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Drafts {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(todo: &Receiver<Job>, broken: impl Fn(String)) {
    let mut told = false;
    while let Ok(job) = todo.recv() {
        let done: io::Result<()> = match job {
            Job::Keep { folder, name, text } => drafts::keep(&folder, &name, &text),
            Job::Forget { folder, name } => drafts::forget(&folder, &name),
            Job::Done(done) => {
                let _ = done.send(());
                Ok(())
            }
        };
        if let (Err(error), false) = (done, told) {
            told = true;
            broken(error.to_string());
        }
    }
}

impl World {
    fn drafts(&mut self) -> &Drafts {
        let messages = self.messages.clone();
        self.drafts.get_or_insert_with(|| {
            Drafts::start(move |why| _ = messages.send(Message::DraftFailed(why)))
        })
    }

    pub(super) fn keep_draft(&mut self, name: String, text: String) {
        let Some(folder) = self.desk.as_ref().map(|desk| desk.folder.clone()) else { return };
        self.drafts().keep(folder, name, text);
    }

    pub(super) fn forget_draft(&mut self, name: String) {
        let Some(folder) = self.desk.as_ref().map(|desk| desk.folder.clone()) else { return };
        self.drafts().forget(folder, name);
    }

    pub(super) fn edit_outside(
        &mut self,
        text: String,
        purpose: EditFor,
        name: &str,
    ) -> Option<ForTerminal> {
        let folder = self.desk.as_ref()?.folder.clone();
        self.drafts().keep(folder.clone(), name.to_owned(), text.clone());
        self.drafts().flush();
        let file = drafts::path(&folder, name);
        Some(ForTerminal::Edit { text, purpose, file })
    }
}
