//! The program in a terminal of its own.

use std::ops::{Deref, DerefMut};

use super::home::Home;
use super::pty::{Size, Terminal};

/// `let mut cockpit = Cockpit::start(&["demo"], COMPACT);` and then the verbs of [`Terminal`].
pub struct Cockpit {
    terminal: Terminal,
    home: Home,
}

impl Cockpit {
    /// Starts with an empty home.
    pub fn start(args: &[&str], size: Size) -> Self {
        Self::start_in(Home::new(), args, size)
    }

    /// Starts in a home that was prepared, or left by another cockpit.
    pub fn start_in(home: Home, args: &[&str], size: Size) -> Self {
        let program = env!("CARGO_BIN_EXE_steadyhand");
        let terminal = Terminal::start(program, args, &home.environment(), &home.work(), size);
        Self { terminal, home }
    }

    /// The same behind a shell that does something first: `umask 0`.
    pub fn start_after(words: &str, home: Home, args: &[&str], size: Size) -> Self {
        let program = env!("CARGO_BIN_EXE_steadyhand");
        let script = format!("{words}; exec \"$0\" \"$@\"");
        let all = [&["-c", script.as_str(), program], args].concat();
        let terminal = Terminal::start("/bin/sh", &all, &home.environment(), &home.work(), size);
        Self { terminal, home }
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Ends the program if it still runs, and gives the home to the next one.
    pub fn into_home(self) -> Home {
        let Self { terminal, home } = self;
        drop(terminal);
        home
    }
}

impl Deref for Cockpit {
    type Target = Terminal;

    fn deref(&self) -> &Terminal {
        &self.terminal
    }
}

impl DerefMut for Cockpit {
    fn deref_mut(&mut self) -> &mut Terminal {
        &mut self.terminal
    }
}
