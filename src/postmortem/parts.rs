//! The parts of a postmortem that people write, between author markers.
//!
//! `<!-- yours: NAME -->` and `<!-- end: NAME -->`, each on a line of its own. What stands between
//! them belongs to the author and survives every regeneration byte for byte. Where a marker was
//! damaged, nothing tells any more which lines are whose: then every line that the program would
//! not write itself goes into the part "kept". Pure.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A part as it is in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub title: &'static str,
    /// The question that stands there until it is answered.
    pub prompt: &'static str,
    /// What the author wrote, without the last line break; empty while only the question is there.
    pub text: String,
    pub required: bool,
}

/// A part that every postmortem has.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    pub name: &'static str,
    pub title: &'static str,
    pub prompt: &'static str,
    pub required: bool,
}

/// Where text goes that lost its place.
pub const KEPT: &str = "kept";

pub const SPECS: [Spec; 8] = [
    Spec {
        name: "summary",
        title: "In your words",
        prompt: "What happened, for somebody who was not there, in two or three sentences?",
        required: false,
    },
    Spec {
        name: "impact",
        title: "What it meant",
        prompt: "Who was affected, and what could they not do?",
        required: false,
    },
    Spec {
        name: "detection",
        title: "Seen sooner?",
        prompt: "Which check should have seen it sooner, and why did it not?",
        required: false,
    },
    Spec {
        name: "contributing-factors",
        title: "Contributing factors",
        prompt: "What made this possible? More than one thing: code, data, process, load, people's knowledge.",
        required: true,
    },
    Spec {
        name: "surprise",
        title: "Why we were surprised",
        prompt: "What did you believe about the system that was not so?",
        required: true,
    },
    Spec {
        name: "well",
        title: "What went well",
        prompt: "What helped, and should stay as it is?",
        required: false,
    },
    Spec {
        name: "badly",
        title: "What went badly",
        prompt: "What cost time, or made it worse?",
        required: false,
    },
    Spec {
        name: "luck",
        title: "Where we got lucky",
        prompt: "What could have made it much worse, and did not by chance?",
        required: false,
    },
];

/// Texts by the name of their part, as they stand between the markers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(BTreeMap<String, String>);

impl Texts {
    /// What is written between the markers of a part: the author's text, or the question.
    pub fn between(&self, spec: &Spec) -> String {
        self.0.get(spec.name).cloned().unwrap_or_else(|| question(spec.prompt))
    }

    pub fn kept(&self) -> Option<&str> {
        self.0.get(KEPT).map(String::as_str)
    }
}

fn question(prompt: &str) -> String {
    format!("_{prompt}_\n")
}

/// A part with its markers.
pub fn marked(name: &str, between: &str) -> String {
    let end = if between.ends_with('\n') || between.is_empty() { "" } else { "\n" };
    format!("<!-- yours: {name} -->\n{between}{end}<!-- end: {name} -->\n")
}

/// Every part of a text, in the order of the postmortem, found in the text or not.
pub fn parts(text: &str) -> Vec<Part> {
    let (mut found, _) = sort_out(text);
    SPECS
        .iter()
        .map(|Spec { name, title, prompt, required }| {
            let between = found.remove(*name).unwrap_or_default();
            let text = between.strip_suffix('\n').unwrap_or(&between).to_owned();
            Part { name, title, prompt, text, required: *required }
        })
        .collect()
}

/// What lost its place, if anything.
pub fn kept(text: &str) -> Option<String> {
    sort_out(text).0.remove(KEPT)
}

/// The parts that nobody has written yet.
pub fn unwritten_parts(text: &str) -> Vec<Part> {
    parts(text).into_iter().filter(|part| part.text.is_empty()).collect()
}

/// The text with one part written anew; an empty text brings the question back.
pub fn replace_part(text: &str, name: &str, new: &str) -> String {
    let prompt = SPECS.iter().find(|spec| spec.name == name).map_or("", |spec| spec.prompt);
    let between = if new.trim().is_empty() { question(prompt) } else { harmless(new) };
    let whole = marked(name, &between);
    let pieces = pieces(text);
    let at =
        pieces.iter().position(|piece| matches!(piece, Piece::Part(found, _) if found == name));
    let Some(at) = at else { return format!("{}\n{whole}", text.trim_end_matches('\n')) };
    let put = |(i, piece): (usize, &Piece<'_>)| match piece {
        _ if i == at => whole.clone(),
        Piece::Part(name, between) => marked(name, between),
        Piece::Line(line) | Piece::Loose(line) => (*line).to_owned(),
    };
    pieces.iter().enumerate().map(put).collect()
}

/// What the old text holds of its authors, to be put into a new one. `blank` is the new text with
/// nothing but questions in it: a line that stands there is the program's own.
pub fn gather(old: &str, blank: &str) -> Texts {
    let (mut found, mut loose) = sort_out(old);
    let whole = SPECS.iter().all(|spec| is_there(old, spec.name));
    let damaged = pieces(old).iter().any(|piece| matches!(piece, Piece::Loose(_)));
    if !old.trim().is_empty() && (damaged || !whole) {
        loose.push_str(&strangers(old, blank));
    }
    if !loose.trim().is_empty() {
        let kept = found.entry(KEPT.to_owned()).or_default();
        if !kept.is_empty() && !kept.ends_with('\n') {
            kept.push('\n');
        }
        kept.push_str(loose.trim_start_matches('\n'));
    }
    Texts(found)
}

