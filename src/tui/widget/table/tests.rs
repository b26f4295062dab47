use std::ops::ControlFlow;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

use super::*;
use crate::tui::look::tests::{ascii, look, rows as text, survives_every_size};
use crate::tui::terminal::Ansi;
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

#[test]
fn it_looks_like_this() {
    assert_eq!(
        draw(&table(12), 70, 5),
        [
            "  asset_id │ active  first_holder  note",
            "▸        0 │    100  Ada Winter    note 0 xxxxxxxxxxxxxxxxxxxxxxxxxxx…",
            "         1 │     99  mia okafor    note 1 xxxxxxxxxxxxxxxxxxxxxxxxxxx…",
            "         2 │     98  Jon Bell      note 2 xxxxxxxxxxxxxxxxxxxxxxxxxxx…",
            "                                              row  1, 1-3 of 12, exact",
        ]
        .map(str::to_owned)
    );
}

#[test]
fn the_key_column_stays_while_scrolling_right() {
    let mut table = table(12);
    draw(&table, 50, 6);
    press(&mut table, Command::Right, 9);
    let lines = draw(&table, 50, 6);
    assert!(lines[0].starts_with("  asset_id │"), "{lines:#?}");
    assert!(lines[0].ends_with("since"), "{lines:#?}");
    press(&mut table, Command::Left, 9);
    assert!(draw(&table, 50, 6)[0].contains("active"));
}

#[test]
fn the_window_follows_the_cursor_and_no_further() {
    let mut table = table(100);
    draw(&table, 60, 12);
    press(&mut table, Command::Down, 9);
    assert!(draw(&table, 60, 12)[1].starts_with("         0"));
    press(&mut table, Command::Down, 1);
    assert!(draw(&table, 60, 12)[1].starts_with("         1"));
    press(&mut table, Command::Last, 1);
    assert!(draw(&table, 60, 12)[10].starts_with("▸       99"));
    press(&mut table, Command::PageUp, 1);
    assert!(draw(&table, 60, 12)[1].starts_with("▸       89"));
}

#[test]
fn a_cursor_move_changes_the_markers_the_key_and_one_number() {
    let mut table = table(100);
    let area = Rect::new(0, 0, 120, 40);
    let (mut before, mut after) = (Buffer::empty(area), Buffer::empty(area));
    table.view(area, &mut before, &look());
    press(&mut table, Command::Down, 1);
    table.view(area, &mut after, &look());
    let changed = before.diff(&after).len();
    // Two markers, two keys of one figure, one figure of the counter.
    assert!(changed <= 5, "{changed} cells");
}

/// What the terminal is sent for one more command, the cursor of the terminal on the row.
struct Wire {
    terminal: ratatui::Terminal<Ansi<Vec<u8>>>,
    table: Table,
    seen: usize,
}

impl Wire {
    fn new() -> Self {
        let backend = Ansi::sized(Vec::new(), Size::new(120, 40));
        let terminal = ratatui::Terminal::new(backend).expect("nothing is asked");
        let mut wire = Self { terminal, table: table(10_000), seen: 0 };
        wire.bytes(Command::First);
        wire
    }

    fn bytes(&mut self, command: Command) -> usize {
        let _ = self.table.on_command(command);
        self.terminal
            .draw(|frame| {
                let area = frame.area();
                self.table.view(area, frame.buffer_mut(), &look());
                if let Some(caret) = self.table.caret(area) {
                    frame.set_cursor_position(caret);
                }
            })
            .expect("drawn");
        let sent = self.terminal.backend().written().len() - self.seen;
        self.seen += sent;
        sent
    }
}

