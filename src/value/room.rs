//! Room: what is put aside on the temporary disk leaves some of it to everybody else there. A full disk
//! on a machine that people work on would be an incident of our making.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes that stay free.
const LEFT: u64 = 256 << 20;
/// Bytes after which the file system is asked again.
const UNASKED: usize = 16 << 20;

/// A temporary file without a name: only we can open it, and nothing of it is left when the program dies.
/// It is written here and nowhere else, so that nothing is put aside without asking for room.
#[derive(Debug)]
pub struct Aside {
    file: Arc<File>,
    /// Bytes that may be written before the next question.
    known: usize,
}

impl Aside {
    pub fn new() -> io::Result<Self> {
        Ok(Self { file: Arc::new(tempfile::tempfile()?), known: 0 })
    }

    /// What is there, made if nothing is.
    pub fn of(place: &mut Option<Self>) -> io::Result<&mut Self> {
        match place {
            Some(there) => Ok(there),
            None => Ok(place.insert(Self::new()?)),
        }
    }

    /// To read from.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    fn take(&mut self, bytes: usize) -> io::Result<()> {
        if let Some(known) = self.known.checked_sub(bytes) {
            self.known = known;
            return Ok(());
        }
        let found = rustix::fs::fstatvfs(&*self.file)?;
        enough(found.f_bavail.saturating_mul(found.f_frsize), bytes as u64)?;
        self.known = UNASKED;
        Ok(())
    }
}

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes.len())?;
        (&*self.file).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn enough(free: u64, wanted: u64) -> io::Result<()> {
    if free.saturating_sub(wanted) >= LEFT {
        return Ok(());
    }
    let why = format!("the last {} MiB of this disk are left to others", LEFT >> 20);
    Err(io::Error::new(io::ErrorKind::StorageFull, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_disk_is_left_to_others() {
        assert!(enough(LEFT + 10, 10).is_ok());
        let refused = enough(LEFT + 10, 11).map_err(|error| (error.kind(), error.to_string()));
        let why = "the last 256 MiB of this disk are left to others".to_owned();
        assert_eq!(refused, Err((io::ErrorKind::StorageFull, why)));
    }

    #[test]
    fn the_file_system_is_asked_now_and_then() {
        let mut aside = Aside::new().expect("a temporary file can be made");
        assert!(aside.write_all(&[0; 100]).is_ok());
        assert_eq!(aside.known, UNASKED);
        assert!(aside.write_all(&[0; 100]).is_ok());
        assert_eq!(aside.known, UNASKED - 100);
    }
}
