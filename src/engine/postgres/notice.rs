//! What the server says besides a result: the driver only logs it, so a logger listens.
//!
//! The logger is one for the whole program and hears the driver's notices alone. Which session they
//! belong to is known by the task that was waiting for the server at that moment.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

type Notices = Arc<Mutex<Vec<String>>>;

tokio::task_local! {
    static LISTENING: Notices;
}

/// More than this in one go is a loop that raises; the first ones say it.
const KEPT: usize = 100;

struct Ear;

impl Log for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::postgres::notice" && metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let word = if record.level() <= Level::Warn { "warning" } else { "notice" };
        let text = format!("{word}: {}", record.args());
        // Nobody listens while a connection is opened.
        let _ = LISTENING.try_with(|notices| {
            let mut notices = kept(notices);
            if notices.len() < KEPT && !notices.contains(&text) {
                notices.push(text);
            }
        });
    }

    fn flush(&self) {}
}

/// From now on notices are heard.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if log::set_logger(&Ear).is_ok() {
            log::set_max_level(LevelFilter::Info);
        }
    });
}

/// Awaits with an ear on the server.
pub fn heard<F: Future>(notices: &Notices, work: F) -> impl Future<Output = F::Output> {
    LISTENING.scope(Arc::clone(notices), work)
}

pub fn kept(notices: &Notices) -> MutexGuard<'_, Vec<String>> {
    notices.lock().unwrap_or_else(PoisonError::into_inner)
}
