//! The messages of a comms step: templates that must not fail when an update is due.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};

use crate::source::{Complaint, Table, did_you_mean};

/// The words for the three audiences, `technical`, `business` and `executive`.
pub fn texts(table: &Table<'_>) -> [String; 3] {
    ["technical", "business", "executive"].map(|reader| {
        let text = table.text(reader);
        if table.is_judged() {
            for complaint in faults(&text) {
                table.complain(reader, &text, complaint);
            }
        }
        text
    })
}

/// What a message may name, and an example of each. All are texts; whoever renders gives them all.
pub const VARIABLES: [(&str, &str); 16] = [
    ("incident", "INC-2026-0042"),
    ("title", "Asset assigned to two people"),
    ("severity", "SEV-2"),
    ("target", "erp-prod"),
    ("environment", "production"),
    ("runbook", "asset-double-assignment"),
    ("owner", "ERP / DBA lead"),
    ("risk", "Somebody may act on it before it is mended."),
    ("opened", "2026-11-21 06:00 UTC"),
    ("open_for", "14 min"),
    ("found", "12"),
    ("now", "3"),
    ("changed", "9"),
    ("step", "5/9 Recover"),
    ("next_update", "06:40 UTC"),
    ("head", "7f3a2c"),
];

/// Everything that is wrong with a template: what cannot be read, what it names that nobody gives,
/// and what fails when it is rendered with the examples.
pub(super) fn faults(text: &str) -> Vec<Complaint> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let template = match environment.template_from_str(text) {
        Ok(template) => template,
        Err(error) => return vec![complaint("The template cannot be read", &error)],
    };
    let mut unknown: Vec<String> = template
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !VARIABLES.iter().any(|(known, _)| known == name))
        .collect();
    unknown.sort();
    if !unknown.is_empty() {
        return unknown.iter().map(|name| unknown_variable(text, name)).collect();
    }
    let examples: BTreeMap<&str, &str> = VARIABLES.into_iter().collect();
    match template.render(examples) {
        Ok(_) => vec![],
        Err(error) => vec![complaint("The template would fail", &error)],
    }
}

fn complaint(what: &str, error: &minijinja::Error) -> Complaint {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let complaint = Complaint::new(format!("{what}: {detail}."));
    match error.range() {
        Some(range) => complaint.over(range),
        None => complaint,
    }
}

fn unknown_variable(text: &str, name: &str) -> Complaint {
    let mut complaint = Complaint::new(format!("A message knows no `{name}`."));
    // A name stands between characters that are none of a name.
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    complaint.part = text
        .match_indices(name)
        .find(|(at, _)| {
            !text[..*at].ends_with(part_of_name)
                && !text[at + name.len()..].starts_with(part_of_name)
        })
        .map(|(at, _)| at..at + name.len());
    let names = VARIABLES.map(|(name, _)| name);
    complaint.suggestion = Some(match did_you_mean(name, names) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("It knows {}.", names.join(", ")),
    });
    complaint
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> (String, Option<&str>) {
        let complaint = faults(text).remove(0);
        let part = complaint.part.clone().and_then(|part| text.get(part));
        (complaint.sentence, part)
    }

    #[test]
    fn a_template_is_rendered_before_it_is_needed() {
        assert_eq!(
            faults(
                "{{ incident }}: {{ found }} found{% if now != \"0\" %}, {{ now }} left{% endif %}."
            ),
            []
        );
        assert_eq!(first("{{ fuond }}"), ("A message knows no `fuond`.".into(), Some("fuond")));
        assert_eq!(first("{{ now | shout }}").1, Some("shout"));
        assert!(first("{{ now").0.starts_with("The template cannot be read"));
        assert!(first("{{ now + 1 }}").0.starts_with("The template would fail"));
    }
}
