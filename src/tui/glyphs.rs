//! The signs of the frame, in UTF-8 and in ASCII, each of them one column wide.
//!
//! A console without UTF-8 shows boxes or two garbage characters for a check mark; there the same
//! screen is drawn with letters. Knows the environment only through what it is handed.

use ratatui::symbols::border;

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
    /// The first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set decides, as in the C library; none
    /// means the C locale. The console of Linux has UTF-8 but no font for these signs.
    pub fn choose(env: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| env(name).filter(|value| !value.is_empty()))
            .unwrap_or_default()
            .to_ascii_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        if utf8 && env("TERM").as_deref() != Some("linux") { UTF8 } else { ASCII }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::visible;

    fn choose(pairs: &[(&str, &str)]) -> Glyphs {
        Glyphs::choose(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_locale_decides_as_in_the_c_library() {
        assert_eq!(choose(&[("LANG", "de_CH.UTF-8")]), UTF8);
        assert_eq!(choose(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]), UTF8);
        assert_eq!(choose(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]), ASCII);
        assert_eq!(choose(&[]), ASCII);
        assert_eq!(choose(&[("LANG", "C.UTF-8"), ("TERM", "linux")]), ASCII);
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
