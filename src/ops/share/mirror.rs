//! The mirror: an incident that another host works on, kept up to date here while it is watched. On a
//! thread of its own, because line mode has no other.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{failed, fetch_from, open};
use crate::config::Target;
use crate::engine::Stopper;
use crate::problem::Problem;

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
    loop {
        let Err(_away) = attend(at, state, incident, tell, &mut before).await;
        // What is here can be read, and its holder falls silent by itself.
        sleep(AT_LEAST).await;
    }
}

/// Over one connection that asks and one that hears, until either is lost.
async fn attend(
    at: &Target,
    state: &Path,
    incident: &str,
    tell: &Sender<String>,
    before: &mut Vec<String>,
) -> Result<Infallible, Problem> {
    let mut shelf = open(at).await?;
    let mut ear = shelf.listen().await.map_err(|error| failed(&error))?;
    loop {
        let told = fetch_from(&mut shelf, state, Some(incident)).await?;
        if told != *before {
            for line in &told {
                let _ = tell.send(line.clone());
            }
            *before = told;
        }
        if let Ok(None) = timeout(AT_LEAST, ear.hear()).await {
            return Err(Problem::unreachable("the incident store is not heard any more"));
        }
    }
}
