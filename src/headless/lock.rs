//! One run of a suite on a target at a time, over all processes of a machine.
//!
//! The lock is the kernel's and dies with its holder; what stands in the file only says who that is.
//! A file that is not empty and not locked belongs to a run that did not come to its end.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use jiff::Timestamp;

use crate::digest::sha256;
use crate::rights;

#[derive(Debug)]
pub struct Lock(File);

#[derive(Debug)]
pub enum Taken {
    /// With what a run left that did not end.
    Ours(Lock, Option<String>),
    /// By whom.
    Theirs(String),
}

/// Takes the lock of a suite on a target.
pub fn take(state: &Path, slug: &str, suite: &str, now: Timestamp) -> io::Result<Taken> {
    let folder = rights::folders(state, &["locks"])?;
    let path = folder.join(format!("{slug}--{}.lock", plain(suite)));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = rights::open(&options, &path)?;
    let is_ours = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        // Not held by anybody, but the file system gives no locks: another run would never be seen.
        Err(TryLockError::Error(error)) => return Err(error),
    };
    let mut said = String::new();
    // Whatever cannot be read only names nobody.
    let _ = file.read_to_string(&mut said);
    let said = said.trim().to_owned();
    if !is_ours {
        return Ok(Taken::Theirs(if said.is_empty() { "another process".into() } else { said }));
    }
    file.set_len(0)?;
    io::Seek::rewind(&mut file)?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let since = now.strftime("%Y-%m-%d %H:%M:%S UTC");
    write!(file, "process {} on {host}, since {since}", std::process::id())?;
    Ok(Taken::Ours(Lock(file), Some(said).filter(|said| !said.is_empty())))
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A file that keeps its text only makes the next run say more than it should.
        let _ = self.0.set_len(0);
    }
}

/// A name as a part of a file name: itself, or what is left of it and a digest, so that no two names have
/// one and none leads elsewhere.
pub fn plain(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let kept: String = name.chars().map(keep).collect();
    if kept == name && !name.is_empty() && !name.starts_with('.') {
        return kept;
    }
    format!("{}-{}", kept.replace('.', "_"), &sha256(name.as_bytes())[..8])
}
