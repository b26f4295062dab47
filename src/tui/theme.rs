//! Theme: what each role of a text looks like. Widgets name roles, never colours.
//!
//! Body text keeps the terminal's own colours, so no background is ever assumed; there is no pair of
//! red and green, and a theme without any colour tells everything by weight and sign. Knows no
//! widget; the environment is handed in.

#[cfg(test)]
mod contrast;
pub mod depth;
mod file;

use ratatui::style::{Color, Modifier, Style};

use crate::source::Fault;
use depth::Depth;

macro_rules! roles {
    ($($variant:ident $name:literal)*) => {
        /// What a piece of text is, as far as its look goes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Role {
            $($variant,)*
        }

        impl Role {
            pub const ALL: &[(Self, &'static str)] = &[$((Self::$variant, $name)),*];
        }
    };
}

roles! {
    Text "text"
    Title "title"
    Muted "muted"
    Border "border"
    Focus "focus"
    Selection "selection"
    Key "key"
    Ok "ok"
    Warning "warning"
    Danger "danger"
    Unknown "unknown"
    Changed "changed"
    Removed "removed"
    Production "production"
    Staging "staging"
    Development "development"
    Drill "drill"
    Null "null"
    Escaped "escaped"
    Match "match"
    Mark "mark"
    SqlWord "sql-word"
    SqlText "sql-text"
}

/// One colour of a file, and what to take instead where only sixteen are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ink {
    color: Color,
    sixteen: Option<Color>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Paint {
    fg: Option<Ink>,
    bg: Option<Ink>,
    modifiers: Modifier,
}

/// The background that the colours were chosen for; a theme cannot set that of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ground {
    Dark,
    Light,
    /// It has no colours of its own, or nobody said.
    #[default]
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    pub name: String,
    pub about: String,
    pub ground: Ground,
    paints: Vec<Paint>,
    styles: Vec<Style>,
}

/// In the place of a name: as the background of the terminal asks for it.
pub const AUTO: &str = "auto";

