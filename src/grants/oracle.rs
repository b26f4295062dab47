//! The roles on Oracle. READ instead of SELECT: SELECT would allow FOR UPDATE.

use super::{DETECTOR, GUARDRAIL, Needs, Place, RECOVERY, head, literal};
use crate::dialect::Dialect;
use crate::sql::create_ledger;

/// Views that show which database it is, how busy it is, who waits for whom, and how late a standby is.
const VIEWS: [&str; 6] = [
    "V_$DATABASE",
    "V_$PARAMETER",
    "V_$DATAGUARD_STATS",
    "GV_$SESSION",
    "GV_$TRANSACTION",
    "GV_$LOCKED_OBJECT",
];

/// Without these the triggers and the code of another owner are not shown, and so not what they write.
const CODE: [&str; 3] = ["DBA_TRIGGERS", "DBA_SOURCE", "DBA_DEPENDENCIES"];

/// Whoever may ALTER SYSTEM may end everybody's sessions; this ends those of steadyhand under the same
/// account, and no other.
const HELPER: &str = include_str!("oracle_end.sql");

pub(super) fn script(needs: &Needs, place: &Place) -> String {
    let mut text = head(needs, place, "The roles of steadyhand");
    text.push_str(
        "-- Run it as a DBA with SQL*Plus or SQLcl. It can be run again. This script was not run on an Oracle server by its authors.\n\n\
         -- 1. Three roles, and the ledger: every change leaves a row there, in its own transaction.\n",
    );
    // Neither CREATE ROLE nor CREATE TABLE asks whether it is there, before 23ai.
    let unless = |sql: &str, code: i32| {
        format!(
            "BEGIN EXECUTE IMMEDIATE {}; EXCEPTION WHEN OTHERS THEN IF SQLCODE <> {code} THEN RAISE; END IF; END;\n/\n",
            literal(sql, Dialect::Oracle)
        )
    };
    for role in [DETECTOR, RECOVERY, GUARDRAIL] {
        text.push_str(&unless(&format!("CREATE ROLE {role}"), -1921));
        text.push_str(&format!("GRANT CREATE SESSION TO {role};\n"));
    }
    let ledger = place.quoted(&place.ledger());
    text.push_str(&unless(&create_ledger(&ledger, Dialect::Oracle), -955));
    text.push_str(HELPER);
    for role in [DETECTOR, RECOVERY, GUARDRAIL] {
        text.push_str(&format!("GRANT EXECUTE ON STEADYHAND_OPS.STEADYHAND_END TO {role};\n"));
    }
    text.push_str("\n-- 2. The detector reads what checks name, at one instant, and how busy the server is.\n");
    for view in VIEWS {
        text.push_str(&format!("GRANT READ ON SYS.{view} TO {DETECTOR};\n"));
    }
    text.push_str(&format!("GRANT READ ON {ledger} TO {DETECTOR};\n"));
    for table in &needs.reads {
        text.push_str(&format!(
            "GRANT READ, FLASHBACK ON {} TO {DETECTOR};\n",
            place.quoted(table)
        ));
    }
    text.push_str("\n-- 3. The recovery role writes what runbooks write and what takes it back. Grant it for an incident.\n");
    for view in VIEWS {
        text.push_str(&format!("GRANT READ ON SYS.{view} TO {RECOVERY};\n"));
    }
    for view in CODE {
        text.push_str(&format!("GRANT READ ON SYS.{view} TO {RECOVERY};\n"));
    }
    text.push_str(&format!("GRANT SELECT, INSERT ON {ledger} TO {RECOVERY};\n"));
    for table in &needs.reads {
        let name = place.quoted(table);
        text.push_str(&format!("GRANT SELECT, FLASHBACK ON {name} TO {RECOVERY};\n"));
        let Some(rights) = needs.writes.get(table) else { continue };
        text.push_str(&rights.comment().unwrap_or_default());
        let words = rights.words(|column| place.quote(column)).join(", ");
        text.push_str(&format!("GRANT {words} ON {name} TO {RECOVERY};\n"));
    }
    text.push_str("\n-- 4. The guardrail role. Triggers on the tables of another schema need CREATE ANY TRIGGER, which is\n-- far more than one table: leave trigger guardrails to the owner of the schema.\n");
    for view in ["V_$DATABASE", "GV_$SESSION"] {
        text.push_str(&format!("GRANT READ ON SYS.{view} TO {GUARDRAIL};\n"));
    }
    for table in needs.guarded.keys() {
        text.push_str(&format!(
            "GRANT SELECT, ALTER, INDEX, REFERENCES ON {} TO {GUARDRAIL};\n",
            place.quoted(table)
        ));
    }
    text.push_str(&format!(
        "\n-- Who connects gets a role by name: GRANT {DETECTOR} TO erp_checks;\n\
         -- VPD policies (ALL_POLICIES) hide rows without a word: exempt the detector, or its verdicts stay inconclusive.\n\
         -- Prove it: steadyhand grants … --self-test\n"
    ));
    text
}