#[test]
fn a_slow_link_pays_little() {
    let mut wire = Wire::new();
    for _ in 0..36 {
        let sent = wire.bytes(Command::Down);
        assert!(sent <= 90, "{sent} bytes for a cursor move");
    }
    assert_eq!(wire.bytes(Command::Cancel), 0, "nothing changed");
    wire.bytes(Command::Down);
    let sent = wire.bytes(Command::Down);
    assert!(sent <= 190, "{sent} bytes for scrolling by one");
    let sent = wire.bytes(Command::PageDown);
    assert!(sent <= 3200, "{sent} bytes for a page");
}

#[test]
fn numbers_sort_as_numbers_and_null_comes_last_both_ways() {
    let mut rows = Rows::new(columns(&["n"]));
    for value in ["10", "9", "-1.5", "10"] {
        rows.push([ValueRef::Text(value)]);
    }
    rows.push([ValueRef::Null]);
    let mut table = Table::new(reading(&rows), None, &[]);
    press(&mut table, Command::Sort, 1);
    assert_eq!(in_order(&table), [2, 1, 0, 3, 4]);
    press(&mut table, Command::Reverse, 1);
    assert_eq!(in_order(&table), [0, 3, 1, 2, 4]);
    press(&mut table, Command::Sort, 1);
    assert_eq!(in_order(&table), [0, 1, 2, 3, 4], "third press: as it came");
}

#[test]
fn codes_with_leading_zeros_are_no_numbers() {
    let numeric = |values: &[&str]| rank::looks_numeric(&reading(&one_column(values)).pile)[0];
    assert!(!numeric(&["007", "12"]));
    assert!(numeric(&["0.7", "12", "0"]));
    assert!(!numeric(&["inf"]));
    assert!(!numeric(&[]));
}

fn one_column(values: &[&str]) -> Rows {
    let mut rows = Rows::new(columns(&["c"]));
    for value in values {
        rows.push([ValueRef::Text(value)]);
    }
    rows
}

#[test]
fn a_filter_looks_everywhere_or_in_one_column() {
    let mut table = table(12);
    filter(&mut table, "MIA");
    assert_eq!(in_order(&table), [1, 4, 7, 10]);
    filter(&mut table, "asset_id:1");
    assert_eq!(in_order(&table), [1, 10, 11]);
    filter(&mut table, "note:null");
    assert_eq!(in_order(&table), [3, 7, 11]);
    filter(&mut table, "no such thing");
    assert_eq!(table.position(), "filter lets through no rows of 12, exact");
    filter(&mut table, "");
    assert_eq!(table.order.len(), 12);
}

