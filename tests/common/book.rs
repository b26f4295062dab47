//! A runbook made of the steps that a test needs, in the place of the demo's.

/// The check that finds the demo's incident, asked for what it counts.
pub const COUNT: &str = r#"
[[step]]
id       = "count"
kind     = "check"
stage    = "validate"
title    = "How many"
check    = "asset-double-assignment"
expect   = "any"
"#;

pub fn command(id: &str, title: &str, argv: &[&str], readonly: bool) -> String {
    format!(
        "\n[[step]]\nid = \"{id}\"\nkind = \"command\"\nstage = \"contain\"\ntitle = \"{title}\"\n\
         argv = {argv:?}\ntimeout = \"60s\"\nreadonly = {readonly}\n"
    )
}

pub fn book(steps: &[&str]) -> String {
    const HEAD: &str = r#"
id       = "asset-double-assignment"
title    = "What a test needs"
summary  = "Nothing else."
owner    = "it"
severity = "sev3"
"#;
    HEAD.to_owned() + &steps.concat()
}
