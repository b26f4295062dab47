//! The messages of a comms step: templates that must not fail when an update is due.

use minijinja::{Environment, UndefinedBehavior};

use crate::runbook::message::Facts;
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

/// Everything that is wrong with a template: what cannot be read, what it names that nobody gives,
/// and what fails when it is rendered with the examples.
pub(super) fn faults(text: &str) -> Vec<Complaint> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let template = match environment.template_from_str(text) {
        Ok(template) => template,
        Err(error) => return vec![complaint("The template cannot be read", &error)],
    };
    let example = Facts::example();
    let known = example.pairs();
    let names = known.map(|(name, _)| name);
    let mut unknown: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    unknown.retain(|name| !names.contains(&name.as_str()));
    unknown.sort();
    if !unknown.is_empty() {
        return unknown.iter().map(|name| unknown_variable(text, name, &names)).collect();
    }
    match template.render(minijinja::Value::from_pairs(known)) {
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

fn unknown_variable(text: &str, name: &str, known: &[&'static str]) -> Complaint {
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
    complaint.suggestion = Some(match did_you_mean(name, known.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("It knows {}.", known.join(", ")),
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
