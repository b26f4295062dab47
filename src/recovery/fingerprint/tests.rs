#![allow(clippy::unwrap_used)]

use super::super::Tally;
use super::*;
use crate::value::Value;

fn row(id: i64, status: &str) -> RowImage {
    let image = |status: &str| Some(vec![Value::Integer(id), Value::Text(status.into())]);
    RowImage { key: vec![Value::Integer(id)], before: image(status), after: image("now") }
}

fn table(rows: impl IntoIterator<Item = RowImage>) -> Vec<TableImages> {
    let head = TableHead {
        table: "t".into(),
        key: vec!["id".into()],
        columns: vec!["id".into(), "status".into()],
        ..TableHead::default()
    };
    vec![TableImages { head, rows: ImageRows::of(rows).unwrap() }]
}

fn images(status: &str) -> Vec<TableImages> {
    table([row(1, status)])
}

fn seen(images: &[TableImages]) -> Seen<'_> {
    Seen { server: "s", statements: &[], writes: &[], images }
}

#[test]
fn an_edit_of_one_row_changes_the_fingerprint_and_is_shown() {
    let (a, b) = (images("open"), images("closed"));
    assert_ne!(fingerprint(seen(&a)), fingerprint(seen(&b)));
    assert_eq!(
        drift(seen(&a), seen(&b)).differences,
        ["t id 1 was changed since the preview: status open -> closed"]
    );
}

#[test]
fn what_was_written_otherwise_is_told_with_its_cause() {
    let rows = |inserted| Tally { inserted, ..Tally::default() };
    let of = |direct, hidden| {
        [TableWrites { table: "audit".into(), direct: rows(direct), hidden: rows(hidden) }]
    };
    let told = |then: &[TableWrites], now: &[TableWrites]| {
        let writes = |writes| Seen { server: "s", statements: &[], writes, images: &[] };
        drift(writes(then), writes(now)).differences.concat()
    };
    assert_eq!(
        told(&of(0, 357), &of(2, 358)),
        "audit: 357 ins by triggers or cascades at the preview, 2 ins and 358 ins by triggers or cascades now"
    );
    assert_eq!(told(&of(3, 0), &[]), "audit: 3 ins at the preview, nothing now");
}

#[test]
fn a_long_value_that_changes_at_its_end_is_shown_there() {
    let long = |end: &str| "a".repeat(10_000) + end;
    let (a, b) = (images(&long("open")), images(&long("shut")));
    let found = drift(seen(&a), seen(&b)).differences.concat();
    let (then, now) = found.split_once(" -> ").unwrap();
    assert!(then.ends_with("aaopen ... of 10.0 kB"), "{found}");
    assert!(now.ends_with("aashut ... of 10.0 kB"), "{found}");
}

#[test]
fn what_a_row_becomes_is_not_part_of_it() {
    let later = Some(vec![Value::Integer(1), Value::Text("later".into())]);
    let (a, b) = (images("open"), table([RowImage { after: later, ..row(1, "open") }]));
    assert_eq!(fingerprint(seen(&a)), fingerprint(seen(&b)));
}

#[test]
fn the_order_of_rows_is_not_part_of_it() {
    let (a, b) = (table((0..9).map(|id| row(id, "a"))), table((0..9).rev().map(|id| row(id, "a"))));
    assert_eq!(fingerprint(seen(&a)), fingerprint(seen(&b)));
}

#[test]
fn one_of_very_many_rows_is_named_and_of_very_many_differences_the_first() {
    let all = || (0..9_000).map(|id| row(id, "open"));
    let then = table(all());
    let one = table(
        all().map(|r| if r.key[0] == Value::Integer(8_999) { row(8_999, "shut") } else { r }),
    );
    assert_eq!(
        drift(seen(&then), seen(&one)).differences,
        ["t id 8999 was changed since the preview: status open -> shut"]
    );
    let (more, fewer) = (table(all().chain([row(9_001, "new")])), table(all().skip(1)));
    assert_eq!(
        drift(seen(&then), seen(&more)).differences,
        ["t id 9001 would be changed, but was not in the preview"]
    );
    assert_eq!(
        drift(seen(&then), seen(&fewer)).differences,
        ["t id 0 was in the preview, but would not be changed now"]
    );
    for other in [table((0..9_000).map(|id| row(id, "shut"))), table([])] {
        let found = drift(seen(&then), seen(&other)).differences;
        assert_eq!(found.len(), 51);
        assert_eq!(found[50], "and 8,950 more differences");
    }
}

