//! The program in a terminal of its own.

use std::ops::{Deref, DerefMut};

use super::home::{Home, assert_discreet};
use super::pty::{Size, Terminal};

/// `let mut cockpit = Cockpit::start(&["demo"], COMPACT);` and then the verbs of [`Terminal`].
pub struct Cockpit {
    terminal: Terminal,
    /// There until it is given to the next one.
    home: Option<Home>,
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
        Self { terminal, home: Some(home) }
    }

    /// The same behind a shell that does something first: `umask 0`.
    pub fn start_after(words: &str, home: Home, args: &[&str], size: Size) -> Self {
        let program = env!("CARGO_BIN_EXE_steadyhand");
        let script = format!("{words}; exec \"$0\" \"$@\"");
        let all = [&["-c", script.as_str(), program], args].concat();
        let terminal = Terminal::start("/bin/sh", &all, &home.environment(), &home.work(), size);
        Self { terminal, home: Some(home) }
    }

    /// Somebody else starts the program in the same home, which stays ours.
    pub fn beside(&self, login: &str, args: &[&str], size: Size) -> Self {
        let (program, home) = (env!("CARGO_BIN_EXE_steadyhand"), self.home());
        let mut environment = home.environment();
        for (name, value) in &mut environment {
            if name == "USER" || name == "LOGNAME" {
                login.clone_into(value);
            }
        }
        let terminal = Terminal::start(program, args, &environment, &home.work(), size);
        Self { terminal, home: None }
    }

    pub fn home(&self) -> &Home {
        self.home.as_ref().expect("it goes with the cockpit")
    }

    /// Ends the program if it still runs, and gives the home to the next one.
    pub fn into_home(mut self) -> Home {
        self.home.take().expect("it goes with the cockpit")
    }
}

impl Drop for Cockpit {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_discreet("what was sent to the terminal", &self.terminal.raw_output());
        }
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
