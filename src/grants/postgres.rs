//! The roles on `PostgreSQL`, in one transaction.

use super::{DETECTOR, GUARDRAIL, Needs, Place, RECOVERY, Rights, Table, head, literal};
use crate::dialect::Dialect;
use crate::sql::create_ledger;

const ROLES: [&str; 3] = [DETECTOR, RECOVERY, GUARDRAIL];

pub(super) fn script(needs: &Needs, place: &Place) -> String {
    let mut text = head(needs, place, "The roles of steadyhand");
    let all = ROLES.join(", ");
    let schemas: Vec<String> =
        needs.schemas(place).iter().map(|schema| place.quote(schema)).collect();
    let schemas = schemas.join(", ");
    text.push_str(
        "-- Run it as a superuser. Before version 16 whoever owns database, schema and tables can run it too, with CREATEROLE;\n\
         -- since then that grants pg_monitor, pg_read_all_stats and the owner's role only to who has ADMIN OPTION on them.\n\
         -- It can be run again: rights in this database that are no longer needed are taken back; run it in each database\n\
         -- that the roles are for. A table that is not there stops it, and nothing is changed.\n\
         \nBEGIN;\n\n-- 1. Three roles that nobody logs in with.\n",
    );
    text.push_str(&format!(
        "DO $do$\nDECLARE role text; other regrole;\nBEGIN\n  FOREACH role IN ARRAY ARRAY['{}'] LOOP\n    \
         IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN\n      \
         EXECUTE format('CREATE ROLE %I NOLOGIN', role);\n    END IF;\n    \
         IF EXISTS (SELECT FROM pg_roles WHERE rolname = role AND (rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)) THEN\n      \
         EXECUTE format('ALTER ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION', role);\n    END IF;\n    \
         FOR other IN SELECT m.roleid::regrole FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid\n       \
         WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = role) LOOP\n      \
         IF role = '{GUARDRAIL}' AND EXISTS (SELECT FROM pg_roles WHERE oid = other AND NOT rolsuper) AND EXISTS (SELECT FROM pg_shdepend\n          \
         WHERE refclassid = 'pg_authid'::regclass AND refobjid = other AND deptype = 'o'\n          \
         AND dbid NOT IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))) THEN\n        \
         RAISE NOTICE '% stays a member of %, which owns something in another database', role, other;\n      \
         ELSE\n        EXECUTE format('REVOKE %s FROM %I', other, role);\n      END IF;\n    END LOOP;\n  \
         END LOOP;\nEND\n$do$;\n",
        ROLES.join("', '")
    ));
    text.push_str(&public(place));
    text.push_str(&format!(
        "\n-- 3. What they had before, and the way in.\n\
         REVOKE ALL ON ALL TABLES IN SCHEMA {schemas} FROM {all};\n\
         REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schemas} FROM {all};\n\
         REVOKE ALL ON SCHEMA {schemas} FROM {all};\n\
         GRANT USAGE ON SCHEMA {schemas} TO {all};\n"
    ));
    let connect = ROLES.map(|role| {
        format!("  EXECUTE format('GRANT CONNECT ON DATABASE %I TO {role}', current_database());\n")
    });
    text.push_str(&format!("DO $do$\nBEGIN\n{}END\n$do$;\n", connect.concat()));
    let ledger = place.quoted(&place.ledger());
    text.push_str(&format!(
        "\n-- 4. The ledger: every change leaves a row here, in its own transaction. Nobody but its owner alters it.\n\
         {};\nGRANT SELECT ON {ledger} TO {DETECTOR};\nGRANT SELECT, INSERT ON {ledger} TO {RECOVERY};\n",
        create_ledger(&ledger, place.dialect)
    ));
    text.push_str(&format!("\n-- 5. The detector reads what checks name, and how busy the server is.\nGRANT pg_monitor TO {DETECTOR};\n"));
    for table in &needs.reads {
        text.push_str(&format!("GRANT SELECT ON {} TO {DETECTOR};\n", place.quoted(table)));
    }
    if needs.sequences {
        text.push_str(&format!(
            "-- How far sequences are; who may only read one draws no number from it. Of a new one it is granted anew.\n\
             GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schemas} TO {DETECTOR};\n"
        ));
    }
    text.push_str(&format!("\n-- 6. The recovery role writes what runbooks write and what takes it back. Grant it for an incident.\nGRANT pg_read_all_stats TO {RECOVERY};\n"));
    for table in &needs.reads {
        text.push_str(&format!("GRANT SELECT ON {} TO {RECOVERY};\n", place.quoted(table)));
    }
    text.push_str(&writes(&needs.writes, RECOVERY, place));
    text.push_str(&sequences(needs, place));
    text.push_str(&execute(needs, place));
    text.push_str(&guardrail(needs, place, &schemas));
    text.push_str(&trigger_functions(needs, place));
    text.push_str(&format!(
        "\nCOMMIT;\n\n\
         -- Who connects gets a role by name, for instance:\n\
         --   CREATE ROLE erp_checks LOGIN;   GRANT {DETECTOR} TO erp_checks;\n\
         --   CREATE ROLE erp_oncall LOGIN;   GRANT {RECOVERY} TO erp_oncall;   -- and REVOKE it afterwards\n\
         -- A login that already has rights of its own keeps them. Row-level security needs a policy for these roles,\n\
         -- else checks say that they cannot see everything. To end hung sessions of one's own no right is needed.\n\
         -- Prove it: steadyhand grants … --self-test\n"
    ));
    text
}

