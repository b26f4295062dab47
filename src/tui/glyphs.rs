//! The signs of the frame, in UTF-8 and in ASCII, each of them one column wide.
//!
//! A console without UTF-8 shows boxes or two garbage characters for a check mark; there the same
//! screen is drawn with letters. Knows the environment only through what it is handed.

use ratatui::symbols::border;

use crate::value::charset::Charset;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    pub utf8: bool,
    pub ok: &'static str,
    pub bad: &'static str,
    pub unknown: &'static str,
    /// The cursor of a list or table.
    pub here: &'static str,
    /// A step that is open now.
    pub current: &'static str,
    pub todo: &'static str,
    pub skipped: &'static str,
    pub blocked: &'static str,
    pub mark: &'static str,
    /// New since the last look.
    pub new: &'static str,
    pub required: &'static str,
    pub arrow: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub more: &'static str,
    pub separator: &'static str,
    pub vertical: &'static str,
    pub horizontal: &'static str,
    /// A cell of a bar, and of one that must be told from it.
    pub full: &'static str,
    pub shade: &'static str,
    /// What hangs below what stands above it.
    pub branch: &'static str,
    /// From nothing to the largest.
    pub spark: [&'static str; 8],
    pub border: border::Set<'static>,
}

pub const UTF8: Glyphs = Glyphs {
    utf8: true,
    ok: "✓",
    bad: "✗",
    unknown: "?",
    here: "▸",
    current: "▶",
    todo: "○",
    skipped: "–",
    blocked: "!",
    mark: "●",
    new: "+",
    required: "*",
    arrow: "→",
    up: "▲",
    down: "▼",
    more: "…",
    separator: "·",
    vertical: "│",
    horizontal: "─",
    full: "█",
    shade: "▒",
    branch: "└",
    spark: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    border: border::PLAIN,
};

pub const ASCII: Glyphs = Glyphs {
    utf8: false,
    ok: "ok",
    bad: "x",
    unknown: "?",
    here: ">",
    current: ">",
    todo: "o",
    skipped: "-",
    blocked: "!",
    mark: "*",
    new: "+",
    required: "*",
    arrow: "->",
    up: "^",
    down: "v",
    more: "...",
    separator: "-",
    vertical: "|",
    horizontal: "-",
    full: "#",
    shade: "+",
    branch: "`-",
    spark: ["_", ".", ",", "-", "=", "+", "*", "#"],
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
};

impl Glyphs {
    /// What may stand beside these signs, line by line.
    pub fn charset(&self) -> Charset {
        if self.utf8 { Charset::Utf8 } else { Charset::Ascii }
    }

    /// The console of Linux has UTF-8 but no font for these signs.
    pub fn choose(charset: Charset, env: impl Fn(&str) -> Option<String>) -> Self {
        let drawn = charset == Charset::Utf8 && env("TERM").as_deref() != Some("linux");
        if drawn { UTF8 } else { ASCII }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::visible;

    #[test]
    fn the_console_of_linux_has_no_font_for_signs() {
        let term = |term: &'static str| move |_: &str| Some(term.to_owned());
        assert_eq!(Glyphs::choose(Charset::Utf8, term("xterm")), UTF8);
        assert_eq!(Glyphs::choose(Charset::Utf8, term("linux")), ASCII);
        assert_eq!(Glyphs::choose(Charset::Ascii, term("xterm")), ASCII);
    }

    #[test]
    fn a_sign_is_harmless_and_narrow() {
        for set in [UTF8, ASCII] {
            for sign in [set.here, set.current, set.todo, set.mark, set.up, set.vertical] {
                assert_eq!(visible::width(sign), 1, "{sign}");
                assert_eq!(visible::text(sign), sign);
            }
        }
        assert!(ASCII.spark.iter().chain([&ASCII.arrow, &ASCII.more]).all(|s| s.is_ascii()));
    }
}
