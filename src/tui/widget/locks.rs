//! Who waits for whom: whoever holds things up stands first, those who wait below, as deep as the queue
//! is, each with a bar as long as it has waited.

use super::wrap::{Line, Piece};
use crate::tui::look::Look;
use crate::tui::theme::Role;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub who: String,
    pub seconds: u64,
    /// The session it waits for, named as `who` names it.
    pub on: String,
    pub table: String,
    pub sql: String,
}

/// Cells of the longest bar.
const BAR: u64 = 12;
/// Deeper queues are drawn no deeper.
const DEEPEST: usize = 6;

/// The picture; `about` says what a session that waits for nobody does.
pub fn lines(waits: &[Wait], about: impl Fn(&str) -> String, look: &Look) -> Vec<Line> {
    let longest = waits.iter().map(|wait| wait.seconds).max().unwrap_or(0).max(1);
    let mut picture =
        Picture { waits, longest, look, drawn: vec![false; waits.len()], out: vec![] };
    let mut roots: Vec<&str> = Vec::new();
    for wait in waits {
        let waits_itself = waits.iter().any(|other| other.who == wait.on);
        if !waits_itself && !roots.contains(&wait.on.as_str()) {
            roots.push(&wait.on);
        }
    }
    for root in roots {
        let waiting = waits.iter().filter(|wait| wait.on == root).count();
        picture.out.push(vec![
            Piece::new(format!("  {} ", look.glyphs.mark), look.style(Role::Danger)),
            Piece::new(root, look.style(Role::Title)),
            Piece::new(format!("  holds up {waiting}  "), look.style(Role::Danger)),
            Piece::new(about(root), look.style(Role::Muted)),
        ]);
        picture.behind(root, 1);
    }
    // What is left waits in a circle: nobody stands at its head.
    while let Some(at) = picture.drawn.iter().position(|drawn| !drawn) {
        picture.out.push(vec![
            Piece::new(format!("  {} ", look.glyphs.bad), look.style(Role::Danger)),
            Piece::new("each waits for the other", look.style(Role::Danger)),
        ]);
        picture.draw(at, 1);
    }
    picture.out
}

struct Picture<'a> {
    waits: &'a [Wait],
    longest: u64,
    look: &'a Look,
    drawn: Vec<bool>,
    out: Vec<Line>,
}

impl Picture<'_> {
    fn behind(&mut self, who: &str, depth: usize) {
        for at in 0..self.waits.len() {
            if self.waits[at].on == who && !self.drawn[at] {
                self.draw(at, depth);
            }
        }
    }

    fn draw(&mut self, at: usize, depth: usize) {
        self.drawn[at] = true;
        let Wait { who, seconds, table, sql, .. } = &self.waits[at];
        let look = self.look;
        let margin = "   ".repeat(depth.min(DEEPEST));
        let cells = (seconds * BAR).div_ceil(self.longest).max(1);
        let bar = look.glyphs.full.repeat(usize::try_from(cells).unwrap_or(1));
        let on = if table.is_empty() { String::new() } else { format!("  for {table}") };
        self.out.push(vec![
            Piece::new(format!("{margin}{} ", look.glyphs.branch), look.style(Role::Border)),
            Piece::new(who, look.style(Role::Text)),
            Piece::new(format!("  waits {seconds} s "), look.style(Role::Warning)),
            Piece::new(bar, look.style(Role::Warning)),
            Piece::new(on, look.style(Role::Text)),
        ]);
        if !sql.is_empty() {
            self.out.push(vec![
                Piece::new(format!("{margin}   "), look.style(Role::Text)),
                Piece::new(sql, look.style(Role::Muted)),
            ]);
        }
        self.behind(&self.waits[at].who.clone(), depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::tests::{ascii, look};

    fn wait(who: &str, seconds: u64, on: &str) -> Wait {
        let (who, on) = (who.to_owned(), on.to_owned());
        Wait { who, seconds, on, table: "orders".into(), sql: String::new() }
    }

    fn drawn(waits: &[Wait], look: &Look) -> Vec<String> {
        let about = |_: &str| "idle in transaction for 48 s".to_owned();
        let text = |line: Line| line.into_iter().map(|piece| piece.text).collect::<String>();
        lines(waits, about, look).into_iter().map(text).collect()
    }

    #[test]
    fn who_holds_things_up_stands_above_those_who_wait() {
        let waits = [wait("b", 40, "a"), wait("c", 20, "b"), wait("d", 1, "a")];
        assert_eq!(
            drawn(&waits, &look()),
            [
                "  ● a  holds up 2  idle in transaction for 48 s",
                "   └ b  waits 40 s ████████████  for orders",
                "      └ c  waits 20 s ██████  for orders",
                "   └ d  waits 1 s █  for orders",
            ]
        );
        assert!(drawn(&waits, &ascii()).iter().all(|line| line.is_ascii()));
    }

    #[test]
    fn a_circle_is_drawn_once() {
        let waits = [wait("a", 2, "b"), wait("b", 2, "a")];
        let lines = drawn(&waits, &look());
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(lines[0].contains("each waits for the other"));
        assert!(drawn(&[], &look()).is_empty());
    }
}
