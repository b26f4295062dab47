//! The reins of an execution in chunks: whoever holds the other end says go, pause or stop. They act
//! between two chunks, when no transaction is open.

use tokio::sync::watch;

use crate::recovery::mass::Rein;

/// Cheap to clone; all clones are the same reins.
#[derive(Debug, Clone)]
pub struct Reins(watch::Sender<Rein>);

impl Default for Reins {
    fn default() -> Self {
        Self(watch::Sender::new(Rein::Go))
    }
}

impl Reins {
    /// A stop is the last word.
    pub fn pull(&self, rein: Rein) {
        self.0.send_if_modified(|now| {
            let changes = !matches!(now, Rein::Stop(_)) && *now != rein;
            if changes {
                *now = rein;
            }
            changes
        });
    }

    pub fn now(&self) -> Rein {
        *self.0.borrow()
    }

    /// Ends when they are pulled otherwise than so.
    pub async fn other_than(&self, rein: Rein) {
        // The sender is held here, so it cannot be gone.
        let _ = self.0.subscribe().wait_for(|now| *now != rein).await;
    }
}
