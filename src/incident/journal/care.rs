//! What the holder of a lease has to do for it while nothing is written: give signs of life, hear who
//! asks, and see that it is lost.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::awaited::{lay_down, settle};
use super::{Inner, JournalError};
use crate::incident::entry::Evidence;
use crate::incident::lease::{self, Holder, Request};

/// What a holder has to know of its lease.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// Somebody asks to take over.
    Asked(Request),
    /// The question is gone again.
    Withdrawn,
    /// Somebody else holds the lease now.
    Lost(Option<Holder>),
}

/// Looks after the lease of a journal that is open; does not keep it open.
#[derive(Debug, Default, Clone)]
pub struct Care {
    inner: Weak<Mutex<Inner>>,
    asked: Option<Request>,
}

impl Care {
    pub(super) fn of(inner: &Arc<Mutex<Inner>>) -> Self {
        Self { inner: Arc::downgrade(inner), asked: None }
    }

    /// Somebody on another host writes: from now on no handle of this journal can.
    pub fn surrender(&self) {
        if let Some(inner) = self.inner.upgrade() {
            let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            (inner.writer, inner.surrendered) = (None, true);
        }
    }

    /// A file came that the incident waits for. The journal is held up only while that is noted.
    pub fn arrive(&self, file: &Evidence, bytes: &[u8]) -> Result<(), JournalError> {
        let inner = self.inner.upgrade().ok_or(JournalError::Lost)?;
        let ours = || inner.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = ours().ours()?.folder().to_owned();
        lay_down(&folder, file, bytes)?;
        settle(ours().ours()?, file)
    }

    /// Gives a sign of life and looks for what others want. None when the journal is closed.
    pub fn look(&mut self) -> Option<Option<News>> {
        let inner = self.inner.upgrade()?;
        let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.surrendered {
            return None;
        }
        let folder = inner.folder.clone();
        match &mut inner.writer {
            Some(writer) if writer.lease.is_ours() => writer.lease.beat(),
            _ => {
                inner.writer = None;
                return Some(Some(News::Lost(lease::holder(&folder))));
            }
        }
        let asked = Request::read(&folder).filter(|request| request.refused.is_none());
        if asked == self.asked {
            return Some(None);
        }
        self.asked.clone_from(&asked);
        Some(Some(asked.map_or(News::Withdrawn, News::Asked)))
    }
}
