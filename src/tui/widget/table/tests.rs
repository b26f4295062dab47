mod draw;
mod order;

use std::ops::ControlFlow;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::*;
use crate::tui::look::tests::{ascii, look, rows as text, survives_every_size};
use crate::value::{Rows, Value, ValueRef};

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn assets(count: i64) -> Rows {
    let mut rows = Rows::new(columns(&["active", "asset_id", "first_holder", "note", "since"]));
    for id in 0..count {
        let holder =
            ["Ada Winter", "mia okafor", "Jon Bell"][usize::try_from(id % 3).expect("0..3")];
        let note = format!("note {id} {}", "x".repeat(30));
        rows.push([
            ValueRef::Integer(100 - id),
            ValueRef::Integer(id),
            ValueRef::Text(holder),
            if id % 4 == 3 { ValueRef::Null } else { ValueRef::Text(&note) },
            ValueRef::Text("2026-11-21 05:41:12"),
        ]);
    }
    rows
}

fn table(count: i64) -> Table {
    Table::new(reading(&assets(count)), None, &columns(&["asset_id"]))
}

/// A run that is over.
fn reading(rows: &Rows) -> Reading {
    let key = key_columns(rows.columns(), &columns(&["asset_id"]));
    let keys = (0..rows.len()).map(|row| key_hash(key.iter().map(|at| rows.get(row, *at))));
    Reading {
        pile: Pile::of(rows).expect("little"),
        keys: Keys::of(keys).ok(),
        total: Some(Count::Exact(rows.len() as u64)),
    }
}

/// Does what takes time, here and now.
fn wait(table: &mut Table, job: Job) {
    let mut next = Some(job);
    while let Some(job) = next {
        let done = job.run(&mut |_, _| ControlFlow::Continue(())).expect("it can be read");
        next = table.take(done.expect("nobody stops it"));
    }
}

fn give(table: &mut Table, command: Command) {
    match table.on_command(command) {
        Came::To(job) => wait(table, job),
        Came::Done => {}
        other => panic!("{other:?}"),
    }
}

fn filter(table: &mut Table, text: &str) {
    let job = table.set_filter(text);
    wait(table, job);
}

/// Whether it was found.
fn search(table: &mut Table, text: &str) -> bool {
    let Came::To(job) = table.set_search(text) else { return false };
    let done = job.run(&mut |_, _| ControlFlow::Continue(())).expect("it can be read");
    let found = !matches!(done, Some(Done::Found(None)));
    assert_eq!(table.take(done.expect("nobody stops it")), None);
    found
}

fn in_order(table: &Table) -> Vec<u64> {
    (0..table.order.len()).filter_map(|at| table.order.get(at)).collect()
}

fn value(table: &Table) -> (String, Value) {
    let (row, column) = table.here().expect("there are rows");
    (table.pile.columns()[column].clone(), row.get(column).to_owned())
}

fn draw(table: &Table, width: u16, height: u16) -> Vec<String> {
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    table.view(buf.area, &mut buf, &look());
    text(&buf)
}

fn press(table: &mut Table, command: Command, times: usize) {
    for _ in 0..times {
        give(table, command);
    }
}

/// A run without rows names no columns; the next one finds what was chosen as it was.
#[test]
fn a_run_without_rows_takes_nothing_away_that_was_chosen() {
    let mut table = table(10);
    filter(&mut table, "mia");
    press(&mut table, Command::Down, 1);
    press(&mut table, Command::Mark, 1);
    let none = || Reading { total: Some(Count::Exact(0)), ..Reading::default() };
    let job = table.replace(none(), None).expect("other rows");
    wait(&mut table, job);
    assert_eq!((table.len(), table.filter()), (0, "mia"));
    draw(&table, 90, 6);
    let job = table.replace(reading(&assets(10)), None).expect("other rows");
    wait(&mut table, job);
    assert_eq!((table.len(), table.filter(), table.marked().len()), (3, "mia", 1));
}

#[test]
fn what_changed_since_the_run_before_is_shown_apart() {
    let rows = |ids: std::ops::Range<i64>| {
        let all = assets(20);
        let mut rows = Rows::new(all.columns().to_vec());
        ids.for_each(|id| rows.push(all.row(usize::try_from(id).expect("small"))));
        reading(&rows)
    };
    let mut table = Table::new(rows(0..10), None, &columns(&["asset_id"]));
    assert!(matches!(table.on_command(Command::Changed), Came::No(_)), "nothing to compare with");
    let job = table.replace(rows(3..14), Some(rows(0..10))).expect("other rows");
    wait(&mut table, job);
    let ids = |table: &Table| -> Vec<Value> {
        in_order(table)
            .into_iter()
            .map(|row| table.pile.row(row).expect("there").get(1).to_owned())
            .collect()
    };
    let whole = |range: std::ops::Range<i64>| range.map(Value::Integer).collect::<Vec<_>>();
    give(&mut table, Command::Changed);
    assert_eq!((table.only(), ids(&table)), (Only::New, whole(10..14)));
    give(&mut table, Command::Changed);
    assert_eq!((table.only(), ids(&table)), (Only::Gone, whole(0..3)));
    assert!(draw(&table, 90, 6)[1].starts_with("▸-"), "{:#?}", draw(&table, 90, 6));
    give(&mut table, Command::Changed);
    assert_eq!((table.only(), ids(&table)), (Only::Still, whole(3..10)));
    give(&mut table, Command::Changed);
    assert_eq!((table.only(), ids(&table)), (Only::All, whole(3..14)));
    filter(&mut table, "mia");
    give(&mut table, Command::Changed);
    assert_eq!(ids(&table), [Value::Integer(10), Value::Integer(13)], "both at once");
}

