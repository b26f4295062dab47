//! The roles on MySQL and `MariaDB`.

use super::{DETECTOR, GUARDRAIL, Needs, Place, RECOVERY, Rights, head};
use crate::dialect::Dialect;
use crate::sql::create_ledger;

const ROLES: [&str; 3] = [DETECTOR, RECOVERY, GUARDRAIL];

/// What a guardrail needs on its table: ALTER TABLE asks for CREATE and INSERT as well.
const DEFINING: &str = "SELECT, INSERT, CREATE, ALTER, INDEX, TRIGGER, REFERENCES";

pub(super) fn script(needs: &Needs, place: &Place) -> String {
    let mut text = head(needs, place, "The roles of steadyhand");
    text.push_str(
        "-- Run it as an administrator. It can be run again: rights that are no longer needed are taken back.\n\
         -- A table that is not there stops it; what stood before that statement is done.\n\n\
         -- 1. Three roles, without what they had before.\n",
    );
    for role in ROLES {
        text.push_str(&format!(
            "CREATE ROLE IF NOT EXISTS {role};\nREVOKE ALL PRIVILEGES, GRANT OPTION FROM {role};\n"
        ));
    }
    let ledger = place.quoted(&place.ledger());
    text.push_str(&format!(
        "\n-- 2. The ledger: every change leaves a row here, in its own transaction.\n{};\n",
        create_ledger(&ledger, place.dialect)
    ));
    text.push_str("\n-- 3. The detector reads what checks name, and how busy the server is.\n");
    let watching = match place.dialect {
        Dialect::Mariadb => "PROCESS, BINLOG MONITOR, REPLICA MONITOR",
        _ => "PROCESS, REPLICATION CLIENT",
    };
    text.push_str(&format!(
        "GRANT {watching} ON *.* TO {DETECTOR};\n\
         GRANT SELECT ON performance_schema.* TO {DETECTOR};\n\
         GRANT SELECT ON {ledger} TO {DETECTOR};\n"
    ));
    for table in &needs.reads {
        text.push_str(&format!(
            "GRANT SELECT, SHOW VIEW ON {} TO {DETECTOR};\n",
            place.quoted(table)
        ));
    }
    text.push_str(&format!(
        "\n-- 4. The recovery role writes what runbooks write and what takes it back. PROCESS shows how many rows a\n\
         -- transaction really changed, and whom it blocks. Grant it for an incident.\n\
         GRANT PROCESS ON *.* TO {RECOVERY};\n\
         GRANT SELECT ON performance_schema.* TO {RECOVERY};\n\
         GRANT SELECT, INSERT ON {ledger} TO {RECOVERY};\n"
    ));
    for table in &needs.reads {
        let rights = needs.writes.get(table);
        let words = rights.map(|rights| rights.words(|name| place.quote(name)));
        let words = [vec!["SELECT".to_owned()], words.unwrap_or_default()].concat().join(", ");
        text.push_str(&rights.and_then(Rights::comment).unwrap_or_default());
        text.push_str(&format!("GRANT {words} ON {} TO {RECOVERY};\n", place.quoted(table)));
    }
    if needs.guarded.is_empty() {
        text.push_str("\n-- 5. No guardrail is loaded, so its role gets nothing.\n");
    } else {
        text.push_str(&format!(
            "\n-- 5. The guardrail role defines indexes, constraints and triggers, rehearsed on temporary copies. With a binary\n\
             -- log, triggers also need log_bin_trust_function_creators = 1. Grant it for as long as a guardrail is put up.\n\
             GRANT CREATE TEMPORARY TABLES ON {}.* TO {GUARDRAIL};\n\
             GRANT PROCESS ON *.* TO {GUARDRAIL};\n\
             GRANT SELECT, INSERT ON {ledger} TO {GUARDRAIL};\n",
            place.quote(&place.schema)
        ));
        for (table, rights) in &needs.guarded {
            let mut words = rights.words(|name| place.quote(name));
            words.retain(|word| word != "INSERT");
            let words = [vec![DEFINING.to_owned()], words].concat().join(", ");
            text.push_str(&format!("GRANT {words} ON {} TO {GUARDRAIL};\n", place.quoted(table)));
        }
    }
    let default = match place.dialect {
        Dialect::Mariadb => format!("SET DEFAULT ROLE {DETECTOR} FOR erp_checks"),
        _ => format!("SET DEFAULT ROLE {DETECTOR} TO erp_checks"),
    };
    text.push_str(&format!(
        "\n-- Who connects gets a role by name, and has it from the start; for instance:\n\
         --   CREATE USER erp_checks IDENTIFIED BY …;   GRANT {DETECTOR} TO erp_checks;   {default};\n\
         --   and {RECOVERY} to those on call, revoked or the account locked afterwards.\n\
         -- An account that already has rights of its own keeps them. Triggers run with the rights of who defined them.\n\
         -- Prove it: steadyhand grants … --self-test\n"
    ));
    text
}
