//! Files beside the journal: evidence and requests, laid down by whoever has the lease, before the entry
//! that names them.

use std::io;
use std::path::PathBuf;

use super::{EVIDENCE, Journal, JournalError, REQUESTS, io_error, settle_inside};
use crate::files::{persist, write_through};
use crate::incident::entry::Evidence;

impl Journal {
    /// Writes a file of evidence, synced, with owner-only rights; the name and digest go into an
    /// entry of the caller.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<Evidence, JournalError> {
        self.keep_in(EVIDENCE, name, |out| out.write_all(bytes))
    }

    /// The same for a request and for what is signed under it, which lie in a folder of their own so
    /// that a second person finds them.
    pub fn keep_request(&self, name: &str, bytes: &[u8]) -> Result<Evidence, JournalError> {
        self.keep_in(REQUESTS, name, |out| out.write_all(bytes))
    }

    /// The same for a file too large to be held: it is digested while it is written.
    pub fn keep_written(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<Evidence, JournalError> {
        self.keep_in(EVIDENCE, name, write)
    }

    /// The same for a file that was made in that folder while rows came, by whoever has its digest.
    pub fn keep_made(
        &self,
        name: &str,
        file: tempfile::NamedTempFile,
    ) -> Result<PathBuf, JournalError> {
        let folder = self.lock().ours()?.folder().join(EVIDENCE);
        let path = folder.join(name);
        let kept = persist(file, &path).map_err(io_error("cannot write", &path));
        self.lock().ours()?;
        kept.map(|()| path)
    }

    fn keep_in(
        &self,
        inside: &str,
        name: &str,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<Evidence, JournalError> {
        let folder = self.lock().ours()?.folder().join(inside);
        settle_inside(&folder)?;
        let path = folder.join(name);
        let sha256 = write_through(&path, write).map_err(io_error("cannot write", &path))?;
        // It took its time, and nothing that is lost meanwhile may follow from it.
        self.lock().ours()?;
        Ok(Evidence { file: format!("{inside}/{name}"), sha256 })
    }
}