/// What came of two who wrote at the same time: the whole text, and the parts that both of them wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Merged {
    pub text: String,
    pub both: Vec<String>,
}

/// Puts what was made of `base` and what meanwhile lies on disk together, part by part. Where both differ
/// from it, both stay, the one on disk first.
pub fn merge(base: &str, mine: &str, disk: &str) -> Merged {
    if disk.trim().is_empty() || disk == base {
        return Merged { text: mine.to_owned(), both: Vec::new() };
    }
    let [before, mine, disk] = [base, mine, disk].map(|text| gather(text, base).0);
    let names: BTreeSet<&String> = before.keys().chain(mine.keys()).chain(disk.keys()).collect();
    let mut merged = Merged { text: base.to_owned(), both: Vec::new() };
    for name in names {
        let of = |texts: &BTreeMap<String, String>| texts.get(name).cloned().unwrap_or_default();
        let (was, mine, disk) = (of(&before), of(&mine), of(&disk));
        let text = match () {
            () if disk == was => mine,
            () if mine == was => disk,
            () if mine.contains(disk.trim()) => mine,
            () if disk.contains(mine.trim()) => disk,
            () => {
                merged.both.push(name.clone());
                format!("{}\n\n{mine}", disk.trim_end_matches('\n'))
            }
        };
        if text != was {
            merged.text = replace_part(&merged.text, name, &text);
        }
    }
    merged
}

fn is_there(text: &str, name: &str) -> bool {
    pieces(text).iter().any(|piece| matches!(piece, Piece::Part(found, _) if found == name))
}

/// Texts by part, without unanswered questions; and texts of parts that there are twice or not.
fn sort_out(text: &str) -> (BTreeMap<String, String>, String) {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut loose = String::new();
    for piece in pieces(text) {
        let Piece::Part(name, between) = piece else { continue };
        let spec = SPECS.iter().find(|spec| spec.name == name);
        let asked = spec.is_some_and(|spec| between.trim() == question(spec.prompt).trim());
        if asked || between.trim().is_empty() {
            continue;
        }
        let known = spec.is_some() || name == KEPT;
        if known && !found.contains_key(&name) {
            found.insert(name, between.to_owned());
        } else {
            loose.push_str(between);
        }
    }
    (found, loose)
}

/// The lines outside of any part that the program would not write, with the gaps between them.
fn strangers(old: &str, blank: &str) -> String {
    let ours: HashSet<String> = blank.lines().map(timeless).collect();
    let mut out = String::new();
    let mut gap = false;
    for piece in pieces(old) {
        let Piece::Line(line) = piece else { continue };
        if line.trim().is_empty() {
            gap = true;
        } else if !ours.contains(&timeless(line)) {
            if gap && !out.is_empty() {
                out.push('\n');
            }
            gap = false;
            out.push_str(&harmless(line));
            if !out.ends_with('\n') {
                out.push('\n');
            }
        }
    }
    out
}

/// A line without the local times beside those in UTC, and without what lines up tables by their length: whoever
/// wrote it may have been in another zone.
fn timeless(line: &str) -> String {
    let is_local = |text: &str| text.chars().all(|c| c.is_ascii_digit() || " :+-".contains(c));
    let (mut out, mut rest) = (String::new(), line.trim_end());
    while let Some((before, behind)) = rest.split_once(" UTC (") {
        out.push_str(before);
        out.push_str(" UTC");
        rest = match behind.split_once(')') {
            Some((local, after)) if is_local(local) => after,
            _ => {
                out.push_str(" (");
                behind
            }
        };
    }
    out.push_str(rest);
    let is_rule = |word: &str| word.chars().all(|c| c == '-');
    let words = out.split_whitespace().map(|word| if is_rule(word) { "-" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// A text that can stand between markers: it cannot look like one, and it cannot hide what follows.
fn harmless(text: &str) -> String {
    let broken = text.lines().any(|line| marker(line).is_some());
    let hides = text.matches("<!--").count() > text.matches("-->").count();
    if broken || hides { text.replace("<!--", "&lt;!--") } else { text.to_owned() }
}

#[derive(Debug, PartialEq)]
enum Piece<'a> {
    /// A name, and what stands between its markers.
    Part(String, &'a str),
    /// A line outside of any part.
    Line(&'a str),
    /// A marker that lost its other half.
    Loose(&'a str),
}

enum Marker<'a> {
    Open(&'a str),
    Close(&'a str),
}

fn marker(line: &str) -> Option<Marker<'_>> {
    let inner = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    let name = |rest: &str| !rest.trim().is_empty() && !rest.contains("-->");
    match inner.split_once(':')? {
        ("yours", rest) if name(rest) => Some(Marker::Open(rest.trim())),
        ("end", rest) if name(rest) => Some(Marker::Close(rest.trim())),
        _ => None,
    }
}

/// Takes a text apart; put together in order, the pieces are the text.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    // Where a part may have begun: its name, the piece of its marker, and where its text starts.
    let mut open: Option<(&str, usize, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        match marker(line) {
            None => pieces.push(Piece::Line(line)),
            Some(Marker::Open(name)) => {
                open = Some((name, pieces.len(), at));
                pieces.push(Piece::Loose(line));
            }
            Some(Marker::Close(name)) => match open.take() {
                Some((opened, marker, from)) if opened == name => {
                    pieces.truncate(marker);
                    pieces.push(Piece::Part(name.to_owned(), &text[from..start]));
                }
                _ => pieces.push(Piece::Loose(line)),
            },
        }
    }
    pieces
}

#[cfg(test)]
mod tests;
