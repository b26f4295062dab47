//! The register of controls: what each stands for, and its places in the frameworks.

use serde::Serialize;

use super::Practice;
use crate::control::{self, Framework};
use crate::source::{Spot, Table, quoted};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Control {
    pub id: String,
    pub title: String,
    pub objective: String,
    /// `COBIT DSS06` and the like.
    pub places: Vec<String>,
    #[serde(skip)]
    pub spot: Spot,
}

pub(super) fn read(table: &Table<'_>) -> Vec<Control> {
    table.named("control", "a control", |id, table| {
        if !control::is_key(id) {
            table.fault_here(format!(
                "A control cannot be called {}; write one word such as KC-01.",
                quoted(id)
            ));
        }
        let mut places = Vec::new();
        for framework in Framework::ALL {
            for (place, spot) in table.spotted_texts(framework.key()) {
                match framework.judge(&place) {
                    Ok(()) => places.push(format!("{} {place}", framework.word())),
                    Err(complaint) => table.complain_at(&spot, &place, complaint),
                }
            }
        }
        Control {
            id: id.to_owned(),
            title: table.text("title"),
            objective: table.text("objective"),
            places,
            spot: table.here().clone(),
        }
    })
}

impl Practice {
    pub fn control(&self, id: &str) -> Option<&Control> {
        self.controls.iter().find(|control| control.id == id)
    }

    /// The names with the places of every key control among them, each once: what a record carries,
    /// so that it can be read when the register has long changed.
    pub fn spelled_out(&self, names: &[String]) -> Vec<String> {
        let mut all: Vec<String> = names.to_vec();
        for control in names.iter().filter_map(|name| self.control(name)) {
            all.extend(control.places.iter().cloned());
        }
        let mut once: Vec<String> = Vec::with_capacity(all.len());
        for name in all {
            if !once.contains(&name) {
                once.push(name);
            }
        }
        once
    }
}
