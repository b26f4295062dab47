//! What of a table is on the screen, and what a move costs on the wire.

use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

use super::*;
use crate::tui::look::tests::{ascii, look};
use crate::tui::terminal::Ansi;
use crate::value::{Rows, ValueRef};

#[test]
fn it_looks_like_this() {
    assert_eq!(
        draw(&table(12), 70, 5),
        [
            "  asset_id │ active  first_holder  note",
            "▸        0 │    100  Ada Winter    note 0 xxxxxxxxxxxxxxxxxxxxxxxxxxx…",
            "         1 │     99  mia okafor    note 1 xxxxxxxxxxxxxxxxxxxxxxxxxxx…",
            "         2 │     98  Jon Bell      note 2 xxxxxxxxxxxxxxxxxxxxxxxxxxx…",
            "  columns 1-3 of 5                            row  1, 1-3 of 12, exact",
        ]
        .map(str::to_owned)
    );
}

#[test]
fn columns_beyond_an_edge_are_announced() {
    let mut table = table(12);
    let last = |table: &Table, width| draw(table, width, 6).pop().expect("a last line");
    assert!(!last(&table, 120).contains("column"), "{}", last(&table, 120));
    assert!(last(&table, 60).starts_with("  columns 1-3 of 5 "), "{}", last(&table, 60));
    press(&mut table, Command::Right, 9);
    assert!(last(&table, 60).starts_with("  column 5 of 5 "), "{}", last(&table, 60));
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

/// What a terminal shows for the bytes that it is sent: what lies under the second half of a wide letter
/// is never sent.
#[test]
fn a_value_that_is_cut_in_a_wide_letter_says_so() {
    let mut rows = Rows::new(columns(&["id", "customer"]));
    rows.push([ValueRef::Integer(1), ValueRef::Text("価格表 日本語の名前と")]);
    for (look, sign) in [(look(), "…"), (ascii(), "...")] {
        let table = Table::new(reading(&rows), None, &columns(&["id"]));
        for width in 16..28 {
            let area = Rect::new(0, 0, width, 3);
            let mut buf = Buffer::empty(area);
            table.view(area, &mut buf, &look);
            let line = text(&buf).swap_remove(1);
            assert!(line.ends_with(sign), "{width}: {line}");
            let wide = crate::value::visible::width(&line);
            assert!((width - 1..=width).contains(&u16::try_from(wide).unwrap_or(0)), "{line}");
        }
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
fn control_characters_of_data_and_of_column_names_are_shown() {
    let mut rows = Rows::new(columns(&["a\u{1b}[2J"]));
    rows.push([ValueRef::Text("x\u{202e}\ty")]);
    let lines = draw(&Table::new(reading(&rows), None, &[]), 60, 4);
    assert_eq!(lines[0], "  a\\e[2J");
    assert_eq!(lines[1], "▸ x<U+202E>\\ty");
}
