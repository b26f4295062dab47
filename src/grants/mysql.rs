//! The roles on MySQL and `MariaDB`.

use super::{DETECTOR, GUARDRAIL, Needs, Place, RECOVERY, Rights, head, literal};
use crate::dialect::Dialect;
use crate::sql::{DEFINITIONS, create_ledger};

const ROLES: [&str; 3] = [DETECTOR, RECOVERY, GUARDRAIL];

/// What a guardrail needs on its table: ALTER TABLE asks for CREATE and INSERT as well.
const DEFINING: &str = "SELECT, INSERT, CREATE, ALTER, INDEX, TRIGGER, REFERENCES";

pub(super) fn script(needs: &Needs, place: &Place) -> String {
    let mut text = head(needs, place, "The roles of steadyhand");
    text.push_str(
        "-- Run it as an administrator, with the client mysql or mariadb; once for each database of the server that the\n\
         -- roles are for. It can be run again: rights in this database that are no longer needed are taken back.\n\
         -- A table that is not there stops it; what stood before that statement is done.\n\n\
         -- 1. Three roles, without what they had before here and on the whole server.\n",
    );
    for role in ROLES {
        text.push_str(&format!("CREATE ROLE IF NOT EXISTS {role};\n"));
    }
    text.push_str(&take_back(needs, place));
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
    let lists = |role: &str| {
        let database = place.quote(&pattern(&place.schema));
        let comment = "-- Checks look at every table that there is: this shows their definitions, and not one row.\n";
        let grant = format!("GRANT {DEFINITIONS} ON {database}.* TO {role};\n");
        if needs.lists { format!("{comment}{}{grant}", partial(place)) } else { String::new() }
    };
    text.push_str(&lists(DETECTOR));
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
    text.push_str(&lists(RECOVERY));
    for table in &needs.reads {
        let rights = needs.writes.get(table);
        let words = rights.map(|rights| rights.words(|name| place.quote(name)));
        let words = [vec!["SELECT".to_owned()], words.unwrap_or_default()].concat().join(", ");
        text.push_str(&rights.and_then(Rights::comment).unwrap_or_default());
        text.push_str(&format!("GRANT {words} ON {} TO {RECOVERY};\n", place.quoted(table)));
    }
    text.push_str(&execute(needs, place));
    if needs.guarded.is_empty() {
        text.push_str("\n-- 5. No guardrail is loaded, so its role gets nothing.\n");
    } else {
        text.push_str(&format!(
            "\n-- 5. The guardrail role defines indexes, constraints and triggers, rehearsed on temporary copies. With a binary\n\
             -- log, triggers also need log_bin_trust_function_creators = 1. Grant it for as long as a guardrail is put up.\n\
             {}GRANT CREATE TEMPORARY TABLES ON {}.* TO {GUARDRAIL};\n\
             GRANT PROCESS ON *.* TO {GUARDRAIL};\n\
             GRANT SELECT, INSERT ON {ledger} TO {GUARDRAIL};\n",
            partial(place),
            place.quote(&pattern(&place.schema))
        ));
        for (table, rights) in &needs.guarded {
            let mut words = rights.words(|name| place.quote(name));
            words.retain(|word| word != "INSERT");
            let words = [vec![DEFINING.to_owned()], words].concat().join(", ");
            text.push_str(&format!("GRANT {words} ON {} TO {GUARDRAIL};\n", place.quoted(table)));
        }
    }
    let (default, of_both) = match place.dialect {
        Dialect::Mariadb => (
            format!("SET DEFAULT ROLE {DETECTOR} FOR erp_checks"),
            format!(
                "--   Who also puts up guardrails needs both at once, and one role is active at a time: CREATE ROLE erp_oncall;\n\
                 --   GRANT {RECOVERY} TO erp_oncall;   GRANT {GUARDRAIL} TO erp_oncall;   SET DEFAULT ROLE erp_oncall FOR …;\n"
            ),
        ),
        _ => (
            format!("SET DEFAULT ROLE {DETECTOR} TO erp_checks"),
            format!(
                "--   Who also puts up guardrails gets {GUARDRAIL} as well, and both at once: SET DEFAULT ROLE ALL TO …;\n"
            ),
        ),
    };
    text.push_str(&format!(
        "\n-- Who connects gets a role by name, and has it from the start; for instance:\n\
         --   CREATE USER erp_checks IDENTIFIED BY …;   GRANT {DETECTOR} TO erp_checks;   {default};\n\
         --   and {RECOVERY} to those on call, revoked or the account locked afterwards.\n{of_both}\
         -- An account that already has rights of its own keeps them. Triggers run with the rights of who defined them.\n\
         -- Prove it: steadyhand grants … --self-test\n"
    ));
    text
}