fn no_color(env: impl Fn(&str) -> Option<String>) -> bool {
    env("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// What some terminals say of themselves: `15;0` is white on black, `0;15` black on white.
fn ground_of(env: impl Fn(&str) -> Option<String>) -> Option<Ground> {
    let said = env("COLORFGBG")?;
    let background: u8 = said.rsplit(';').next()?.parse().ok()?;
    Some(if matches!(background, 7 | 9..=15) { Ground::Light } else { Ground::Dark })
}

/// Whether only the terminal itself can tell which theme fits. The console of a PC is dark and knows
/// no such question; `screen` swallows it.
pub fn is_open(configured: &str, env: impl Fn(&str) -> Option<String>) -> bool {
    let asked_in_vain = env("STY").is_some() || env("TERM").as_deref() == Some("linux");
    configured == AUTO && !no_color(&env) && ground_of(&env).is_none() && !asked_in_vain
}

const BUILT_IN: [(&str, &str); 7] = [
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("high-contrast-light", include_str!("../../themes/high-contrast-light.toml")),
    ("colour-blind", include_str!("../../themes/colour-blind.toml")),
    ("colour-blind-light", include_str!("../../themes/colour-blind-light.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

impl Theme {
    /// Reads a theme file; every fault at once. Roles it does not name look as in its base.
    pub fn parse(file: &str, source: &str) -> Result<Self, Vec<Fault>> {
        file::parse(file, source)
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    pub fn built_in(name: &str, depth: Depth) -> Option<Self> {
        Some(Self::raw(name)?.at(depth))
    }

    /// The theme to start with: `NO_COLOR` beats a name from the configuration, because it is said
    /// about this terminal; a name that is not built in gives `None`.
    pub fn choose(
        configured: &str,
        depth: Depth,
        env: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let name = match configured {
            _ if no_color(&env) => "mono",
            AUTO => Self::name_for(ground_of(&env).unwrap_or(Ground::Dark)),
            name => name,
        };
        Self::built_in(name, depth)
    }

    /// The theme that nobody chose, on this background.
    pub fn name_for(ground: Ground) -> &'static str {
        if ground == Ground::Light { "light" } else { "dark" }
    }

    /// The built-in theme after this one, for the key that goes through them.
    #[must_use]
    pub fn next(&self, depth: Depth) -> Self {
        let at = BUILT_IN.iter().position(|(name, _)| *name == self.name);
        let next = at.map_or(0, |at| (at + 1) % BUILT_IN.len());
        Self::built_in(BUILT_IN[next].0, depth).unwrap_or_else(|| self.clone())
    }

    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// The same theme on a terminal with this many colours.
    #[must_use]
    pub fn at(mut self, depth: Depth) -> Self {
        let ink = |ink: Ink| match ink.sixteen {
            Some(color) if depth == Depth::Sixteen => color,
            _ => depth.map(ink.color),
        };
        self.styles = self
            .paints
            .iter()
            .map(|paint| Style {
                fg: paint.fg.map(ink),
                bg: paint.bg.map(ink),
                ..Style::new().add_modifier(paint.modifiers)
            })
            .collect();
        self
    }

    fn raw(name: &str) -> Option<Self> {
        let (name, source) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(file::parse(name, source).expect("a test reads every built-in theme"))
    }

    fn bare() -> Self {
        let paints = vec![Paint::default(); Role::ALL.len()];
        let (name, about, ground) = (String::new(), String::new(), Ground::Any);
        Self { name, about, ground, paints, styles: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(theme: &str, depth: Depth, role: Role) -> Style {
        Theme::built_in(theme, depth).expect("built in").style(role)
    }

    #[test]
    fn every_built_in_theme_is_read_and_names_every_role() {
        for (name, source) in BUILT_IN {
            let theme = Theme::parse(name, source).expect("no fault");
            assert_eq!(theme.name, name);
            for (role, word) in Role::ALL {
                let named =
                    source.lines().any(|line| line.split('=').next().map(str::trim) == Some(word));
                assert!(named || *role == Role::Text, "{name} says nothing about {word}");
            }
        }
    }

    #[test]
    fn body_text_keeps_the_colours_of_the_terminal() {
        for name in Theme::names() {
            assert_eq!(style(name, Depth::True, Role::Text), Style::new(), "{name}");
        }
    }

    #[test]
    fn only_production_fills_its_background() {
        for name in Theme::names().filter(|name| *name != "mono") {
            for (role, word) in Role::ALL {
                // A search match is a word, not an area.
                if !matches!(role, Role::Match) {
                    let filled = style(name, Depth::True, *role).bg.is_some();
                    assert_eq!(filled, *role == Role::Production, "{word} in {name}");
                }
            }
        }
    }

    #[test]
    fn mono_has_no_colour_and_still_tells_production_from_the_rest() {
        let theme = Theme::built_in("mono", Depth::True).expect("built in");
        for (role, _) in Role::ALL {
            assert_eq!((theme.style(*role).fg, theme.style(*role).bg), (None, None));
        }
        assert!(theme.style(Role::Production).add_modifier.contains(Modifier::REVERSED));
        assert!(!theme.style(Role::Staging).add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn ok_and_danger_differ_at_every_depth() {
        for name in Theme::names() {
            for depth in [Depth::Sixteen, Depth::Indexed, Depth::True] {
                let (ok, danger) = (style(name, depth, Role::Ok), style(name, depth, Role::Danger));
                assert_ne!(ok, danger, "{name} at {depth:?}");
            }
        }
    }

    #[test]
    fn no_color_beats_the_configuration() {
        let with = |value: &str, configured| {
            let env = |name: &str| (name == "NO_COLOR").then(|| value.to_owned());
            Theme::choose(configured, Depth::True, env).map(|t| t.name)
        };
        assert_eq!(with("1", "light").as_deref(), Some("mono"));
        assert_eq!(with("", "light").as_deref(), Some("light"));
        assert_eq!(with("", AUTO).as_deref(), Some("dark"));
        assert_eq!(with("", "solarised"), None);
    }

    #[test]
    fn what_the_environment_says_of_the_background_needs_no_question() {
        let on = |name: &'static str, value: &'static str| {
            move |asked: &str| (asked == name).then(|| value.to_owned())
        };
        let chosen = |env: &dyn Fn(&str) -> Option<String>| {
            Theme::choose(AUTO, Depth::True, env).map(|theme| theme.name)
        };
        assert_eq!(chosen(&on("COLORFGBG", "0;15")).as_deref(), Some("light"));
        assert_eq!(chosen(&on("COLORFGBG", "15;default;0")).as_deref(), Some("dark"));
        assert!(is_open(AUTO, on("TERM", "xterm")));
        for (name, value) in
            [("COLORFGBG", "0;15"), ("NO_COLOR", "1"), ("TERM", "linux"), ("STY", "1.x")]
        {
            assert!(!is_open(AUTO, on(name, value)), "{name}");
        }
        assert!(!is_open("dark", on("TERM", "xterm")));
    }

    #[test]
    fn the_key_goes_through_all_themes_and_around() {
        let mut theme = Theme::built_in("dark", Depth::True).expect("built in");
        for _ in BUILT_IN {
            theme = theme.next(Depth::True);
        }
        assert_eq!(theme.name, "dark");
    }
}
