//! Postmortem: the draft that an incident writes by itself.
//!
//! `draft` gathers the facts, `markdown` and `html` write them down, `parts` keeps what people wrote
//! between the author markers, `file` puts the text on disk. The draft is complete at every moment, and the
//! same journal gives the same text again. Pure but for `file`: no clock, no database, no screen.

pub mod draft;
pub mod escape;
pub mod file;
pub mod html;
pub mod markdown;
pub mod parts;

use jiff::tz::TimeZone;

use crate::incident::Incident;
use crate::incident::chain::Head;
use crate::practice::Practice;
use crate::runbook::Runbook;
pub use draft::Draft;
pub use parts::{Part, parts, replace_part, unwritten_parts};

/// What a postmortem knows besides its own incident.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// As it was frozen, if it still can be read.
    pub runbook: Option<&'a Runbook>,
    pub practice: &'a Practice,
    /// Every incident that is remembered, for the comparison with those before.
    pub all: &'a [Incident],
}

/// The whole text, made anew; what people wrote into the old one is kept byte for byte.
pub fn regenerate(
    incident: &Incident,
    around: Around<'_>,
    old: Option<&str>,
    head: &Head,
    zone: &TimeZone,
) -> String {
    write(&Draft::of(incident, around, head), old, zone)
}

/// A draft as text, with the human parts of the old text.
pub fn write(draft: &Draft, old: Option<&str>, zone: &TimeZone) -> String {
    let blank = markdown::render(draft, &parts::Texts::default(), zone);
    let texts = parts::gather(old.unwrap_or_default(), &blank);
    markdown::render(draft, &texts, zone)
}

#[cfg(test)]
mod tests;
