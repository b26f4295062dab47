//! Messages of a communication step: templates rendered with what the incident knows. Pure.

/// What a template may use; an unknown name is an error when the runbook is loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub incident: String,
    pub title: String,
    pub severity: String,
    pub target: String,
    pub environment: String,
    pub runbook: String,
    /// Who answers for the runbook.
    pub owner: String,
    /// What the severity means to the business.
    pub risk: String,
    pub opened: String,
    pub open_for: String,
    pub found: String,
    pub now: String,
    pub changed: String,
    pub step: String,
    pub next_update: String,
    pub head: String,
}

impl Facts {
    /// One that every message must be able to tell.
    pub fn example() -> Self {
        Self {
            incident: "INC-2026-0042".into(),
            title: "Asset assigned to two people".into(),
            severity: "SEV-2".into(),
            target: "erp-prod".into(),
            environment: "production".into(),
            runbook: "asset-double-assignment".into(),
            owner: "ERP / DBA lead".into(),
            risk: "Somebody may act on it before it is mended.".into(),
            opened: "2026-11-21 06:00 UTC".into(),
            open_for: "14 min".into(),
            found: "12".into(),
            now: "3".into(),
            changed: "9".into(),
            step: "5/9 Recover".into(),
            next_update: "06:40 UTC".into(),
            head: "7f3a2c".into(),
        }
    }

    pub fn pairs(&self) -> [(&'static str, &str); 16] {
        [
            ("incident", &self.incident),
            ("title", &self.title),
            ("severity", &self.severity),
            ("target", &self.target),
            ("environment", &self.environment),
            ("runbook", &self.runbook),
            ("owner", &self.owner),
            ("risk", &self.risk),
            ("opened", &self.opened),
            ("open_for", &self.open_for),
            ("found", &self.found),
            ("now", &self.now),
            ("changed", &self.changed),
            ("step", &self.step),
            ("next_update", &self.next_update),
            ("head", &self.head),
        ]
    }
}

pub fn render(template: &str, facts: &Facts) -> Result<String, String> {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let facts = minijinja::Value::from_pairs(facts.pairs());
    environment.render_str(template, facts).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_says_what_the_incident_knows() {
        let facts = Facts { incident: "INC-0001".into(), now: "12".into(), ..Facts::default() };
        assert_eq!(
            render("{{ incident }}: {{ now }} left", &facts),
            Ok("INC-0001: 12 left".into())
        );
        assert!(render("{{ nobody }}", &facts).is_err());
    }
}
