//! Room: what is put aside on the temporary disk leaves some of it to everybody else there. A full disk
//! on a machine that people work on would be an incident of our making.

use std::fs::File;
use std::io;

/// Bytes that stay free.
const LEFT: u64 = 256 << 20;
/// Bytes after which the file system is asked again.
const UNASKED: usize = 16 << 20;

/// Asked before something is put aside.
#[derive(Debug, Default)]
pub struct Room {
    /// Bytes that may be written before the next question.
    known: usize,
}

impl Room {
    pub fn take(&mut self, file: &File, bytes: usize) -> io::Result<()> {
        if let Some(known) = self.known.checked_sub(bytes) {
            self.known = known;
            return Ok(());
        }
        let found = rustix::fs::fstatvfs(file)?;
        enough(found.f_bavail.saturating_mul(found.f_frsize), bytes as u64)?;
        self.known = UNASKED;
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
        let file = tempfile::tempfile().expect("a temporary file can be made");
        let mut room = Room::default();
        assert!(room.take(&file, 100).is_ok());
        assert_eq!(room.known, UNASKED);
        assert!(room.take(&file, 100).is_ok());
        assert_eq!(room.known, UNASKED - 100);
    }
}
