//! Which controls the incident was about, and what carried each.

use serde::Serialize;

use crate::control;
use crate::incident::Incident;
use crate::postmortem::Around;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// A key control, or a place in a framework that none of them stands for.
    pub name: String,
    /// What it is for, if the register still knows.
    pub title: Option<String>,
    /// The runbook, and checks by their ids.
    pub by: Vec<String>,
    /// A check that carries it was violated.
    pub violated: bool,
    pub places: Vec<String>,
}

/// The key controls in the order in which they are met, then places that stand alone.
pub fn gather(incident: &Incident, around: Around<'_>) -> Vec<Named> {
    let controls = &incident.controls;
    let mut found: Vec<Named> = Vec::new();
    let carriers = std::iter::once((None, &controls.runbook))
        .chain(controls.checks.iter().map(|(check, names)| (Some(check.as_str()), names)));
    for (check, names) in carriers {
        let violated = check.is_some_and(|check| {
            incident.counts_of(check).any(|measured| measured.verdict.is_violated())
        });
        let (keys, places): (Vec<_>, Vec<_>) =
            names.iter().partition(|name| control::place(name).is_none());
        for name in keys {
            let at = found.iter().position(|named| named.name == *name).unwrap_or_else(|| {
                let known = around.practice.control(name);
                found.push(Named {
                    name: name.clone(),
                    title: known.map(|control| control.title.clone()),
                    by: Vec::new(),
                    violated: false,
                    places: Vec::new(),
                });
                found.len() - 1
            });
            let named = &mut found[at];
            named.by.push(check.unwrap_or("the runbook").to_owned());
            named.violated |= violated;
            // As they were recorded, the places go with every key control beside them.
            for place in &places {
                if !named.places.contains(place) {
                    named.places.push((*place).clone());
                }
            }
        }
    }
    found
}