/// Which of the functions that are called are stored, only the server knows.
fn execute(needs: &Needs, place: &Place) -> String {
    let rows = needs.calls(place).into_iter().map(|[schema, name, role]| {
        format!("SELECT {schema} AS of_schema, {name} AS name, {role} AS role")
    });
    let rows = rows.collect::<Vec<_>>().join("\n      UNION ALL ");
    if rows.is_empty() {
        return String::new();
    }
    let procedure = format!("{}.steadyhand_execute", place.quote(&place.schema));
    format!(
        "\n-- Functions that checks and changes call: the right goes to those that somebody stored here.\n\
         DELIMITER //\nDROP PROCEDURE IF EXISTS {procedure}//\n\
         CREATE PROCEDURE {procedure}() SQL SECURITY INVOKER\nBEGIN\n  \
         DECLARE done INT DEFAULT 0;\n  DECLARE one TEXT;\n  \
         DECLARE stored CURSOR FOR\n    \
         SELECT CONCAT('GRANT EXECUTE ON FUNCTION `', REPLACE(r.routine_schema, '`', '``'), '`.`', REPLACE(r.routine_name, '`', '``'), '` TO ', c.role)\n      \
         FROM information_schema.routines r JOIN (\n      {rows}) c\n        \
         ON r.routine_schema = CONVERT(c.of_schema USING utf8) COLLATE utf8_general_ci AND r.routine_name = CONVERT(c.name USING utf8) COLLATE utf8_general_ci\n     \
         WHERE r.routine_type = 'FUNCTION';\n  \
         DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;\n  \
         OPEN stored;\n  each_one: LOOP\n    FETCH stored INTO one;\n    \
         IF done THEN LEAVE each_one; END IF;\n    \
         SET @steadyhand_one = one;\n    PREPARE grant_one FROM @steadyhand_one;\n    \
         EXECUTE grant_one;\n    DEALLOCATE PREPARE grant_one;\n  \
         END LOOP;\n  CLOSE stored;\nEND//\nDELIMITER ;\n\
         CALL {procedure}();\nDROP PROCEDURE {procedure};\n"
    )
}

/// A name where the server reads a pattern of names: in the rights on a whole database.
fn pattern(schema: &str) -> String {
    schema.replace('_', r"\_").replace('%', r"\%")
}

/// Of a setting that makes a name of what is a pattern everywhere else.
fn partial(place: &Place) -> &'static str {
    let is_one = pattern(&place.schema) != place.schema;
    match place.dialect {
        Dialect::Mysql if is_one => {
            "-- Where partial_revokes is ON, take the backslashes out of the next line.\n"
        }
        _ => "",
    }
}

/// What the roles have in these databases or through a pattern that reaches into them, on the whole server, and
/// through other roles. No single statement takes back what only may be there, and all of the server would be too
/// much: other databases have these roles too.
fn take_back(needs: &Needs, place: &Place) -> String {
    let names = |names: &mut dyn Iterator<Item = String>| {
        let names: Vec<String> = names.map(|name| literal(&name, place.dialect)).collect();
        names.join(", ")
    };
    let schemas = needs.schemas(place);
    let reached = schemas.iter().map(|name| format!("{} LIKE Db", literal(name, place.dialect)));
    let reached = reached.collect::<Vec<_>>().join(" OR ");
    let (roles, schemas) =
        (names(&mut ROLES.map(str::to_owned).into_iter()), names(&mut schemas.into_iter()));
    let members = match place.dialect {
        Dialect::Mariadb => format!(
            "\n    UNION ALL SELECT CONCAT('REVOKE `', REPLACE(Role, '`', '``'), '` FROM ', User), 1\n      \
             FROM mysql.roles_mapping WHERE User IN ({roles}) AND Host = ''"
        ),
        _ => String::new(),
    };
    let procedure = format!("{}.steadyhand_take_back", place.quote(&place.schema));
    format!(
        "DELIMITER //\nDROP PROCEDURE IF EXISTS {procedure}//\n\
         CREATE PROCEDURE {procedure}() SQL SECURITY INVOKER\nBEGIN\n  \
         DECLARE done INT DEFAULT 0;\n  DECLARE one TEXT;\n  DECLARE turn INT;\n  \
         DECLARE held CURSOR FOR\n    \
         SELECT CONCAT('REVOKE ', w.word, ' ON ', g.place, ' FROM ', g.role) AS statement, w.place_in_line FROM (\n      \
         SELECT User AS role, '*.*' AS place FROM mysql.user WHERE User IN ({roles})\n      \
         UNION ALL SELECT User, CONCAT('`', REPLACE(Db, '`', '``'), '`.*') FROM mysql.db\n       \
         WHERE User IN ({roles}) AND ({reached})\n      \
         UNION ALL SELECT User, CONCAT('`', REPLACE(Db, '`', '``'), '`.`', REPLACE(Table_name, '`', '``'), '`') FROM mysql.tables_priv\n       \
         WHERE User IN ({roles}) AND Db IN ({schemas})\n      \
         UNION ALL SELECT User, CONCAT(Routine_type, ' `', REPLACE(Db, '`', '``'), '`.`', REPLACE(Routine_name, '`', '``'), '`') FROM mysql.procs_priv\n       \
         WHERE User IN ({roles}) AND Db IN ({schemas})) g\n    \
         CROSS JOIN (SELECT 'GRANT OPTION' AS word, 1 AS place_in_line UNION ALL SELECT 'ALL PRIVILEGES', 2) w{members}\n    \
         ORDER BY place_in_line;\n  \
         DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;\n  \
         -- It went with the one before it.\n  \
         DECLARE CONTINUE HANDLER FOR 1141, 1147, 1403 BEGIN END;\n  \
         OPEN held;\n  each_one: LOOP\n    FETCH held INTO one, turn;\n    \
         IF done THEN LEAVE each_one; END IF;\n    \
         SET @steadyhand_one = one;\n    PREPARE revoke_one FROM @steadyhand_one;\n    \
         EXECUTE revoke_one;\n    DEALLOCATE PREPARE revoke_one;\n  \
         END LOOP;\n  CLOSE held;\nEND//\nDELIMITER ;\n\
         CALL {procedure}();\nDROP PROCEDURE {procedure};\n"
    )
}