#[test]
fn hidden_writes_are_part_of_it() {
    let one = |n| {
        vec![TableWrites {
            table: "audit".into(),
            direct: Tally::default(),
            hidden: Tally { inserted: n, ..Tally::default() },
        }]
    };
    let (a, b) = (one(1), one(2));
    let of = |writes| Seen { server: "s", statements: &[], writes, images: &[] };
    assert_ne!(fingerprint(of(&a)), fingerprint(of(&b)));
    assert_eq!(drift(of(&a), of(&b)).differences.len(), 1);
}

mod any_run {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    struct Run {
        server: String,
        statements: Vec<StatementOutcome>,
        writes: Vec<TableWrites>,
        tables: Vec<(TableHead, Vec<RowImage>)>,
    }

    fn print(run: &Run) -> String {
        let images: Vec<TableImages> = run
            .tables
            .iter()
            .map(|(head, rows)| TableImages {
                head: head.clone(),
                rows: ImageRows::of(rows.iter().cloned()).unwrap(),
            })
            .collect();
        fingerprint(Seen {
            server: &run.server,
            statements: &run.statements,
            writes: &run.writes,
            images: &images,
        })
    }

    fn cell() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            ".{0,6}".prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::Bytes),
        ]
    }

    fn run() -> impl Strategy<Value = Run> {
        let rows = prop::collection::vec((cell(), cell(), cell()), 1..6);
        let tables = prop::collection::vec(rows, 1..3);
        (tables, "[a-z]{1,4}", 0u64..9, 0u64..9).prop_map(|(tables, server, n, hidden)| Run {
            server,
            statements: vec![StatementOutcome {
                note: String::new(),
                sql: "UPDATE t".into(),
                rows: n,
                seconds: 0.1,
            }],
            writes: vec![TableWrites {
                table: "t".into(),
                direct: Tally { updated: n, ..Tally::default() },
                hidden: Tally { inserted: hidden, ..Tally::default() },
            }],
            tables: tables
                .into_iter()
                .enumerate()
                .map(|(at, rows)| {
                    let head = TableHead {
                        table: format!("t{at}"),
                        key: vec!["id".into()],
                        columns: vec!["id".into(), "a".into()],
                        ..TableHead::default()
                    };
                    let row = |(number, (_, before, after)): (usize, (Value, Value, Value))| {
                        let key = Value::Integer(i64::try_from(number).unwrap());
                        let image = |value| Some(vec![key.clone(), value]);
                        let (before, after) = (image(before), image(after));
                        RowImage { key: vec![key], before, after }
                    };
                    (head, rows.into_iter().enumerate().map(row).collect())
                })
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn has_another_print_if_anything_that_was_seen_is_other(
            run in run(), what in 0u8..9, table in 0usize..9, row in 0usize..9, other in cell()
        ) {
            let mut changed = run.clone();
            let at = table % run.tables.len();
            let (head, rows) = &mut changed.tables[at];
            let row = row % rows.len();
            match what {
                0 => changed.server.push('x'),
                1 => changed.statements[0].rows += 1,
                2 => changed.statements[0].sql.push(' '),
                3 => changed.writes[0].direct.updated += 1,
                4 => changed.writes[0].hidden.deleted += 1,
                5 => head.table.push('x'),
                6 => drop(rows.remove(row)),
                7 => {
                    prop_assume!(rows[row].before.as_ref().unwrap()[1] != other);
                    rows[row].before.as_mut().unwrap()[1] = other;
                }
                _ => rows[row].key = vec![Value::Integer(-1)],
            }
            prop_assert_ne!(print(&run), print(&changed));
        }

        #[test]
        fn keeps_its_print_whatever_the_order_and_what_rows_become(run in run(), by in 0usize..9) {
            let mut same = run.clone();
            same.statements[0].seconds += 1.0;
            for (_, rows) in &mut same.tables {
                let by = by % rows.len();
                rows.rotate_left(by);
                for row in rows {
                    row.after = None;
                }
            }
            prop_assert_eq!(print(&run), print(&same));
        }
    }
}
