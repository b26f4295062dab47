//! The terminal of whoever started a command, whatever its standard input is: for words that only a
//! person can type, after they could read what for.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::thread::sleep;
use std::time::Duration;

use rustix::termios::{QueueSelector, tcflush};

use crate::problem::Problem;
use crate::value::charset::Charset;
use crate::value::visible;

/// Nobody reads a question and begins to answer it within this time; the rest of a paste comes.
const QUIET: Duration = Duration::from_millis(300);
/// Longer than any answer.
const LONGEST: u64 = 4096;

#[derive(Debug)]
pub struct Tty(File);

impl Tty {
    pub fn open() -> Result<Self, Problem> {
        let opened = OpenOptions::new().read(true).write(true).open("/dev/tty");
        opened.map(Self).map_err(|error| {
            Problem::usage(format!("there is no terminal to type the words at: {error}"))
                .hint("nothing was signed; run it at a terminal, over ssh with -t")
        })
    }

    /// Asks, and takes only what was typed after the question stood there.
    pub fn ask(&mut self, question: &str) -> Result<String, Problem> {
        let failed = |error: io::Error| Problem::system(format!("the terminal failed: {error}"));
        sleep(QUIET);
        tcflush(&self.0, QueueSelector::IFlush).map_err(|error| failed(error.into()))?;
        let charset = Charset::choose(|name| std::env::var(name).ok());
        write!(self.0, "\n{}", charset.text(visible::text(question))).map_err(failed)?;
        self.0.flush().map_err(failed)?;
        let mut line = String::new();
        let input = self.0.try_clone().map_err(failed)?;
        let read = BufReader::new(input.take(LONGEST)).read_line(&mut line).map_err(failed)?;
        if read == 0 {
            return Err(Problem::refused("nothing was typed; nothing was signed"));
        }
        Ok(line.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}
