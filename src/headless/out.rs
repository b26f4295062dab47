//! The one writer of everything that a headless command says.
//!
//! A reader that has seen enough (`| head`) is not a failure; a full disk is. Progress is for people
//! who watch: it appears only on a terminal, and is wiped before anything else is said. A terminal gets
//! what it can show; whatever else reads gets the bytes as they are.

use std::borrow::Cow;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::Mode;

use crate::problem::Problem;
use crate::source::{Paint, mask};
use crate::value::charset::Charset;
use crate::value::visible;

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    Auto,
    Always,
    Never,
}

pub struct Out {
    /// None when nobody reads it any more.
    stdout: Option<Box<dyn Write>>,
    stderr: Box<dyn Write>,
    /// What the terminal shows, and what of the two goes to it.
    charset: Charset,
    errors_are_watched: bool,
    /// Colours on standard output.
    pub paint: Paint,
    /// Colours on standard error.
    pub paint_errors: Paint,
    /// A person watches standard output.
    pub is_watched: bool,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nobody watches.
    Off,
    Wiped,
    Shown,
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out").field("paint", &self.paint).finish_non_exhaustive()
    }
}

impl Out {
    pub fn of_process(color: Color) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            stdout: Some(Box::new(io::stdout())),
            stderr: Box::new(io::stderr()),
            charset: Charset::choose(variable),
            errors_are_watched: err,
            paint: paint(color, out, variable),
            paint_errors: paint(color, err, variable),
            is_watched: out,
            progress: if err && variable("TERM").is_some_and(|term| term != "dumb") {
                Progress::Wiped
            } else {
                Progress::Off
            },
        }
    }

    /// Part of the result, as it is.
    pub fn put(&mut self, text: &str) -> Result<(), Problem> {
        self.wipe();
        let Some(stdout) = &mut self.stdout else { return Ok(()) };
        let text = shown(text, self.charset, self.is_watched);
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.stdout = None;
                Ok(())
            }
            Err(error) => Err(Problem::system(format!("cannot write standard output: {error}"))
                .hint("the result is incomplete; find out what became of the disk or the reader")),
        }
    }

    /// Whether a result could be put there: found out before it takes half an hour to have one.
    pub fn can_put_into(path: &Path) -> Result<(), Problem> {
        let tried = place(path).and_then(|place| match place {
            Place::File(path) => beside(&path).map(drop),
            Place::Ours | Place::Special(_) => Ok(()),
        });
        tried.map_err(|error| {
            Problem::system(format!("cannot write {}: {error}", path.display()))
                .hint("nothing was run; name another place")
        })
    }

    /// A result into a file: whole, or not at all. What is no file of its own is written as it is.
    pub fn put_into(&mut self, path: &Path, text: &str) -> Result<(), Problem> {
        let failed = |error: io::Error| {
            Problem::system(format!("cannot write {}: {error}", path.display()))
                .hint("the file is as it was; name another place")
        };
        match place(path).map_err(failed)? {
            Place::Ours => self.put(text),
            Place::Special(path) => {
                let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
                let text = shown(text, self.charset, file.is_terminal());
                file.write_all(text.as_bytes()).map_err(failed)
            }
            Place::File(path) => replace(&path, text, fs::metadata(&path).ok()).map_err(failed),
        }
    }

    /// A file of ours beside one that was named, for whoever may read that. Nobody chose what lies there
    /// already, so that it goes, and a link leads nowhere.
    pub fn put_beside(path: &Path, text: &str, of: &Path) -> Result<(), Problem> {
        let put = replace(path, text, None).and_then(|()| {
            let mode = fs::metadata(of)?.mode() & 0o666;
            fs::set_permissions(path, fs::Permissions::from_mode(mode))
        });
        put.map_err(|error| {
            Problem::system(format!("cannot write {}: {error}", path.display()))
                .hint("the folder must be one that you may write to")
        })
    }

    /// Something besides the result. Whatever stands in it is made harmless.
    pub fn say(&mut self, text: &str) {
        let lines: String =
            text.lines().map(|line| visible::text(line).into_owned() + "\n").collect();
        self.say_as_it_is(&lines);
    }

    /// The same for a text of ours that holds colours. Whatever it is about, an argument or a name may hold the
    /// password that somebody wrote in the wrong place.
    pub fn say_as_it_is(&mut self, text: &str) {
        self.wipe();
        let text = mask(text);
        let text = shown(&text, self.charset, self.errors_are_watched);
        // There is nobody left to tell that nobody can be told.
        let _ = self.stderr.write_all(text.as_bytes()).and_then(|()| self.stderr.flush());
    }

    /// A problem, for a person.
    pub fn problem(&mut self, problem: &Problem) {
        self.say(&format!("steadyhand: {problem}"));
    }

    pub fn progress(&mut self, text: &str) {
        if self.progress != Progress::Off {
            self.wipe();
            let text = self.charset.text(visible::text(text));
            let _ = write!(self.stderr, "{text}").and_then(|()| self.stderr.flush());
            self.progress = Progress::Shown;
        }
    }

    fn wipe(&mut self) {
        if self.progress == Progress::Shown {
            let _ = self.stderr.write_all(b"\r\x1b[K").and_then(|()| self.stderr.flush());
            self.progress = Progress::Wiped;
        }
    }
}

