//! Before and after: what was wrong and what is left, and how long it took this time and the times
//! before.

use serde::Serialize;

use super::Impact;
use crate::incident::Incident;
use crate::incident::entry::verdict_words;
use crate::incident::fleet::{came_back, earlier};
use crate::incident::metrics::{metrics, words};
use crate::postmortem::Around;
use crate::value::counted;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    pub numbers: Vec<Compared>,
    /// How often this was there before.
    pub recurrence: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    pub name: String,
    pub before: String,
    pub after: String,
    pub definition: &'static str,
}

pub fn gather(incident: &Incident, impact: &Impact, around: Around<'_>) -> Comparison {
    let mut numbers: Vec<Compared> = impact
        .checks
        .iter()
        .map(|measure| Compared {
            name: measure.check.clone(),
            before: verdict_words(&measure.first),
            after: verdict_words(&measure.last),
            definition: "when it was first and last seen in this incident",
        })
        .collect();
    let earlier = earlier(incident, around.all);
    let past: Vec<_> = earlier.iter().map(|before| metrics(before)).collect();
    for (at, metric) in metrics(incident).into_iter().enumerate() {
        let known: Vec<_> = past.iter().filter_map(|of| of[at].value).collect();
        let before = match i32::try_from(known.len()) {
            Ok(0) | Err(_) => "no earlier one".to_owned(),
            Ok(n) => {
                let sum = known.iter().sum::<jiff::SignedDuration>();
                format!("{} (mean of {n})", words(sum / n))
            }
        };
        numbers.push(Compared {
            name: metric.name.to_owned(),
            before,
            after: metric.value.map_or_else(|| "not known".to_owned(), words),
            definition: metric.definition,
        });
    }
    Comparison { numbers, recurrence: recurrence(incident, &earlier, around) }
}

fn recurrence(incident: &Incident, earlier: &[&Incident], around: Around<'_>) -> String {
    match (earlier.len(), came_back(incident, around.all)) {
        (0, _) => "No earlier incident on this runbook and database is remembered.".into(),
        (n, None) => format!(
            "{} on this runbook and database, none of them closed in the 90 days before.",
            counted(n as u64, "earlier incident")
        ),
        (n, Some(last)) => {
            let days = match (incident.opened, last.closed) {
                (Some(opened), Some(closed)) => opened.duration_since(closed).as_hours() / 24,
                _ => 0,
            };
            format!(
                "It came back: {} on this runbook and database; {} was closed {} before this one was opened.",
                counted(n as u64, "earlier incident"),
                last.id,
                counted(u64::try_from(days).unwrap_or_default(), "day"),
            )
        }
    }
}