#[test]
fn rows_are_shown_while_they_come() {
    let mut writer = crate::value::pile::Writer::new();
    let coming = Reading { pile: writer.pile(), ..Reading::default() };
    let mut table = Table::new(coming.clone(), None, &columns(&["asset_id"]));
    let all = assets(5_000);
    let push = |writer: &mut crate::value::pile::Writer, rows: std::ops::Range<usize>| {
        rows.for_each(|row| writer.push(all.columns(), all.row(row)).expect("room"));
        writer.show().expect("room");
    };
    push(&mut writer, 0..1_000);
    table.look();
    assert!(draw(&table, 90, 6)[1].starts_with("▸        0 │"), "{:#?}", draw(&table, 90, 6));
    assert_eq!(table.position(), "row     1, 1-4 of 1,000 so far, still reading");
    // Sorted by what is there; what comes later is sorted in when all are there.
    give(&mut table, Command::Sort);
    give(&mut table, Command::Reverse);
    assert_eq!(table.order.get(table.row), Some(0), "the cursor stays on its row");
    give(&mut table, Command::First);
    assert_eq!(value(&table).1, Value::Integer(999));
    push(&mut writer, 1_000..5_000);
    let pile = writer.finish().expect("room");
    let job = table.replace(Reading { pile, total: Some(Count::Exact(5_000)), ..coming }, None);
    wait(&mut table, job.expect("more rows to sort"));
    assert_eq!(table.order.len(), 5_000);
    give(&mut table, Command::First);
    assert_eq!(value(&table).1, Value::Integer(4_999));
}

#[test]
fn a_job_that_is_stopped_changes_nothing() {
    let mut table = table(9_000);
    let Came::To(job) = table.on_command(Command::Sort) else { panic!("it sorts") };
    let mut looks = 0;
    let done = job.run(&mut |done, of| {
        looks += 1;
        assert!(done <= of);
        if looks == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(done.expect("it can be read").is_none());
    table.give_up();
    assert_eq!(table.view, View::default());
    assert_eq!(in_order(&table)[..3], [0, 1, 2]);
}

#[test]
fn a_row_is_gone_to_by_its_number() {
    let mut table = table(50);
    assert_eq!(table.go_to(37), Ok(()));
    assert_eq!(value(&table).1, Value::Integer(36));
    assert_eq!(table.go_to(51), Err("there are rows 1 to 50".into()));
    assert_eq!(table.go_to(0), Err("there are rows 1 to 50".into()));
}

#[test]
fn marks_have_an_end() {
    let mut table = table(10_001);
    assert!(matches!(table.on_command(Command::MarkAll), Came::No(_)));
    filter(&mut table, "mia");
    give(&mut table, Command::MarkAll);
    assert_eq!(table.marked().len(), 3_333 + 1);
}

#[test]
fn a_hidden_column_is_gone_and_comes_back_in_its_place() {
    let mut table = table(3);
    table.toggle_column(2);
    assert!(!draw(&table, 100, 5)[0].contains("first_holder"));
    table.toggle_column(1);
    assert!(draw(&table, 100, 5)[0].contains("asset_id"), "a key column stays");
    table.toggle_column(2);
    assert!(draw(&table, 100, 5)[0].contains("active  first_holder"));
}

#[test]
fn every_size_and_every_shape_can_be_drawn() {
    for count in [0, 1, 2, 50] {
        for look in [look(), ascii()] {
            let mut table = table(count);
            survives_every_size(|area, buf| table.view(area, buf, &look));
            press(&mut table, Command::Last, 1);
            press(&mut table, Command::Right, 3);
            survives_every_size(|area, buf| {
                table.view(area, buf, &look);
                let _ = table.caret(area);
            });
        }
    }
    let empty = Table::default();
    survives_every_size(|area, buf| empty.view(area, buf, &look()));
    let no_columns = Table::new(reading(&Rows::new(Vec::new())), None, &[]);
    survives_every_size(|area, buf| no_columns.view(area, buf, &look()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn no_sequence_of_commands_breaks_it(
        keys in prop::collection::vec(0..16usize, 0..40), count in 0i64..20, width in 0u16..90, height in 0u16..12,
    ) {
        use Command::{Down, First, HalfDown, HalfUp, Last, Left, Mark, MarkAll, NextMatch, PageDown, PageUp, PrevMatch, Reverse, Right, Sort, Up};
        let commands = [Down, First, HalfDown, HalfUp, Last, Left, Mark, MarkAll, NextMatch, PageDown, PageUp, PrevMatch, Reverse, Right, Sort, Up];
        let mut table = table(count);
        search(&mut table, "ada");
        for (at, key) in keys.into_iter().enumerate() {
            match table.on_command(commands[key]) {
                Came::To(job) => wait(&mut table, job),
                Came::Done | Came::No(_) => {}
                Came::Unknown => panic!("{key}"),
            }
            if at % 7 == 3 { filter(&mut table, ["1", "", "mia", "note:null"][at % 4]); }
            if at % 9 == 4 { table.toggle_column(at % 6); }
            let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
            table.view(buf.area, &mut buf, &look());
        }
    }
}
