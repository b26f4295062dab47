//! Who may read and write what lies in an incident's folder: its owner alone, unless an administrator
//! made the folder of all incidents one of a group.
//!
//! That is said where the system keeps such things: a folder with the set-group-id bit and group
//! write (`install -d -m 2770 -g dba /srv/steadyhand`). What is made below it is the group's too.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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
