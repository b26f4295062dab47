//! The proof of what the roles may and may not do: a trial for every right that is named, and for
//! everything in the catalogue of the server that is not.

use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::{DETECTOR, Needs, Place, RECOVERY, Rights, Table, comment, head, literal};
use crate::dialect::Dialect;

/// How an engine says it.
struct Words {
    read: fn(&str) -> String,
    /// Denied for a table, for one of its columns, for a table that is to be temporary.
    table: &'static str,
    column: &'static str,
    temporary: &'static str,
    /// Succeeded.
    done: &'static str,
    /// What reaches beyond the database, and how it is refused.
    beyond: &'static [(&'static str, &'static str, &'static str)],
    script: &'static str,
}

const POSTGRES: Words = Words {
    read: |table| format!("SELECT FROM {table} LIMIT 0"),
    table: "42501",
    column: "42501",
    temporary: "42501",
    done: "00000",
    beyond: &[("runs a program of the server", "COPY (SELECT 1) TO PROGRAM 'true'", "42501")],
    script: include_str!("sql/postgres.sql"),
};

const MYSQL: Words = Words {
    read: |table| format!("DO (SELECT COUNT(*) FROM {table} WHERE FALSE)"),
    table: "1142",
    column: "1142,1143",
    temporary: "1044",
    done: "0",
    beyond: &[
        (
            "changes a global setting",
            "SET GLOBAL max_connections = @@GLOBAL.max_connections",
            "1227",
        ),
        // It is there, so that nothing is made even if it is allowed.
        ("creates a database", "CREATE DATABASE steadyhand_trial", "1044"),
        ("writes a file of the server", "SELECT 1 INTO OUTFILE '/nowhere/file'", "1045,1227"),
    ],
    script: include_str!("sql/mysql.sql"),
};

pub(super) fn self_test(needs: &Needs, place: &Place) -> String {
    let words = if place.dialect == Dialect::Postgres { &POSTGRES } else { &MYSQL };
    let list = |names: &mut dyn Iterator<Item = String>| {
        let mut names: Vec<String> = names.map(|name| literal(&name, place.dialect)).collect();
        if names.is_empty() {
            // A name that no table has: an empty list is no SQL.
            names.push("''".to_owned());
        }
        names.join(", ")
    };
    let tables = |may: &dyn Fn(&Rights) -> bool| {
        needs
            .writes
            .iter()
            .filter(|(_, rights)| may(rights))
            .map(|(t, _)| full(t))
            .collect::<Vec<_>>()
    };
    let ledger = full(&place.ledger());
    let columns = needs.writes.iter().filter(|(_, rights)| !rights.update_all);
    let columns = columns.flat_map(|(table, rights)| {
        rights.update.iter().map(move |column| format!("{}.{column}", full(table)))
    });
    let context = context! {
        detector => DETECTOR,
        recovery => RECOVERY,
        trials => trials(needs, place, words),
        schemas => list(&mut needs.schemas(place).into_iter()),
        sequences => needs.sequences,
        lists => needs.lists,
        place => literal(&place.schema, place.dialect),
        reads => list(&mut needs.reads.iter().map(full).chain([ledger.clone()])),
        inserts => list(&mut tables(&Rights::may_insert).into_iter().chain([ledger])),
        deletes => list(&mut tables(&Rights::may_delete).into_iter()),
        updates => list(&mut columns.into_iter()),
        updates_all => list(&mut tables(&|rights| rights.update_all).into_iter()),
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let script = environment.render_str(words.script, context);
    let script = script.expect("the template is ours and tested");
    format!("{}{script}\n", head(needs, place, "What the roles of steadyhand may and may not do"))
}

fn full(table: &Table) -> String {
    format!("{}.{}", table.schema, table.name)
}

/// One statement each with the rights of one role, and how it must end; all texts are literals of SQL.
fn trials(needs: &Needs, place: &Place, words: &Words) -> Vec<Value> {
    let mut trials = vec![];
    let mut add = |role: &str, what: &str, sql: &str, expected: &str| {
        let [role, what, sql] = [role, what, sql].map(|text| literal(text, place.dialect));
        trials.push(context! { role, what, sql, expected });
    };
    for table in &needs.reads {
        let (name, what) = (place.quoted(table), comment(&full(table)));
        for role in [DETECTOR, RECOVERY] {
            add(role, &format!("reads {what}"), &(words.read)(&name), words.done);
            // Would fail all the same if it were allowed: a trial must not do what it proves impossible.
            let alter = format!("ALTER TABLE {name} DROP COLUMN steadyhand_trial");
            add(role, &format!("alters {what}"), &alter, words.table);
        }
    }
    for (table, rights) in &needs.writes {
        let (name, what) = (place.quoted(table), comment(&full(table)));
        for column in &rights.update {
            let quoted = place.quote(column);
            let sql = format!("UPDATE {name} SET {quoted} = {quoted} WHERE 1 = 0");
            add(RECOVERY, &format!("changes {what}.{}", comment(column)), &sql, words.done);
        }
        if rights.may_delete() {
            let sql = format!("DELETE FROM {name} WHERE 1 = 0");
            add(RECOVERY, &format!("deletes from {what}"), &sql, words.done);
        }
    }
    let ledger = place.quoted(&place.ledger());
    let made = format!("{}.steadyhand_trial (a int)", place.quote(&place.schema));
    let postgres = place.dialect == Dialect::Postgres;
    // PostgreSQL keeps temporary tables in a schema of their own.
    let temporary = if postgres { "steadyhand_trial (a int)" } else { &made };
    for role in [DETECTOR, RECOVERY] {
        let sql = format!("CREATE TEMPORARY TABLE {temporary}");
        add(role, "creates a temporary table", &sql, words.temporary);
        // Only PostgreSQL can take it back; elsewhere the name is taken.
        let sql = if postgres { made.clone() } else { format!("{ledger} (a int)") };
        add(role, "creates a table", &format!("CREATE TABLE {sql}"), words.table);
        for (what, sql, expected) in words.beyond {
            add(role, what, sql, expected);
        }
    }
    let sql = format!("INSERT INTO {ledger} SELECT * FROM {ledger} WHERE 1 = 0");
    add(RECOVERY, "writes the ledger", &sql, words.done);
    let sql = format!("UPDATE {ledger} SET actor = actor WHERE 1 = 0");
    add(RECOVERY, "alters the ledger's rows", &sql, words.column);
    trials
}
