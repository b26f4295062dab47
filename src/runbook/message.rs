//! Messages of a communication step: templates rendered with what the incident knows. Pure.

use serde::Serialize;

/// What a template may use; an unknown name is an error when the runbook is loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    pub incident: String,
    pub title: String,
    pub severity: String,
    pub target: String,
    pub environment: String,
    pub runbook: String,
    pub opened: String,
    pub open_for: String,
    pub found: String,
    pub now: String,
    pub changed: String,
    pub step: String,
    pub next_update: String,
    pub head: String,
}

pub fn render(template: &str, facts: &Facts) -> Result<String, String> {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.render_str(template, facts).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_says_what_the_incident_knows() {
        let facts = Facts { incident: "INC-0001".into(), now: "12".into(), ..Facts::default() };
        assert_eq!(render("{{ incident }}: {{ now }} left", &facts), Ok("INC-0001: 12 left".into()));
        assert!(render("{{ nobody }}", &facts).is_err());
    }
}
