//! Theme: what each role of a text looks like. Widgets name roles, never colours.
//!
//! Body text keeps the terminal's own colours, so no background is ever assumed; there is no pair of
//! red and green, and a theme without any colour tells everything by weight and sign. Knows no
//! widget; the environment is handed in.

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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    pub name: String,
    pub about: String,
    paints: Vec<Paint>,
    styles: Vec<Style>,
}

const BUILT_IN: [(&str, &str); 4] = [
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
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
        configured: Option<&str>,
        depth: Depth,
        env: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let no_color = env("NO_COLOR").is_some_and(|value| !value.is_empty());
        let name = if no_color { "mono" } else { configured.unwrap_or("dark") };
        Self::built_in(name, depth)
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
        Self { name: String::new(), about: String::new(), paints, styles: Vec::new() }
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
            Theme::choose(configured, Depth::True, |_| Some(value.to_owned())).map(|t| t.name)
        };
        assert_eq!(with("1", Some("light")).as_deref(), Some("mono"));
        assert_eq!(with("", Some("light")).as_deref(), Some("light"));
        assert_eq!(with("", None).as_deref(), Some("dark"));
        assert_eq!(with("", Some("solarised")), None);
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
