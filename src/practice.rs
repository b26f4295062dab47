//! Practice: what an organisation has agreed on for its incidents, as data.
//!
//! What a severity means and promises, who is called and when, the words for those who wait, and the
//! register of controls. Built in as files; a site's configuration says what is otherwise. Pure: no
//! clock, no database, no screen.

pub mod controls;
pub mod escalation;
pub mod messages;
pub mod readiness;
pub mod severity;

use std::sync::LazyLock;

use crate::source::{Fault, Spot, Table, duration_text, read};
pub use controls::Control;
pub use escalation::Rung;
pub use messages::Message;
pub use readiness::Readiness;
pub use severity::Level;

/// The agreements that hold here.
#[derive(Debug, Clone, PartialEq)]
pub struct Practice {
    levels: [Level; 4],
    pub escalation: Vec<Rung>,
    pub messages: Vec<Message>,
    pub controls: Vec<Control>,
    readiness: Readiness,
}

/// What one file says of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    pub severities: Vec<severity::Said>,
    pub escalation: Vec<Rung>,
    pub messages: Vec<Message>,
    pub controls: Vec<Control>,
    pub readiness: readiness::Said,
}

impl Said {
    pub fn read(table: &Table<'_>) -> Self {
        Self {
            severities: severity::read(table),
            escalation: escalation::read(table),
            messages: messages::read(table),
            controls: controls::read(table),
            readiness: readiness::read(table),
        }
    }

    /// This with what a later file says on top.
    #[must_use]
    pub fn under(mut self, top: Self) -> Self {
        fn replaced<T>(below: &mut Vec<T>, top: Vec<T>, same: impl Fn(&T, &T) -> bool) {
            for one in top {
                match below.iter_mut().find(|other| same(other, &one)) {
                    Some(other) => *other = one,
                    None => below.push(one),
                }
            }
        }
        self.severities.extend(top.severities);
        // Half a matrix of one house and half of another would call people who do not exist.
        if !top.escalation.is_empty() {
            self.escalation = top.escalation;
        }
        replaced(&mut self.messages, top.messages, |a, b| a.name == b.name);
        replaced(&mut self.controls, top.controls, |a, b| a.id == b.id);
        self.readiness = self.readiness.under(top.readiness);
        self
    }
}

/// What was said, for whoever wants to know where it comes from: key, value, place.
impl Said {
    pub fn lines(&self) -> Vec<(String, String, Spot)> {
        let mut lines = Vec::new();
        for one in &self.severities {
            let key = one.severity.key();
            let lengths = [
                ("acknowledge", one.acknowledge),
                ("update_every", one.update_every),
                ("resolve", one.resolve),
                ("actions_due", one.actions_due),
            ];
            if let Some(risk) = &one.risk {
                lines.push((format!("severity.{key}.risk"), risk.clone(), one.spot.clone()));
            }
            for (name, length) in lengths {
                let Some(length) = length else { continue };
                let key = format!("severity.{key}.{name}");
                lines.push((key, duration_text(length), one.spot.clone()));
            }
        }
        for rung in &self.escalation {
            lines.push((format!("escalation.{}", rung.id), rung.words(), rung.spot.clone()));
        }
        for message in &self.messages {
            let words = "for three audiences".to_owned();
            lines.push((format!("message.{}", message.name), words, message.spot.clone()));
        }
        for control in &self.controls {
            let key = format!("control.{}", control.id);
            lines.push((key, control.title.clone(), control.spot.clone()));
        }
        for (item, points, spot) in &self.readiness.points {
            let key = format!("readiness.{}.points", item.key());
            lines.push((key, points.to_string(), spot.clone()));
        }
        if let Some((within, spot)) = &self.readiness.first_check_within {
            let key = "readiness.first-check.within".to_owned();
            lines.push((key, duration_text(*within), spot.clone()));
        }
        for grade in &self.readiness.grades {
            let key = format!("readiness.grade.{}", grade.name);
            lines.push((key, format!("from {}", grade.at_least), grade.spot.clone()));
        }
        lines
    }
}

const FILES: [(&str, &str); 5] = [
    (
        "practice/severity.toml",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/practice/severity.toml")),
    ),
    (
        "practice/escalation.toml",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/practice/escalation.toml")),
    ),
    (
        "practice/messages.toml",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/practice/messages.toml")),
    ),
    (
        "practice/controls.toml",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/practice/controls.toml")),
    ),
    (
        "practice/readiness.toml",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/practice/readiness.toml")),
    ),
];

/// What one file of agreements says, or everything that is wrong with it.
pub fn parse(file_name: &str, source: &str) -> Result<Said, Vec<Fault>> {
    read(file_name, "a file of agreements", source, Said::read)
}

impl Practice {
    /// What is inside the binary.
    pub fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Practice> = LazyLock::new(|| Practice::of(built_in()));
        &BUILT_IN
    }

    /// What is inside the binary, and what a site says on top.
    pub fn with(said: &Said) -> Self {
        if *said == Said::default() {
            return Self::built_in().clone();
        }
        Self::of(built_in().under(said.clone()))
    }

    fn of(said: Said) -> Self {
        let Said { severities, escalation, messages, mut controls, readiness } = said;
        controls.sort_by(|a, b| a.id.cmp(&b.id));
        let levels = severity::matrix(&severities);
        let readiness = Readiness::of(readiness);
        Self { levels, escalation, messages, controls, readiness }
    }
}

fn built_in() -> Said {
    let files = FILES
        .iter()
        .map(|(name, text)| parse(name, text).expect("a test reads the files of the practice"));
    files.fold(Said::default(), Said::under)
}

impl Default for Practice {
    fn default() -> Self {
        Self::built_in().clone()
    }
}

#[cfg(test)]
mod tests;
