//! Runbooks from files: what a runbook file may say, and every fault of one that says something else.
//!
//! Pure: text in, a runbook or faults out. `step` reads what steps have in common, `kind` and
//! `change` what each kind adds, `template` the messages. Whether the checks that a runbook names
//! exist is the business of the catalogue, which gets the places to point at.

mod change;
mod kind;
mod step;
mod template;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::{ActionKind, Runbook, Step, SuggestedAction};
use crate::check::load::{controls, id_like_file, severity};
use crate::source::{self, Care, Fault, Spot, Table, did_you_mean, quoted};
pub use template::texts;

/// A runbook, and where it names checks.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub runbook: Runbook,
    /// Where `id` stands.
    pub id: Spot,
    /// Every check that a step names, where it stands.
    pub checks: Vec<(String, Spot)>,
    /// Every control and every agreed message that it names.
    pub controls: Vec<(String, Spot)>,
    pub messages: Vec<(String, Spot)>,
}

/// Reads one runbook. `file_name` is for the messages, and its stem must be the id.
pub fn parse(file_name: &str, pack: &str, source: &str) -> Result<Runbook, Vec<Fault>> {
    load(Care::Judge, file_name, pack, source).map(|loaded| loaded.runbook)
}

/// The same, with the places that cross-file questions need.
pub fn load(care: Care, file_name: &str, pack: &str, source: &str) -> Result<Loaded, Vec<Fault>> {
    let notes = Notes::default();
    source::read_with(care, file_name, "a runbook", source, |table| {
        table.elsewhere("sql", "SQL belongs in a step of kind \"change\", or in a check.");
        table.need_table("step", "[[step]]");
        let controls = controls(table);
        let runbook = Runbook {
            id: id_like_file(table, file_name),
            pack: pack.to_owned(),
            title: table.text("title"),
            summary: table.text("summary"),
            symptom: table.optional_text("symptom"),
            owner: table.text("owner"),
            severity: severity(table),
            controls: controls.iter().map(|(name, _)| name.clone()).collect(),
            steps: table.tables("step", "a step", |step| step::read(step, &notes)),
            actions: table.tables("action", "an action", action),
            source: source.to_owned(),
        };
        references(table, &runbook.steps, &notes);
        let (checks, messages) = (notes.checks.take(), notes.messages.take());
        Loaded { runbook, id: table.spot("id"), checks, controls, messages }
    })
}

/// What the steps name and define, collected while they are read.
#[derive(Debug, Default)]
struct Notes {
    /// The id of each step, in order.
    ids: RefCell<Vec<(String, Spot)>>,
    /// The key, the step it names, and the id of the step that names it.
    steps: RefCell<Vec<(&'static str, String, Spot, String)>>,
    checks: RefCell<Vec<(String, Spot)>>,
    /// The agreed messages that comms steps use.
    messages: RefCell<Vec<(String, Spot)>>,
    /// The variables of the ask steps so far.
    vars: RefCell<Vec<(String, usize)>>,
}

impl Notes {
    fn check(&self, table: &Table<'_>, key: &'static str) -> String {
        let id = table.text(key);
        self.checks.borrow_mut().push((id.clone(), table.spot(key)));
        id
    }

    fn checks(&self, table: &Table<'_>, key: &'static str) -> Vec<String> {
        let named = table.spotted_texts(key);
        self.checks.borrow_mut().extend(named.iter().cloned());
        named.into_iter().map(|(id, _)| id).collect()
    }

    fn step(&self, key: &'static str, id: &str, spot: Spot) {
        let from = self.ids.borrow().last().map(|(id, _)| id.clone()).unwrap_or_default();
        self.steps.borrow_mut().push((key, id.to_owned(), spot, from));
    }
}

fn action(table: &Table<'_>) -> SuggestedAction {
    SuggestedAction {
        title: table.text("title"),
        owner: table.text("owner"),
        kind: table.one_of(
            "kind",
            &[
                (ActionKind::Prevent, "prevent"),
                (ActionKind::Detect, "detect"),
                (ActionKind::Mitigate, "mitigate"),
                (ActionKind::Process, "process"),
            ],
        ),
    }
}

/// Steps that are named must exist, ids must differ, needs must not go in a circle.
fn references(table: &Table<'_>, steps: &[Step], notes: &Notes) {
    let ids = notes.ids.borrow();
    let mut known: HashMap<&str, &Spot> = HashMap::new();
    for (id, spot) in ids.iter().filter(|(id, _)| !id.is_empty()) {
        let first = *known.entry(id).or_insert(spot);
        if !std::ptr::eq(first, spot) {
            table.add(spot.fault(format!(
                "The step id {} is taken by the step of line {}; give this one another.",
                quoted(id),
                first.line()
            )));
        }
    }
    for (key, id, spot, from) in notes.steps.borrow().iter().filter(|(_, id, ..)| !id.is_empty()) {
        if id == from {
            table.add(
                spot.fault(format!("`{key}` names its own step {}; name another.", quoted(id))),
            );
        } else if !known.contains_key(id.as_str()) {
            let fault =
                spot.fault(format!("`{key}` names the step {}, which does not exist.", quoted(id)));
            table.add(match did_you_mean(id, ids.iter().map(|(id, _)| id.as_str())) {
                Some(near) => fault.suggest(format!("Did you mean \"{near}\"?")),
                None => fault.suggest("Name one of the step ids of this file."),
            });
        }
    }
    if let Some(circle) = circle(steps)
        && let Some(spot) = known.get(circle[0])
    {
        let words = circle.join(" needs ");
        table.add(spot.fault(format!(
            "The needs go in a circle, so none of these steps could begin: {words} needs {}.",
            circle[0]
        )));
    }
}

/// Steps that need each other, if there are any. Not by recursion: very many may stand in one chain.
fn circle(steps: &[Step]) -> Option<Vec<&str>> {
    let mut by_id: HashMap<&str, &Step> = HashMap::new();
    for step in steps {
        by_id.entry(&step.id).or_insert(step);
    }
    let needs = |id: &str| by_id.get(id).map_or(&[][..], |step| &step.needs).iter();
    let mut done: HashSet<&str> = HashSet::new();
    for step in steps {
        let mut path = vec![(step.id.as_str(), needs(&step.id))];
        let mut open = HashSet::from([step.id.as_str()]);
        while let Some((at, left)) = path.last_mut() {
            match left.next().map(String::as_str) {
                None => {
                    open.remove(at);
                    done.insert(at);
                    path.pop();
                }
                // A step that needs itself was reported on its own.
                Some(need) if need == *at || done.contains(need) => {}
                Some(need) if open.insert(need) => path.push((need, needs(need))),
                Some(need) => {
                    let circle = path.iter().map(|(step, _)| *step);
                    return Some(circle.skip_while(|step| *step != need).collect());
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
