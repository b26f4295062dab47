//! What a first start shows: three cards, a key each. Any other key leaves them, and does nothing else.

use crate::tui::command::Command;
use crate::tui::keymap::{Context, Keymap};
use crate::tui::look::Look;
use crate::tui::page::Page;
use crate::tui::theme::Role;
use crate::tui::widget::wrap::Line;

pub const CARDS: usize = 3;

/// A card, with the keys as they are bound.
pub fn card(number: usize, keymap: &Keymap, look: &Look) -> (&'static str, Vec<Line>) {
    let mut page = Page::new(look);
    let key = |context: Context, command: Command| {
        keymap.label(context, command).unwrap_or_else(|| "-".into())
    };
    let mut line = |key: &str, text: &str| {
        page.line(&[(&format!("{key:<12} "), Role::Key), (text, Role::Text)]);
    };
    let title = match number {
        0 => {
            line("first line", "which database, is it production, and when the next update is due");
            line("middle", "one step at a time: what is asked, and its answer");
            line("last line", "the keys that work now; the first is the one to press");
            "Where you are"
        }
        1 => {
            line(&key(Context::Step, Command::Confirm), "does the next useful thing");
            line(&key(Context::Global, Command::Back), "goes back and never does harm");
            line(&key(Context::Global, Command::Cancel), "stops what runs, in the database too");
            line(&key(Context::Global, Command::Oops), "takes a mistaken key back");
            line(
                "no key",
                "writes: a change is tried, rolled back and shown, and runs only after words that you type",
            );
            "What keys do"
        }
        _ => {
            line(&key(Context::Global, Command::Help), "every key that works where you are");
            line(
                &key(Context::Global, Command::Palette),
                "any command, by a few letters of its name",
            );
            line(
                &key(Context::Global, Command::Theme),
                "other colours, for your eyes and your terminal",
            );
            line(
                &key(Context::Global, Command::Quit),
                "leaves; an incident stays open and `steadyhand resume` goes on",
            );
            "When in doubt"
        }
    };
    (title, page.finish())
}
