//! The mirror: an incident that another host works on, kept up to date here while it is watched. On a
//! thread of its own, because line mode has no other.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{fetch, open};
use crate::config::Target;
use crate::engine::{Ear, Stopper};

/// So long a holder is believed without a word of the store is longer than this.
const AT_LEAST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Mirror {
    stopper: Stopper,
    told: Receiver<String>,
}

impl Mirror {
    pub fn start(at: Target, state: PathBuf, incident: String) -> Self {
        let stopper = Stopper::default();
        let stopped = stopper.clone();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                tokio::select! {
                    () = stopped.stopped() => {}
                    () = follow(&at, &state, &incident, &tell) => {}
                }
            });
        });
        Self { stopper, told }
    }
}

impl Mirror {
    /// What must be told since the last time.
    pub fn told(&self) -> Option<String> {
        self.told.try_iter().last()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}

async fn follow(at: &Target, state: &Path, incident: &str, tell: &Sender<String>) {
    let mut before = Vec::new();
    let mut ear: Option<Ear> = None;
    loop {
        if ear.is_none()
            && let Ok(shelf) = open(at).await
        {
            ear = shelf.listen().await.ok();
            shelf.close().await;
        }
        // Away or not: what is here can be read, and its holder falls silent by itself.
        let fetched = fetch(at, state, Some(incident)).await;
        if let Ok(told) = &fetched
            && *told != before
        {
            told.iter().for_each(|line| drop(tell.send(line.clone())));
            before.clone_from(told);
        }
        match &mut ear {
            Some(heard) if fetched.is_ok() => {
                if let Ok(None) = timeout(AT_LEAST, heard.hear()).await {
                    ear = None;
                }
            }
            _ => {
                ear = None;
                sleep(AT_LEAST).await;
            }
        }
    }
}
