//! How files of the state folder are written: whole or not at all, or line by line, so that a crash at
//! any instant leaves what was there or what is new.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::digest::Through;
use crate::rights;

/// Writes a whole file so that a crash leaves the old one or the new one.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_through(path, |out| out.write_all(bytes)).map(drop)
}

/// The same piece by piece; gives the digest.
pub fn write_through(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder)?;
    rights::settle_file(file.as_file(), folder)?;
    let mut out = BufWriter::with_capacity(1 << 16, Through::new(file));
    write(&mut out)?;
    let (file, sha256) = out.into_inner().map_err(io::IntoInnerError::into_error)?.finish();
    persist(file, path)?;
    Ok(sha256)
}

/// Puts a file that was made beside it in its place, for good.
pub fn persist(file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Adds a line, and is back when it is on disk. A line that a kill tore stays one that nobody can read.
pub fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    let mut file = rights::open(&options, path)?;
    let before = if is_torn(&mut file)? { "\n" } else { "" };
    file.write_all(format!("{before}{line}\n").as_bytes())?;
    file.sync_data()
}

/// Whether the last line was not finished.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last[0] != b'\n')
}
