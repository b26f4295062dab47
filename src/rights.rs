//! Who may read and write what lies in the state folder: its owner alone, unless an administrator made
//! that folder, or the one of all incidents in it, one of a group. It then is the group's from there down.
//!
//! That is said where the system keeps such things: a folder with the set-group-id bit and group
//! write (`install -d -m 2770 -g dba /srv/steadyhand`). What is made below it is the group's too.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const GROUP: u32 = 0o2020;

fn is_shared(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & GROUP == GROUP)
}

/// Makes a folder as private, or as shared, as the one it lies in.
pub fn settle_folder(folder: &Path) -> io::Result<()> {
    let shared = folder.parent().is_some_and(is_shared);
    let wanted = if shared { 0o2770 } else { 0o700 };
    if fs::metadata(folder)?.permissions().mode() & 0o7777 == wanted {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(wanted))
}

/// The same for a file in a folder; its owner alone can do it, and did when it was made.
pub fn settle_file(file: &File, folder: &Path) -> io::Result<()> {
    let wanted = if is_shared(folder) { 0o660 } else { 0o600 };
    if file.metadata()?.permissions().mode() & 0o7777 == wanted {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(wanted))
}

/// Makes folders inside each other below one that may be an administrator's; gives the last.
pub fn folders(base: &Path, names: &[&str]) -> io::Result<PathBuf> {
    fs::create_dir_all(base)?;
    let mut folder = base.to_owned();
    for name in names {
        let shared = is_shared(&folder);
        folder.push(name);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if shared {
            others_too(settle_folder(&folder))?;
        }
    }
    Ok(folder)
}

/// Opens a file, which is the group's too where its folder is.
pub fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.open(path)?;
    if let Some(folder) = path.parent().filter(|folder| is_shared(folder)) {
        others_too(settle_file(&file, folder))?;
    }
    Ok(file)
}

/// What is somebody else's, who let us in, is theirs to settle.
fn others_too(settled: io::Result<()>) -> io::Result<()> {
    match settled {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        settled => settled,
    }
}