/// What every role has through PUBLIC and these must not have.
fn public(place: &Place) -> String {
    let schema = literal(&place.schema, Dialect::Postgres);
    format!(
        "\n-- 2. Everybody may create temporary tables, and before version 15 tables in \"public\" as well. Who can log in\n\
         -- today keeps that by name, then everybody loses it; accounts made later need it by name: GRANT TEMPORARY ON DATABASE.\n\
         DO $do$\nDECLARE account text; temporary boolean; creating boolean;\nBEGIN\n  \
         temporary := has_database_privilege('public', current_database(), 'TEMPORARY');\n  \
         creating := has_schema_privilege('public', {schema}, 'CREATE');\n  \
         FOR account IN SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper\n       \
         AND NOT pg_has_role(rolname, '{DETECTOR}', 'MEMBER') AND NOT pg_has_role(rolname, '{RECOVERY}', 'MEMBER') LOOP\n    \
         IF temporary THEN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), account); END IF;\n    \
         IF creating THEN EXECUTE format('GRANT CREATE ON SCHEMA %I TO %I', {schema}, account); END IF;\n  \
         END LOOP;\n  \
         IF temporary THEN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END IF;\n  \
         IF creating THEN EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', {schema}); END IF;\n\
         END\n$do$;\n"
    )
}

fn writes(rights: &std::collections::BTreeMap<Table, Rights>, role: &str, place: &Place) -> String {
    let mut text = String::new();
    for (table, rights) in rights {
        let words = rights.words(|name| place.quote(name));
        if !words.is_empty() {
            text.push_str(&rights.comment().unwrap_or_default());
            let words = words.join(", ");
            text.push_str(&format!("GRANT {words} ON {} TO {role};\n", place.quoted(table)));
        }
    }
    text
}

/// Which of the functions that are called somebody made, only the server knows; everybody may call most of them.
fn execute(needs: &Needs, place: &Place) -> String {
    let rows = needs.calls(place).into_iter().map(|row| format!("({})", row.join(", ")));
    let rows = rows.collect::<Vec<_>>().join(", ");
    if rows.is_empty() {
        return String::new();
    }
    let [schemas, roles] = [needs.schemas(place), ROLES.map(str::to_owned).into()].map(|names| {
        let names: Vec<_> = names.iter().map(|name| literal(name, Dialect::Postgres)).collect();
        names.join(", ")
    });
    format!(
        "\n-- Functions that checks and changes call, where not everybody may.\n\
         DO $do$\nDECLARE held record;\nBEGIN\n  \
         FOR held IN SELECT DISTINCT p.oid::regprocedure AS function, r.rolname AS role FROM pg_proc p\n       \
         CROSS JOIN LATERAL aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee\n       \
         JOIN pg_namespace n ON n.oid = p.pronamespace\n       \
         WHERE r.rolname IN ({roles}) AND n.nspname IN ({schemas}) LOOP\n    \
         EXECUTE format('REVOKE ALL ON ROUTINE %s FROM %I', held.function, held.role);\n  END LOOP;\n  \
         FOR held IN SELECT p.oid::regprocedure AS function, c.role FROM (VALUES {rows}) AS c (of_schema, name, role)\n       \
         JOIN pg_namespace n ON n.nspname = c.of_schema JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = c.name\n       \
         WHERE p.prokind IN ('f', 'w', 'a') AND n.nspname IN ({schemas}) AND NOT has_function_privilege(c.role, p.oid, 'EXECUTE') LOOP\n    \
         EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', held.function, held.role);\n  END LOOP;\nEND\n$do$;\n"
    )
}

