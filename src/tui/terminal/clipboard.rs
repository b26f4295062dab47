//! The clipboard of the terminal: OSC 52, wrapped for what may be between it and us.
//!
//! Nobody answers, so all that can be said is that it was sent. A terminal drops a string that is too
//! long, and tells nobody; so none is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The bytes that terminals take: more makes a sequence of over a hundred thousand.
pub const MOST: usize = 74_994;

/// What is between us and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    Nothing,
    Tmux,
    Screen,
}

impl Between {
    pub fn see(env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
        let term = env("TERM").unwrap_or_default();
        if set("TMUX") {
            Self::Tmux
        } else if set("STY") || term.starts_with("screen") {
            Self::Screen
        } else {
            Self::Nothing
        }
    }

    /// What can be said of a copy: it was asked for, and what helps if nothing arrives.
    pub fn asked(self, what: &str, instead: &str) -> String {
        let through = match self {
            Self::Nothing => "",
            Self::Tmux => {
                "tmux wants `set -s set-clipboard on` or `set -g allow-passthrough on`, or "
            }
            Self::Screen => "screen may hold it back, ",
        };
        format!("asked the terminal to copy {what}; if nothing arrives: {through}{instead}")
    }
}

/// The bytes that put a text into the clipboard.
pub fn sequence(text: &str, between: Between) -> Vec<u8> {
    /// `screen` takes strings of 256 bytes, its own marks included.
    const PIECE: usize = 240;
    let plain = format!("\x1b]52;c;{}\x07", STANDARD.encode(text));
    match between {
        Between::Nothing => plain.into_bytes(),
        // For tmux itself, which keeps a copy and hands it on if it is told to, and through it to the
        // terminal: what arrives twice is the same.
        Between::Tmux => {
            let through = plain.replace('\x1b', "\x1b\x1b");
            format!("{plain}\x1bPtmux;{through}\x1b\\").into_bytes()
        }
        Between::Screen => {
            let pieces = plain.as_bytes().chunks(PIECE);
            pieces.flat_map(|piece| [b"\x1bP", piece, b"\x1b\\"].concat()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_multiplexer_hands_it_through_in_its_own_wrapping() {
        let plain = b"\x1b]52;c;MTcsIDIz\x07";
        assert_eq!(sequence("17, 23", Between::Nothing), plain);
        let tmux = sequence("17, 23", Between::Tmux);
        let through = b"\x1bPtmux;\x1b\x1b]52;c;MTcsIDIz\x07\x1b\\";
        assert_eq!(tmux, [&plain[..], through].concat());
        let long = sequence(&"x".repeat(1_000), Between::Screen);
        let text = String::from_utf8(long).expect("ASCII");
        let pieces: Vec<&str> =
            text.split("\x1b\\").map(|piece| piece.trim_start_matches("\x1bP")).collect();
        assert!(pieces.iter().all(|piece| piece.len() <= 240));
        let whole = String::from_utf8(sequence(&"x".repeat(1_000), Between::Nothing));
        assert_eq!(pieces.concat(), whole.expect("ASCII"));
    }

    #[test]
    fn the_longest_that_is_sent_is_what_terminals_take() {
        let sent = sequence(&"x".repeat(MOST), Between::Nothing).len();
        assert!((99_990..=100_000).contains(&sent), "{sent}");
    }

    #[test]
    fn what_is_between_is_seen_by_its_variables() {
        let of = |pairs: &'static [(&str, &str)]| {
            Between::see(|name| {
                pairs.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned())
            })
        };
        assert_eq!(of(&[("TERM", "xterm-256color")]), Between::Nothing);
        assert_eq!(of(&[("TERM", "screen-256color"), ("TMUX", "/tmp/x,1,0")]), Between::Tmux);
        assert_eq!(of(&[("TERM", "screen")]), Between::Screen);
    }
}
