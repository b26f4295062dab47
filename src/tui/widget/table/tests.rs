use std::sync::Arc;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

use super::*;
use crate::tui::look::tests::{ascii, look, rows as text, survives_every_size};
use crate::tui::terminal::Ansi;
use crate::value::{Value, ValueRef};

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
    let total = Count::Exact(count.try_into().expect("positive"));
    Table::new(Arc::new(assets(count)), &columns(&["asset_id"]), total)
}

fn draw(table: &Table, width: u16, height: u16) -> Vec<String> {
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    table.view(buf.area, &mut buf, &look());
    text(&buf)
}

fn press(table: &mut Table, command: Command, times: usize) {
    for _ in 0..times {
        assert!(table.on_command(command));
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
        self.table.on_command(command);
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
    assert!(sent <= 210, "{sent} bytes for scrolling by one");
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
    let mut table = Table::new(Arc::new(rows), &[], Count::Exact(5));
    press(&mut table, Command::Sort, 1);
    assert_eq!(table.in_order().collect::<Vec<_>>(), [2, 1, 0, 3, 4]);
    press(&mut table, Command::Reverse, 1);
    assert_eq!(table.in_order().collect::<Vec<_>>(), [0, 3, 1, 2, 4]);
    press(&mut table, Command::Sort, 1);
    assert_eq!(table.in_order().collect::<Vec<_>>(), [0, 1, 2, 3, 4], "third press: as it came");
}

#[test]
fn codes_with_leading_zeros_are_no_numbers() {
    assert!(!order::looks_numeric(&one_column(&["007", "12"]), 0));
    assert!(order::looks_numeric(&one_column(&["0.7", "12", "0"]), 0));
    assert!(!order::looks_numeric(&one_column(&["inf"]), 0));
    assert!(!order::looks_numeric(&one_column(&[]), 0));
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
    table.set_filter("MIA");
    assert_eq!(table.in_order().collect::<Vec<_>>(), [1, 4, 7, 10]);
    table.set_filter("asset_id:1");
    assert_eq!(table.in_order().collect::<Vec<_>>(), [1, 10, 11]);
    table.set_filter("note:null");
    assert_eq!(table.in_order().collect::<Vec<_>>(), [3, 7, 11]);
    table.set_filter("no such thing");
    assert_eq!(table.position(), "filter lets through no rows of 12, exact");
    table.set_filter("");
    assert_eq!(table.in_order().len(), 12);
}

#[test]
fn the_cursor_stays_on_its_row_through_filter_sort_and_a_new_run() {
    let mut table = table(12);
    press(&mut table, Command::Down, 7);
    press(&mut table, Command::Mark, 1);
    table.set_filter("mia");
    assert_eq!(table.selected(), Some(7));
    press(&mut table, Command::Sort, 1);
    assert_eq!(table.selected(), Some(7));
    table.set_filter("");
    // The next run has lost the first rows: 7 is now the fifth.
    let all = assets(12);
    let mut rows = Rows::new(all.columns().to_vec());
    (3..12).for_each(|row| rows.push(all.row(row)));
    table.replace(Arc::new(rows), &columns(&["asset_id"]), Count::Exact(9));
    assert_eq!(
        table.cell().map(|(name, value)| (name, value.to_owned())),
        Some(("asset_id", Value::Integer(7)))
    );
    assert_eq!(table.marked(), [4]);
}

#[test]
fn search_goes_to_the_next_match_and_around() {
    let mut table = table(6);
    assert!(table.set_search("jon"));
    assert_eq!(table.selected(), Some(2));
    press(&mut table, Command::NextMatch, 1);
    assert_eq!(table.selected(), Some(5));
    press(&mut table, Command::NextMatch, 1);
    assert_eq!(table.selected(), Some(2));
    press(&mut table, Command::PrevMatch, 1);
    assert_eq!(table.selected(), Some(5));
    assert!(!table.set_search("nobody"));
    assert_eq!(table.selected(), Some(5));
}

#[test]
fn a_match_is_marked_where_it_stands() {
    let mut table = table(3);
    table.set_search("bell");
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
    table.set_new(|key| key == key_hash([ValueRef::Integer(1)]));
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
    let rows = Arc::new(assets(100));
    let table = Table::new(rows, &columns(&["asset_id"]), Count::AtLeast(10_000));
    draw(&table, 80, 24);
    assert_eq!(table.position(), "row   1, 1-22 of >= 10,000");
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
    let lines = draw(&Table::new(Arc::new(rows), &[], Count::Exact(1)), 60, 4);
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
    let no_columns = Table::new(Arc::new(Rows::new(Vec::new())), &[], Count::Exact(0));
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
        table.set_search("ada");
        for (at, key) in keys.into_iter().enumerate() {
            table.on_command(commands[key]);
            if at % 7 == 3 { table.set_filter(["1", "", "mia", "note:null"][at % 4]); }
            if at % 9 == 4 { table.toggle_column(at % 6); }
            let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
            table.view(buf.area, &mut buf, &look());
        }
    }
}