pub(super) fn self_test(needs: &Needs, place: &Place) -> String {
    let mut text = head(needs, place, "What the roles of steadyhand may not do");
    text.push_str(
        "-- Run each part connected as an account that has nothing but this role, with SET SERVEROUTPUT ON. It was not run\n\
         -- on an Oracle server by its authors. ORA-01031: insufficient privileges; ORA-00942: no such table for this account;\n\
         -- ORA-41900: the same since 23ai.\n",
    );
    let begin = "DECLARE\n  wrong INTEGER := 0;\n  PROCEDURE refused(what VARCHAR2, statement VARCHAR2) IS\n  BEGIN\n    \
         EXECUTE IMMEDIATE statement;\n    wrong := wrong + 1;\n    DBMS_OUTPUT.PUT_LINE('WRONG: ' || what || ' succeeded');\n    ROLLBACK;\n  \
         EXCEPTION WHEN OTHERS THEN\n    IF SQLCODE IN (-1031, -942, -41900) THEN\n      DBMS_OUTPUT.PUT_LINE('ok: ' || what || ' gave ' || SQLCODE);\n    \
         ELSE\n      wrong := wrong + 1;\n      DBMS_OUTPUT.PUT_LINE('WRONG: ' || what || ' gave ' || SQLERRM);\n    END IF;\n  END;\nBEGIN\n";
    let end = "  IF wrong > 0 THEN RAISE_APPLICATION_ERROR(-20001, wrong || ' trials ended otherwise than they must'); END IF;\nEND;\n/\n";
    let refused = |what: &str, sql: &str| {
        format!(
            "  refused({}, {});\n",
            literal(what, Dialect::Oracle),
            literal(sql, Dialect::Oracle)
        )
    };
    let table = format!("CREATE TABLE {}.STEADYHAND_TRIAL (A NUMBER)", place.quote(&place.schema));
    text.push_str(&format!("\n-- As {DETECTOR}\n{begin}"));
    for table in &needs.reads {
        let name = place.quoted(table);
        text.push_str(&refused(
            &format!("deletes from {}", table.name),
            &format!("DELETE FROM {name} WHERE 1 = 0"),
        ));
        text.push_str(&refused(&format!("locks rows of {}", table.name), &format!("DECLARE n NUMBER; CURSOR c IS SELECT 1 FROM {name} WHERE 1 = 0 FOR UPDATE; BEGIN OPEN c; CLOSE c; END;")));
    }
    text.push_str(&refused("creates a table", &table));
    text.push_str(&format!("{end}\n-- As {RECOVERY}\n{begin}"));
    for table in &needs.reads {
        let name = place.quoted(table);
        text.push_str(&refused(
            &format!("alters {}", table.name),
            &format!("ALTER TABLE {name} READ ONLY"),
        ));
        if !needs.writes.get(table).is_some_and(super::Rights::may_delete) {
            text.push_str(&refused(
                &format!("deletes from {}", table.name),
                &format!("DELETE FROM {name} WHERE 1 = 0"),
            ));
        }
    }
    text.push_str(&refused("creates a table", &table));
    text.push_str(&refused("acts on the server", "ALTER SYSTEM CHECKPOINT"));
    text.push_str(&refused(
        "alters the ledger's rows",
        &format!("UPDATE {} SET ACTOR = ACTOR WHERE 1 = 0", place.quoted(&place.ledger())),
    ));
    text.push_str(end);
    text
}
