//! The one question that is sent to the terminal, which background it has, and the answer to it.
//!
//! Nothing waits for the answer: it comes between the keys, as keys, whenever it comes. It is taken
//! out of them here, also when it is so late that it is of no use any more: its letters are commands.

use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::tui::theme::Ground;

/// What asks, in the form that every terminal either answers or ignores.
pub const QUESTION: &[u8] = b"\x1b]11;?\x1b\\";

/// Later than this the colours under somebody's eyes stay as they are.
const IN_TIME: Duration = Duration::from_millis(50);
/// A key that a broken sequence was torn from came just before.
const TORN: Duration = Duration::from_millis(50);
/// Longer or slower than any answer: these are keys after all.
const LONGEST: usize = 48;
const SLOWEST: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Reply {
    asked: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// With the moment of the last escape key.
    Waiting(Option<Instant>),
    Taking {
        text: String,
        since: Instant,
    },
    Over,
}

/// What a key was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// A key of the operator.
    Key,
    /// A part of the answer.
    Part,
    /// The end of an answer that came in time.
    Ground(Ground),
}

impl Reply {
    pub fn new(asked: Instant) -> Self {
        Self { asked, state: State::Waiting(None) }
    }

    /// No question was sent.
    pub fn none(now: Instant) -> Self {
        Self { asked: now, state: State::Over }
    }

    pub fn take(&mut self, event: &Event, now: Instant) -> Taken {
        let Event::Key(key) = event else { return Taken::Key };
        if key.kind == KeyEventKind::Release {
            return Taken::Key;
        }
        match &mut self.state {
            State::Over => Taken::Key,
            State::Waiting(escape) => {
                let torn = escape.is_some_and(|at| now.duration_since(at) <= TORN);
                *escape = (key.code == KeyCode::Esc).then_some(now);
                if !begins(*key, torn) {
                    return Taken::Key;
                }
                self.state = State::Taking { text: String::new(), since: now };
                Taken::Part
            }
            State::Taking { text, since } => {
                if text.len() > LONGEST || now.duration_since(*since) > SLOWEST {
                    self.state = State::Over;
                    return Taken::Key;
                }
                match (key.code, key.modifiers) {
                    (KeyCode::Esc, _) => Taken::Part,
                    (KeyCode::Char('\\'), _) | (KeyCode::Char('g'), KeyModifiers::CONTROL) => {
                        let ground = ground(text);
                        self.state = State::Over;
                        match ground {
                            Some(ground) if now.duration_since(self.asked) <= IN_TIME => {
                                Taken::Ground(ground)
                            }
                            _ => Taken::Part,
                        }
                    }
                    (KeyCode::Char(c), _) => {
                        text.push(c);
                        Taken::Part
                    }
                    _ => Taken::Part,
                }
            }
        }
    }
}

/// `ESC ]` is read as alt-], or as two keys where the line tore it apart.
fn begins(key: KeyEvent, torn: bool) -> bool {
    key.code == KeyCode::Char(']') && (key.modifiers == KeyModifiers::ALT || torn)
}

/// `11;rgb:1e1e/1e1e/1e1e`, with one to four digits a colour.
fn ground(text: &str) -> Option<Ground> {
    let colours = text.strip_prefix("11;rgb:").or_else(|| text.strip_prefix("11;rgba:"))?;
    let mut parts = colours.split('/').map(|part| {
        let digits = u32::try_from(part.len()).ok().filter(|digits| (1..=4).contains(digits))?;
        let most = f64::from(16u32.pow(digits) - 1);
        u32::from_str_radix(part, 16).ok().map(|value| f64::from(value) / most)
    });
    let mut next = || parts.next().flatten();
    let (red, green, blue) = (next()?, next()?, next()?);
    let bright = 0.299 * red + 0.587 * green + 0.114 * blue;
    Some(if bright > 0.5 { Ground::Light } else { Ground::Dark })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    /// As crossterm reads the bytes of an answer.
    fn answer(colours: &str, end: Event) -> Vec<Event> {
        let begin = key(KeyCode::Char(']'), KeyModifiers::ALT);
        let text = format!("11;rgb:{colours}");
        let text = text.chars().map(|c| key(KeyCode::Char(c), KeyModifiers::NONE));
        [begin].into_iter().chain(text).chain([end]).collect()
    }

    fn st() -> Event {
        key(KeyCode::Char('\\'), KeyModifiers::ALT)
    }

    fn last(reply: &mut Reply, events: &[Event], now: Instant) -> Taken {
        let mut last = Taken::Key;
        for event in events {
            last = reply.take(event, now);
            assert_ne!(last, Taken::Key, "{event:?} got through");
        }
        last
    }

    #[test]
    fn an_answer_in_time_tells_the_background() {
        let start = Instant::now();
        let bell = key(KeyCode::Char('g'), KeyModifiers::CONTROL);
        for (colours, end, ground) in [
            ("1e1e/1e1e/1e1e", st(), Ground::Dark),
            ("ffff/ffff/ffff", st(), Ground::Light),
            ("fd/f6/e3", bell, Ground::Light),
        ] {
            let mut reply = Reply::new(start);
            let now = start + Duration::from_millis(20);
            assert_eq!(last(&mut reply, &answer(colours, end), now), Taken::Ground(ground));
            // What comes now is typed.
            assert_eq!(reply.take(&key(KeyCode::Char('r'), KeyModifiers::NONE), now), Taken::Key);
        }
    }

    #[test]
    fn a_late_answer_changes_nothing_and_is_no_key() {
        let start = Instant::now();
        let mut reply = Reply::new(start);
        let late = start + Duration::from_secs(9);
        assert_eq!(last(&mut reply, &answer("ffff/ffff/ffff", st()), late), Taken::Part);
    }

    #[test]
    fn an_answer_that_the_line_tore_apart_is_no_key_either() {
        let start = Instant::now();
        let mut reply = Reply::new(start);
        assert_eq!(reply.take(&key(KeyCode::Esc, KeyModifiers::NONE), start), Taken::Key);
        let mut events = answer("0/0/0", key(KeyCode::Char('\\'), KeyModifiers::NONE));
        events[0] = key(KeyCode::Char(']'), KeyModifiers::NONE);
        events.insert(events.len() - 1, key(KeyCode::Esc, KeyModifiers::NONE));
        assert_eq!(last(&mut reply, &events, start), Taken::Ground(Ground::Dark));
    }

    #[test]
    fn keys_of_the_operator_are_left_alone() {
        let start = Instant::now();
        let mut reply = Reply::new(start);
        for code in [KeyCode::Esc, KeyCode::Char('1'), KeyCode::Char(']'), KeyCode::Enter] {
            assert_eq!(reply.take(&key(code, KeyModifiers::NONE), start), Taken::Key);
        }
        // Esc, and a moment later the key for the next step.
        assert_eq!(reply.take(&key(KeyCode::Esc, KeyModifiers::NONE), start), Taken::Key);
        let later = start + Duration::from_millis(200);
        assert_eq!(reply.take(&key(KeyCode::Char(']'), KeyModifiers::NONE), later), Taken::Key);
    }

    #[test]
    fn something_that_never_ends_is_typed_after_all() {
        let start = Instant::now();
        let mut reply = Reply::new(start);
        reply.take(&key(KeyCode::Char(']'), KeyModifiers::ALT), start);
        let later = start + Duration::from_secs(3);
        assert_eq!(reply.take(&key(KeyCode::Char('q'), KeyModifiers::NONE), later), Taken::Key);
    }
}
