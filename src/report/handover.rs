//! The handover card as text, Markdown and JSON.

use std::fmt::Write as _;

use crate::incident::handover::Card;
use crate::postmortem::escape;
use crate::value::visible;

/// `damage` says why there may be more than is told.
pub fn text(card: &Card, damage: Option<&str>) -> String {
    let mut out = format!("Handover {}\n", visible::text(&card.head()));
    if let Some(damage) = damage {
        let _ = writeln!(out, "\nNot whole\n  {}", visible::text(damage));
    }
    for (heading, lines) in card.sections() {
        let _ = writeln!(out, "\n{heading}");
        for line in lines {
            let lines = visible::multi_line(&line);
            let _ = writeln!(out, "  {}", lines.join("\n    "));
        }
    }
    out
}

pub fn markdown(card: &Card, damage: Option<&str>) -> String {
    let before = damage.map(|damage| format!("**Not whole**: {}\n\n", escape::inline(damage)));
    before.unwrap_or_default() + &escape::card(card)
}

pub fn json(card: &Card, damage: Option<&str>) -> String {
    let mut card = serde_json::to_value(card).expect("a card is plain data");
    if let Some(damage) = damage {
        card["damaged"] = damage.into();
    }
    super::json::line(&card)
}
