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

/// A check that every engine can be asked.
pub fn check(id: &str, sql: &str) -> String {
    format!(
        "id = \"{id}\"\ntitle = \"Something is bad\"\nrule = \"Nothing is bad.\"\nseverity = \"sev3\"\n\
         key = [\"id\"]\nsuites = [\"nightly\"]\nowner = \"nobody\"\ntimeout = \"20s\"\n[sql]\nany = \"{sql}\"\n"
    )
}

/// A runbook of one step, which looks at what a check finds.
pub fn looking(id: &str, check: &str) -> String {
    format!(
        "id = \"{id}\"\ntitle = \"Something is wrong\"\nsummary = \"It is looked at.\"\nowner = \"nobody\"\nseverity = \"sev3\"\n\
         [[step]]\nid = \"look\"\nkind = \"check\"\nstage = \"validate\"\ntitle = \"Look at it\"\n\
         check = \"{check}\"\nexpect = \"violated\"\n"
    )
}

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
