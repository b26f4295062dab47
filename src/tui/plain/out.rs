//! Where lines go: harmless, in ASCII where the locale has nothing else, and no control character
//! but the end of the line.

use std::io::{self, Write};

use crate::value::charset::Charset;
use crate::value::visible;

#[derive(Debug)]
pub struct Out<W> {
    to: W,
    charset: Charset,
    /// The prompt stands on the last line, perhaps with half an answer behind it.
    at_prompt: bool,
}

impl<W: Write> Out<W> {
    pub fn new(to: W, charset: Charset) -> Self {
        Self { to, charset, at_prompt: false }
    }

    /// Lines with an empty one before them, so that blocks can be told apart.
    pub fn block(&mut self, lines: &[String]) -> io::Result<()> {
        let mut text = String::new();
        if std::mem::take(&mut self.at_prompt) {
            text.push('\n');
        }
        text.push('\n');
        for line in lines {
            text.push_str(self.harmless(line).trim_end());
            text.push('\n');
        }
        self.to.write_all(text.as_bytes())?;
        self.to.flush()
    }

    pub fn prompt(&mut self, words: &str) -> io::Result<()> {
        let before = if std::mem::replace(&mut self.at_prompt, true) { "\n" } else { "" };
        let text = format!("{before}{} > ", self.harmless(words));
        self.to.write_all(text.as_bytes())?;
        self.to.flush()
    }

    /// A terminal shows what is typed; for what comes from elsewhere we do, so that a log is whole.
    pub fn heard(&mut self, line: &str, shown: bool) -> io::Result<()> {
        if std::mem::take(&mut self.at_prompt) && !shown {
            let text = format!("{}\n", self.harmless(line));
            self.to.write_all(text.as_bytes())?;
            self.to.flush()?;
        }
        Ok(())
    }

    /// Whoever writes next begins a line.
    pub fn end(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.at_prompt) {
            self.to.write_all(b"\n")?;
        }
        self.to.flush()
    }

    fn harmless(&self, line: &str) -> String {
        self.charset.text(visible::text(line)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(charset: Charset, lines: &[&str]) -> String {
        let mut out = Out::new(Vec::new(), charset);
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        out.block(&lines).expect("a vector takes all");
        String::from_utf8(out.to).expect("text")
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_out() {
        let text = written(Charset::Utf8, &["a\u{1b}[31mb\u{7}", "\u{202e}c  "]);
        assert_eq!(text, "\na\\e[31mb\\x07\n<U+202E>c\n");
    }

    #[test]
    fn without_utf_8_every_sign_has_a_likeness_or_a_number() {
        assert_eq!(written(Charset::Ascii, &["NULL → 3…", "é"]), "\nNULL -> 3...\n<U+00E9>\n");
    }

    #[test]
    fn news_do_not_stand_behind_a_prompt() {
        let mut out = Out::new(Vec::new(), Charset::Utf8);
        out.prompt("home").expect("written");
        out.block(&["news".into()]).expect("written");
        out.prompt("home").expect("written");
        out.heard("?", false).expect("written");
        assert_eq!(String::from_utf8(out.to).expect("text"), "home > \n\nnews\nhome > ?\n");
    }
}
