use super::*;
use crate::{check, runbook};

fn place(dialect: Dialect) -> Place {
    Place { dialect, schema: "erp".into() }
}

fn table(name: &str) -> Table {
    Table { schema: "erp".into(), name: name.into() }
}

fn check_of(sql: &str) -> Check {
    let text = format!(
        "id = \"c\"\ntitle = \"C\"\nrule = \"None.\"\nseverity = \"sev3\"\nkey = [\"id\"]\nowner = \"me\"\n[sql]\n{sql}\n"
    );
    check::load::parse("c.toml", "p", &text).expect("a check")
}

fn loaded(sql: &str) -> (Check, Runbook) {
    let check = check_of(&format!("any = '''{sql}'''"));
    let text = r#"
id = "r"
title = "R"
summary = "Mends."
owner = "me"
severity = "sev3"
[[step]]
id = "mend"
kind = "change"
title = "Mend"
risk = "low"
cures = ["c"]
[[step.statement]]
note = "Set"
any = "UPDATE Orders SET State = 'x', seen = 1 WHERE id IN (SELECT order_id FROM hr.lines)"
[[step.statement]]
note = "Copy"
any = "INSERT INTO kept (id) SELECT id FROM orders"
[[step.statement]]
note = "Take away"
any = "DELETE FROM gone"
[[step.statement]]
note = "Set or make"
postgres = "INSERT INTO sums (id, n, m) VALUES (1, 7, 2) ON CONFLICT (id) DO UPDATE SET N = EXCLUDED.n, m = 2"
mariadb = "INSERT INTO sums (id, n, m) VALUES (1, 7, 2) ON DUPLICATE KEY UPDATE n = VALUES(n), m = 2"
[step.limits]
max_rows = 1
time_cap = "1s"
lock_wait = "1s"
"#;
    let runbook = runbook::load::parse("r.toml", "p", text).expect("a runbook");
    (check, runbook)
}

#[test]
fn rights_follow_from_the_statements_and_from_taking_them_back() {
    let (check, runbook) = loaded("SELECT id FROM Orders");
    let triggers = ["audit".to_owned()];
    let needs = Needs::of(&[&check], &[&runbook], &triggers, &place(Dialect::Postgres));
    let lines = Table { schema: "hr".into(), name: "lines".into() };
    let named: Vec<Table> = ["audit", "gone", "kept", "orders", "sums"].map(table).to_vec();
    assert_eq!(needs.reads, named.into_iter().chain([lines]).collect());
    let words = |name: &str| needs.writes[&table(name)].words(str::to_owned).join(" ");
    assert_eq!(words("orders"), "UPDATE (seen, state)");
    assert_eq!(words("kept"), "INSERT DELETE");
    assert_eq!(words("gone"), "INSERT DELETE");
    assert_eq!(words("audit"), "INSERT UPDATE");
    assert_eq!(words("sums"), "INSERT UPDATE (m, n) DELETE");
    let on_mariadb = Needs::of(&[], &[&runbook], &[], &place(Dialect::Mariadb));
    let sums = on_mariadb.writes[&table("sums")].words(str::to_owned).join(" ");
    assert_eq!(sums, "INSERT UPDATE (m, n) DELETE");
    assert_eq!(
        needs.writes[&table("kept")].comment().as_deref(),
        Some("-- DELETE only takes a change back.\n")
    );
    assert!(needs.doubts.is_empty(), "{:?}", needs.doubts);
}

#[test]
fn a_table_is_read_though_a_name_of_with_is_the_same() {
    let (check, _) =
        loaded("WITH orders AS (SELECT id FROM orders WHERE paid = 0) SELECT id FROM orders");
    let needs = Needs::of(&[&check], &[], &[], &place(Dialect::Postgres));
    assert_eq!(needs.reads, [table("orders")].into());
}

#[test]
fn what_the_server_shows_to_everybody_is_no_table_to_grant() {
    let reads = |sql: &str, dialect| {
        let needs = Needs::of(&[&loaded(sql).0], &[], &[], &place(dialect));
        let names = needs.reads.into_iter().map(|table| format!("{}.{}", table.schema, table.name));
        (names.collect::<Vec<_>>().join(" "), needs.sequences)
    };
    let sql = "SELECT id FROM information_schema.tables, performance_schema.threads, sys.version, pg_sequences";
    assert_eq!(reads(sql, Dialect::Mariadb), ("erp.pg_sequences sys.version".into(), true));
    let of_postgres = "performance_schema.threads sys.version";
    assert_eq!(reads(sql, Dialect::Postgres), (of_postgres.into(), true));
    assert_eq!(reads("SELECT id FROM pg_class", Dialect::Postgres), (String::new(), false));
}

#[test]
fn names_are_those_that_the_server_keeps() {
    let sql = "'SELECT id FROM \"Orders\" JOIN \"order\" o ON TRUE JOIN Lines l ON TRUE'";
    let check = check_of(&format!("postgres = {sql}\noracle = {sql}"));
    let names = |dialect| {
        let needs = Needs::of(&[&check], &[], &[], &place(dialect));
        needs.reads.into_iter().map(|table| table.name).collect::<Vec<_>>()
    };
    assert_eq!(names(Dialect::Postgres), ["Orders", "lines", "order"]);
    assert_eq!(names(Dialect::Oracle), ["LINES", "Orders", "order"]);
}

#[test]
fn hostile_names_stay_names() {
    let (mut check, runbook) = loaded("SELECT id FROM orders");
    check.named.clear();
    check.tables = vec![
        "a\"; DROP TABLE x; -- `\\'".to_owned(),
        "b\nDROP TABLE x".to_owned(),
        "$do$".to_owned(),
    ];
    for dialect in Dialect::ALL {
        let place = Place { dialect, schema: "s'\"`; DROP".into() };
        let needs = Needs::of(&[&check], &[&runbook], &[], &place);
        assert_eq!(needs.doubts.len(), 2, "{:?}", needs.doubts);
        for text in [script(&needs, &place), self_test(&needs, &place)] {
            let broken = text.lines().any(|line| line.trim_start().starts_with("DROP TABLE x"));
            assert!(!broken, "{dialect}:\n{text}");
            if dialect != Dialect::Sqlite {
                assert!(sql_is_whole(&text, dialect), "{dialect}:\n{text}");
            }
        }
    }
}

/// Every quote that is opened is closed: nothing of a name has become SQL.
fn sql_is_whole(text: &str, dialect: Dialect) -> bool {
    let mut characters = text.chars().peekable();
    let backslash = matches!(dialect, Dialect::Mysql | Dialect::Mariadb);
    while let Some(character) = characters.next() {
        match character {
            '-' if characters.peek() == Some(&'-') => {
                characters.by_ref().find(|c| *c == '\n');
            }
            quote @ ('\'' | '"' | '`') => loop {
                match characters.next() {
                    None => return false,
                    Some('\\') if backslash && quote != '`' => {
                        characters.next();
                    }
                    Some(c) if c == quote && characters.peek() == Some(&quote) => {
                        characters.next();
                    }
                    Some(c) if c == quote => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    true
}
