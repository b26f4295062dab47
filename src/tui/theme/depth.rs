//! How many colours the terminal can show, and the nearest of them to the one that was asked for.
//!
//! `ssh` does not forward `COLORTERM`, so true colour is used only where somebody says so; a colour
//! that the terminal does not know would come out as black on black.

use ratatui::style::Color;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    Sixteen,
    Indexed,
    True,
}

impl Depth {
    pub fn choose(env: impl Fn(&str) -> Option<String>) -> Self {
        let term = env("TERM").unwrap_or_default();
        match env("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => return Self::True,
            _ if term.ends_with("-direct") => return Self::True,
            _ => {}
        }
        let few = ["linux", "screen", "ansi", "cygwin", "vt100", "vt102", "vt220", "xterm-16color"];
        if few.contains(&term.as_str()) { Self::Sixteen } else { Self::Indexed }
    }

    /// The nearest colour of this depth. Names and indexes below 16 stay: the user's own palette
    /// says how they look.
    pub fn map(self, color: Color) -> Color {
        match (self, color) {
            (Self::Indexed, Color::Rgb(r, g, b)) => Color::Indexed(nearest(r, g, b, 16..=255)),
            (Self::Sixteen, Color::Rgb(r, g, b)) => basic(nearest(r, g, b, 0..=15)),
            (Self::Sixteen, Color::Indexed(index)) => {
                let (r, g, b) = rgb(index);
                basic(if index < 16 { index } else { nearest(r, g, b, 0..=15) })
            }
            (_, other) => other,
        }
    }
}

fn nearest(r: u8, g: u8, b: u8, among: std::ops::RangeInclusive<u8>) -> u8 {
    let distance = |index: &u8| {
        let (r2, g2, b2) = rgb(*index);
        let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
        // Weights near to how the eye sees brightness: green most, blue least.
        3 * square(r, r2) + 6 * square(g, g2) + square(b, b2)
    };
    among.min_by_key(distance).unwrap_or(7)
}

/// What xterm shows for an index.
pub(super) fn rgb(index: u8) -> (u8, u8, u8) {
    const BASIC: [(u8, u8, u8); 16] = [
        (0, 0, 0),
        (205, 0, 0),
        (0, 205, 0),
        (205, 205, 0),
        (0, 0, 238),
        (205, 0, 205),
        (0, 205, 205),
        (229, 229, 229),
        (127, 127, 127),
        (255, 0, 0),
        (0, 255, 0),
        (255, 255, 0),
        (92, 92, 255),
        (255, 0, 255),
        (0, 255, 255),
        (255, 255, 255),
    ];
    match index {
        0..=15 => BASIC[usize::from(index)],
        16..=231 => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let n = index - 16;
            (level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        232..=255 => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}

/// Sixteen-colour terminals know the old sequences only, not `38;5;n`.
pub(super) fn basic(index: u8) -> Color {
    match index {
        0 => Color::Black,
        1 => Color::Red,
        2 => Color::Green,
        3 => Color::Yellow,
        4 => Color::Blue,
        5 => Color::Magenta,
        6 => Color::Cyan,
        7 => Color::Gray,
        8 => Color::DarkGray,
        9 => Color::LightRed,
        10 => Color::LightGreen,
        11 => Color::LightYellow,
        12 => Color::LightBlue,
        13 => Color::LightMagenta,
        14 => Color::LightCyan,
        _ => Color::White,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_colour_only_where_somebody_says_so() {
        let depth = |colorterm: &str, term: &str| {
            Depth::choose(|name| match name {
                "COLORTERM" => Some(colorterm.to_owned()),
                "TERM" => Some(term.to_owned()),
                _ => None,
            })
        };
        assert_eq!(depth("truecolor", "xterm-256color"), Depth::True);
        assert_eq!(depth("", "xterm-direct"), Depth::True);
        assert_eq!(depth("", "xterm-256color"), Depth::Indexed);
        assert_eq!(depth("", "tmux"), Depth::Indexed);
        assert_eq!(depth("", "screen"), Depth::Sixteen);
        assert_eq!(depth("", "linux"), Depth::Sixteen);
    }

    #[test]
    fn a_colour_becomes_the_nearest_one_there_is() {
        let orange = Color::Rgb(255, 135, 0);
        assert_eq!(Depth::True.map(orange), orange);
        assert_eq!(Depth::Indexed.map(orange), Color::Indexed(208));
        assert_eq!(Depth::Indexed.map(Color::Rgb(8, 8, 8)), Color::Indexed(232));
        assert_eq!(Depth::Sixteen.map(Color::Rgb(250, 10, 10)), Color::LightRed);
        assert_eq!(Depth::Sixteen.map(Color::Indexed(231)), Color::White);
        assert_eq!(Depth::Sixteen.map(Color::Reset), Color::Reset);
    }
}
