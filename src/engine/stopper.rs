//! Stops what a session is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Stops what a session is doing, from any thread. One stopper belongs to one piece of work.
#[derive(Debug, Clone, Default)]
pub struct Stopper(Arc<Stop>);

#[derive(Debug, Default)]
struct Stop {
    asked: AtomicBool,
    bell: Notify,
}

impl Stopper {
    pub fn stop(&self) {
        self.0.asked.store(true, Ordering::Release);
        self.0.bell.notify_waiters();
    }

    /// Nobody else could be stopped by it any more.
    pub fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    pub fn is_stopped(&self) -> bool {
        self.0.asked.load(Ordering::Acquire)
    }

    /// Ends when somebody stops.
    pub async fn stopped(&self) {
        let mut bell = std::pin::pin!(self.0.bell.notified());
        bell.as_mut().enable();
        if !self.is_stopped() {
            bell.await;
        }
    }
}
