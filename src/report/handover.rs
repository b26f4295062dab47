//! The handover card as text, Markdown and JSON.

use std::fmt::Write as _;

use crate::incident::handover::Card;
use crate::value::visible;

pub fn text(card: &Card) -> String {
    let mut out = format!("Handover {}\n", visible::text(&card.head()));
    for (heading, lines) in card.sections() {
        let _ = writeln!(out, "\n{heading}");
        for line in lines {
            let _ = writeln!(out, "  {}", visible::text(&line));
        }
    }
    out
}

pub fn markdown(card: &Card) -> String {
    visible::multi_line(&card.markdown()).join("\n")
}

pub fn json(card: &Card) -> String {
    super::json::line(&serde_json::to_value(card).expect("a card is plain data"))
}