/// An INSERT draws numbers from sequences that belong to the table (serial; identity needs no right).
fn sequences(needs: &Needs, place: &Place) -> String {
    let tables: Vec<String> = needs
        .writes
        .iter()
        .filter(|(_, rights)| rights.insert)
        .map(|(table, _)| literal(&place.quoted(table), Dialect::Postgres))
        .collect();
    if tables.is_empty() {
        return String::new();
    }
    format!(
        "-- Numbers for new rows.\n\
         DO $do$\nDECLARE sequence regclass;\nBEGIN\n  \
         FOR sequence IN SELECT d.objid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'\n       \
         WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'a' AND d.refobjid::regclass = ANY (ARRAY[{}]::regclass[]) LOOP\n    \
         EXECUTE format('GRANT USAGE ON SEQUENCE %s TO {RECOVERY}', sequence);\n  END LOOP;\nEND\n$do$;\n",
        tables.join(", ")
    )
}

/// Indexes and constraints belong to the owner of the table, so the role becomes one of the owners.
fn guardrail(needs: &Needs, place: &Place, schemas: &str) -> String {
    if needs.guarded.is_empty() {
        return "\n-- 7. No guardrail is loaded, so its role gets nothing.\n".to_owned();
    }
    let tables: Vec<String> = needs
        .guarded
        .keys()
        .map(|table| literal(&place.quoted(table), Dialect::Postgres))
        .collect();
    format!(
        "\n-- 7. The guardrail role defines indexes, constraints and triggers, which only an owner may: it becomes a member\n\
         -- of the role that owns the table. Grant it for as long as a guardrail is being put up, to nobody else.\n\
         GRANT CREATE ON SCHEMA {schemas} TO {GUARDRAIL};\n\
         GRANT SELECT, INSERT ON {ledger} TO {GUARDRAIL};\n\
         DO $do$\nDECLARE held record;\nBEGIN\n  \
         EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO {GUARDRAIL}', current_database());\n  \
         FOR held IN SELECT c.oid::regclass AS name, r.rolname, r.rolsuper FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner\n       \
         WHERE c.oid = ANY (ARRAY[{}]::regclass[]) LOOP\n    \
         IF held.rolsuper THEN\n      \
         RAISE WARNING '% belongs to the superuser %: the guardrail role gets no right on it; give it an owner of its own', held.name, held.rolname;\n    \
         ELSIF NOT pg_has_role('{GUARDRAIL}', held.rolname, 'MEMBER') THEN\n      \
         EXECUTE format('GRANT %I TO {GUARDRAIL}', held.rolname);\n    END IF;\n  END LOOP;\nEND\n$do$;\n",
        tables.join(", "),
        ledger = place.quoted(&place.ledger())
    )
}

/// Names the triggers that will run with the rights of the recovery role.
fn trigger_functions(needs: &Needs, place: &Place) -> String {
    let tables: Vec<String> =
        needs.writes.keys().map(|table| literal(&place.quoted(table), Dialect::Postgres)).collect();
    if tables.is_empty() {
        return String::new();
    }
    format!(
        "\n-- 8. Triggers run with the rights of whoever changes the row. Where one writes another table and is not\n\
         -- SECURITY DEFINER, name that table: steadyhand grants … --trigger-writes TABLE\n\
         DO $do$\nDECLARE found record;\nBEGIN\n  \
         FOR found IN SELECT t.tgname, t.tgrelid::regclass AS name, p.oid::regprocedure AS function FROM pg_trigger t\n       \
         JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal AND NOT p.prosecdef\n        \
         AND t.tgrelid = ANY (ARRAY[{}]::regclass[]) LOOP\n    \
         RAISE NOTICE 'trigger % of % runs % with the rights of {RECOVERY}', found.tgname, found.name, found.function;\n  \
         END LOOP;\nEND\n$do$;\n",
        tables.join(", ")
    )
}