#[test]
fn the_cursor_stays_on_its_row_through_filter_sort_and_a_new_run() {
    let mut table = table(12);
    press(&mut table, Command::Down, 7);
    press(&mut table, Command::Mark, 1);
    filter(&mut table, "mia");
    assert_eq!(table.selected(), Some(7));
    press(&mut table, Command::Sort, 1);
    assert_eq!(table.selected(), Some(7));
    filter(&mut table, "");
    // The next run has lost the first rows: 7 is now the fifth.
    let all = assets(12);
    let mut rows = Rows::new(all.columns().to_vec());
    (3..12).for_each(|row| rows.push(all.row(row)));
    let job = table.replace(reading(&rows), None).expect("other rows");
    wait(&mut table, job);
    assert_eq!(value(&table), ("asset_id".to_owned(), Value::Integer(7)));
    assert_eq!(table.marked(), [4]);
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
fn a_column_gets_the_room_that_is_asked_for() {
    let mut table = table(3);
    press(&mut table, Command::Right, 3);
    let before = draw(&table, 120, 5)[0].find("since");
    press(&mut table, Command::Wider, 2);
    assert_eq!(draw(&table, 120, 5)[0].find("since"), before.map(|at| at + 8));
    press(&mut table, Command::Narrower, 90);
    let lines = draw(&table, 120, 5);
    assert!(lines[1].contains("not…"), "{lines:#?}");
}

#[test]
fn a_filter_sees_the_end_of_a_value_that_the_table_cuts() {
    let long = format!("{}Needle{}", "x".repeat(300_000), "y".repeat(70_000));
    let mut rows = Rows::new(columns(&["id", "text"]));
    for id in 0..300 {
        rows.push([ValueRef::Integer(id), ValueRef::Text(if id == 7 { &long } else { "short" })]);
    }
    let mut table = Table::new(reading(&rows), None, &[]);
    filter(&mut table, "needle");
    assert_eq!(in_order(&table), [7]);
    assert!(draw(&table, 70, 4)[1].contains('…'));
    filter(&mut table, "needlex");
    assert!(table.is_empty());
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
fn search_goes_to_the_next_match_and_around() {
    let mut table = table(6);
    assert!(search(&mut table, "jon"));
    assert_eq!(table.selected(), Some(2));
    press(&mut table, Command::NextMatch, 1);
    assert_eq!(table.selected(), Some(5));
    press(&mut table, Command::NextMatch, 1);
    assert_eq!(table.selected(), Some(2));
    press(&mut table, Command::PrevMatch, 1);
    assert_eq!(table.selected(), Some(5));
    assert!(!search(&mut table, "nobody"));
    assert_eq!(table.selected(), Some(5));
}

#[test]
fn a_match_far_away_is_found_in_every_order() {
    let mut table = table(9_000);
    for (sorts, first, second) in [(0, 8_765, 8_765), (1, 8_765, 8_765), (2, 234, 234)] {
        for _ in 0..sorts {
            press(&mut table, Command::Sort, 1);
        }
        press(&mut table, Command::First, 1);
        assert!(search(&mut table, "note 8765 "));
        assert_eq!((table.row, table.selected()), (first, Some(8_765)), "{sorts}");
        press(&mut table, Command::NextMatch, 1);
        assert_eq!(table.row, second, "around, and there again");
        press(&mut table, Command::PrevMatch, 1);
        assert_eq!(table.row, second);
        table = self::table(9_000);
    }
}

#[test]
fn a_match_is_marked_where_it_stands() {
    let mut table = table(3);
    search(&mut table, "bell");
    let mut buf = Buffer::empty(Rect::new(0, 0, 80, 6));
    table.view(buf.area, &mut buf, &look());
    let marked: String = buf
        .content()
        .iter()
        .filter(|cell| Some(cell.bg) == look().style(crate::tui::theme::Role::Match).bg)
        .map(ratatui::buffer::Cell::symbol)
        .collect();
    assert_eq!(marked, "Bell");
}

#[test]
fn new_rows_and_marks_have_a_sign() {
    let mut table = table(3);
    table.now.keys = Keys::of([]).ok();
    let before = [0, 2].map(|id| key_hash([ValueRef::Integer(id)]));
    table.before = Some(Reading { keys: Keys::of(before).ok(), ..Reading::default() });
    press(&mut table, Command::Down, 2);
    press(&mut table, Command::Mark, 1);
    let lines = draw(&table, 60, 6);
    assert!(lines[2].starts_with(" +"), "{lines:#?}");
    assert!(lines[3].starts_with("▸●"), "{lines:#?}");
    press(&mut table, Command::MarkAll, 2);
    assert!(table.marked().is_empty());
}

#[test]
fn a_lower_bound_says_so() {
    let rows = Reading { total: Some(Count::AtLeast(10_000)), ..reading(&assets(100)) };
    let table = Table::new(rows, None, &columns(&["asset_id"]));
    draw(&table, 80, 24);
    assert_eq!(table.position(), "row   1, 1-22 of the first 100 of >= 10,000");
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
fn control_characters_of_data_and_of_column_names_are_shown() {
    let mut rows = Rows::new(columns(&["a\u{1b}[2J"]));
    rows.push([ValueRef::Text("x\u{202e}\ty")]);
    let lines = draw(&Table::new(reading(&rows), None, &[]), 60, 4);
    assert_eq!(lines[0], "  a\\e[2J");
    assert_eq!(lines[1], "▸ x<U+202E>\\ty");
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
