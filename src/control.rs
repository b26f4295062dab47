//! Controls: the names by which auditors know what a check or a runbook is for.
//!
//! A name is a key control of the register (`KC-01`), or a place in a framework (`COBIT DSS06`). The
//! places are closed lists, so that a slip is told when the file is read; which key controls there are
//! is the register's business. Pure.

use crate::source::{Complaint, did_you_mean, quoted};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framework {
    Coso,
    Cobit,
    Iso27001,
    Itil,
}

impl Framework {
    pub const ALL: [Self; 4] = [Self::Coso, Self::Cobit, Self::Iso27001, Self::Itil];

    /// As it stands before a place.
    pub fn word(self) -> &'static str {
        match self {
            Self::Coso => "COSO",
            Self::Cobit => "COBIT",
            Self::Iso27001 => "ISO 27001",
            Self::Itil => "ITIL",
        }
    }

    /// The key in the register.
    pub fn key(self) -> &'static str {
        match self {
            Self::Coso => "coso",
            Self::Cobit => "cobit",
            Self::Iso27001 => "iso27001",
            Self::Itil => "itil",
        }
    }

    /// Every place there is.
    fn places(self) -> Vec<String> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match self {
            Self::Coso => names(&[
                "Control Environment",
                "Risk Assessment",
                "Control Activities",
                "Information and Communication",
                "Monitoring",
            ]),
            Self::Cobit => [("EDM", 5), ("APO", 14), ("BAI", 11), ("DSS", 6), ("MEA", 4)]
                .iter()
                .flat_map(|(domain, last)| (1..=*last).map(move |n| format!("{domain}{n:02}")))
                .collect(),
            Self::Iso27001 => [(5, 37), (6, 8), (7, 14), (8, 34)]
                .iter()
                .flat_map(|(theme, last)| (1..=*last).map(move |n| format!("A.{theme}.{n}")))
                .collect(),
            Self::Itil => names(&[
                "Incident Management",
                "Problem Management",
                "Change Enablement",
                "Monitoring and Event Management",
                "Service Continuity Management",
                "Information Security Management",
                "Service Configuration Management",
                "Release Management",
                "Deployment Management",
                "Availability Management",
                "Capacity and Performance Management",
                "Service Level Management",
                "Risk Management",
                "Continual Improvement",
                "Service Strategy",
                "Service Design",
                "Service Transition",
                "Service Operation",
                "Continual Service Improvement",
            ]),
        }
    }

    /// Why there is no such place, if so.
    pub fn judge(self, place: &str) -> Result<(), Complaint> {
        let places = self.places();
        if places.iter().any(|known| known == place) {
            return Ok(());
        }
        let mut complaint = Complaint::new(format!("{} has no {}.", self.word(), quoted(place)));
        let near = did_you_mean(place, places.iter().map(String::as_str));
        complaint.suggestion = Some(match (self, near) {
            // Numbers that look alike have nothing to do with each other.
            (Self::Iso27001, _) => {
                "Write a control of Annex A of 2022, A.5.1 to A.8.34, such as A.8.15.".into()
            }
            (_, Some(near)) => format!("Did you mean \"{near}\"?"),
            (Self::Cobit, None) => "Write an objective of COBIT 2019, such as DSS06.".into(),
            (Self::Coso | Self::Itil, None) => format!("It knows {}.", places.join(", ")),
        });
        Err(complaint)
    }
}

/// The framework and the place of a name; none if it is a key control.
pub fn place(name: &str) -> Option<(Framework, &str)> {
    Framework::ALL.into_iter().find_map(|framework| {
        let place = name.strip_prefix(framework.word())?.strip_prefix(' ')?;
        Some((framework, place.trim()))
    })
}

/// What is wrong with the name of a control, as far as the name alone tells.
pub fn judge(name: &str) -> Result<(), Complaint> {
    match place(name) {
        Some((framework, place)) => framework.judge(place),
        None if is_key(name) => Ok(()),
        None => {
            let mut complaint = Complaint::new(format!("{} names no control.", quoted(name)));
            complaint.suggestion = Some(
                "Write the id of a key control, such as KC-01, or a place such as \"COBIT DSS06\", \"ISO 27001 A.8.15\", \"COSO Monitoring\" or \"ITIL Incident Management\"."
                    .into(),
            );
            Err(complaint)
        }
    }
}

/// An id of the register: one word that begins with a letter.
pub fn is_key(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        && Framework::ALL.iter().all(|framework| framework.word() != name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_name_is_told() {
        for good in [
            "KC-01",
            "SOX.404-b",
            "COBIT DSS06",
            "COBIT EDM05",
            "ISO 27001 A.5.37",
            "ISO 27001 A.8.1",
            "COSO Monitoring",
            "ITIL Service Operation",
        ] {
            assert_eq!(judge(good), Ok(()), "{good}");
        }
        for (wrong, sentence, suggestion) in [
            ("COBIT DSS60", "COBIT has no \"DSS60\".", "Did you mean \"DSS06\"?"),
            ("ISO 27001 A.8.35", "ISO 27001 has no \"A.8.35\".", "Write a control of Annex A"),
            (
                "ITIL Incidnet Management",
                "ITIL has no \"Incidnet Management\".",
                "Did you mean \"Incident Management\"?",
            ),
            ("key control one", "\"key control one\" names no control.", "Write the id"),
            ("COSO", "\"COSO\" names no control.", "Write the id"),
        ] {
            let complaint = judge(wrong).expect_err(wrong);
            assert_eq!(complaint.sentence, sentence);
            let said = complaint.suggestion.unwrap_or_default();
            assert!(said.starts_with(suggestion), "{wrong}: {said}");
        }
    }
}