fn shown(text: &str, charset: Charset, is_terminal: bool) -> Cow<'_, str> {
    if is_terminal { charset.text(text) } else { text.into() }
}

/// What an argument says beats what the environment says, and that beats a guess.
fn paint(color: Color, terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Paint {
    let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let is = |name: &str, value: &str| variable(name).is_some_and(|set| set == value);
    let coloured = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("NO_COLOR") => false,
        Color::Auto if set("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", "0") => true,
        Color::Auto => terminal && !is("CLICOLOR", "0") && !is("TERM", "dumb"),
    };
    if coloured { Paint::Coloured } else { Paint::Plain }
}

/// The mask that the program was started with.
static USERS_MASK: OnceLock<u32> = OnceLock::new();

/// From now on whatever is written is for its owner alone: journals, evidence and backups hold rows.
/// Only a result that was asked for goes by the mask of the user, see [`Out::put_into`].
pub fn keep_to_oneself() {
    let before = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let _ = USERS_MASK.set(before.bits());
}

/// What a name that somebody gave for a result stands for.
pub(super) enum Place {
    /// A file that is there or can be made, behind all links.
    File(PathBuf),
    /// Standard output under another name.
    Ours,
    /// A device, a pipe, what another process has open.
    Special(PathBuf),
}

/// Follows links: it is what they lead to that is written, and they stay.
pub(super) fn place(path: &Path) -> io::Result<Place> {
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // A pipe that is open has no name of its own.
        Err(_) if path.exists() => path.to_owned(),
        Err(_) => match fs::read_link(path) {
            // A link to what is still to be made, as seen from the folder that the link lies in.
            Ok(to) => return place(&path.parent().unwrap_or(Path::new("")).join(to)),
            Err(_) => return Ok(Place::File(path.to_owned())),
        },
    };
    let data = fs::metadata(&real)?;
    let is_ours = rustix::fs::fstat(io::stdout())
        .is_ok_and(|ours| (ours.st_dev, ours.st_ino) == (data.dev(), data.ino()));
    Ok(match () {
        () if is_ours => Place::Ours,
        () if !data.is_file() => Place::Special(real),
        // Somebody has it open, and would go on with a file that has no name any more.
        () if ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder)) => {
            Place::Special(path.to_owned())
        }
        () => Place::File(real),
    })
}

fn beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
}

/// Puts a whole file in the place of another one, whose rights it takes over. Others may read a new one
/// as far as the user's mask lets them.
fn replace(path: &Path, text: &str, old: Option<fs::Metadata>) -> io::Result<()> {
    let mut made = beside(path)?;
    made.write_all(text.as_bytes())?;
    let file = made.as_file();
    let mode = match old {
        Some(old) => {
            // Only root may give it to somebody, and only to a group of one's own.
            let _ = fchown(file, Some(old.uid()), Some(old.gid()));
            old.mode() & 0o777
        }
        None => 0o666 & !USERS_MASK.get().copied().unwrap_or(0o077),
    };
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    made.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_beat_the_environment_and_that_beats_a_guess() {
        let with = |color, terminal, name: &str, value: &str| {
            paint(color, terminal, |asked| (asked == name).then(|| value.to_owned()))
        };
        for (color, terminal, name, value, expected) in [
            (Color::Auto, true, "", "", Paint::Coloured),
            (Color::Auto, false, "", "", Paint::Plain),
            (Color::Auto, true, "NO_COLOR", "1", Paint::Plain),
            (Color::Auto, true, "NO_COLOR", "", Paint::Coloured),
            (Color::Auto, true, "CLICOLOR", "0", Paint::Plain),
            (Color::Auto, false, "CLICOLOR_FORCE", "1", Paint::Coloured),
            (Color::Auto, true, "TERM", "dumb", Paint::Plain),
            (Color::Always, false, "NO_COLOR", "1", Paint::Coloured),
            (Color::Never, true, "CLICOLOR_FORCE", "1", Paint::Plain),
        ] {
            assert_eq!(with(color, terminal, name, value), expected, "{color:?} {name}={value}");
        }
    }
}
