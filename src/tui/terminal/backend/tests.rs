use ratatui::Terminal;
use ratatui::style::Style;

use super::*;

struct Probe {
    terminal: Terminal<Ansi<Vec<u8>>>,
    seen: usize,
}

impl Probe {
    fn new() -> Self {
        let backend = Ansi::sized(Vec::new(), Size::new(20, 3));
        let terminal = Terminal::new(backend).expect("nothing is asked");
        Self { terminal, seen: 0 }
    }

    fn frame(&mut self, parts: &[(u16, u16, &str, Style)], cursor: Option<(u16, u16)>) -> String {
        self.terminal
            .draw(|frame| {
                for (x, y, text, style) in parts {
                    frame.buffer_mut().set_string(*x, *y, text, *style);
                }
                if let Some(cursor) = cursor {
                    frame.set_cursor_position(cursor);
                }
            })
            .expect("a vector takes everything");
        let all = self.terminal.backend().written();
        let new = String::from_utf8(all[self.seen..].to_vec()).expect("UTF-8");
        self.seen = all.len();
        new.replace('\u{1b}', "^")
    }
}

#[test]
fn a_frame_is_one_synchronised_update_and_an_idle_one_is_nothing() {
    let mut probe = Probe::new();
    let plain = Style::new();
    assert_eq!(probe.frame(&[(1, 1, "ab", plain)], None), "^[?2026h^[2;2H^[mab^[?25l^[?2026l");
    assert_eq!(probe.frame(&[(1, 1, "ab", plain)], None), "");
    assert_eq!(probe.frame(&[(1, 1, "aX", plain)], None), "^[?2026h^[2;3HX^[?2026l");
}

#[test]
fn styles_are_written_only_where_they_change() {
    let mut probe = Probe::new();
    let bold = Style::new().bold();
    let frame =
        probe.frame(&[(0, 0, "a", bold), (1, 0, "b", bold.blue()), (2, 0, "c", bold)], None);
    assert_eq!(frame, "^[?2026h^[1;1H^[;1ma^[34mb^[39mc^[?25l^[?2026l");
    let frame = probe.frame(&[(0, 0, "abc", Style::new().red().on_white())], None);
    assert_eq!(frame, "^[?2026h^[1;1H^[;31;107mabc^[?2026l");
}

#[test]
fn the_cursor_is_shown_where_it_is_wanted() {
    let mut probe = Probe::new();
    assert!(probe.frame(&[], Some((2, 1))).ends_with("^[2;3H^[?25h^[?2026l"));
    assert_eq!(probe.frame(&[], Some((2, 1))), "");
    assert_eq!(probe.frame(&[], Some((4, 1))), "^[?2026h^[2;5H^[?2026l");
    assert_eq!(probe.frame(&[], None), "^[?2026h^[?25l^[?2026l");
}

#[test]
fn after_a_clear_nothing_counts_as_known() {
    let mut probe = Probe::new();
    let bold = Style::new().bold();
    probe.frame(&[(0, 0, "a", bold)], Some((1, 0)));
    probe.terminal.backend_mut().clear().expect("no question asked");
    let frame = probe.frame(&[(0, 0, "b", bold)], Some((1, 0)));
    assert_eq!(frame, "^[?2026h^[m^[2J^[1;1H^[1mb^[?25h^[?2026l");
}

/// As where the size changes once more while the picture is made.
#[test]
fn what_was_to_be_wiped_in_the_same_frame_is_not_sent() {
    let mut probe = Probe::new();
    let bold = Style::new().bold();
    probe.frame(&[(0, 0, "a", bold)], Some((1, 0)));
    for _ in 0..3 {
        probe.terminal.backend_mut().clear().expect("no question asked");
    }
    let frame = probe.frame(&[(0, 0, "b", bold)], Some((1, 0)));
    assert_eq!(frame, "^[?2026h^[m^[2J^[1;1H^[1mb^[?25h^[?2026l");
}

#[test]
fn a_control_character_in_a_cell_never_gets_out() {
    let mut probe = Probe::new();
    probe
        .terminal
        .draw(|frame| _ = frame.buffer_mut()[(0, 0)].set_symbol("\u{1b}]0;x\u{7}"))
        .expect("drawn");
    assert!(!probe.terminal.backend().written().windows(2).any(|pair| pair == b"\x1b]"));
}

#[test]
fn whatever_is_drawn_a_terminal_shows_it() {
    use proptest::prelude::*;
    let cells = |n| std::num::NonZero::new(n).expect("not zero");
    let size = Size::new(50, 24);
    let page = (0usize..60, 0usize..24, prop::bool::ANY, 0u16..3);
    proptest!(ProptestConfig::with_cases(30), |(pages in prop::collection::vec(page, 1..8))| {
        let mut terminal = Terminal::new(Ansi::sized(Vec::new(), size)).expect("nothing asked");
        let mut parser = vt100::Parser::new(cells(size.height), cells(size.width), 0);
        let mut seen = 0;
        for (from, cursor, wide, side) in pages {
            terminal.draw(|frame| {
                for line in 1..22u16 {
                    let n = from + usize::from(line);
                    let text = if wide { "日本" } else { "ab" };
                    let style = if usize::from(line) == cursor { Style::new().bold().red() } else { Style::new() };
                    frame.buffer_mut().set_string(side, line, format!("{n:03} {text} {}", "x".repeat(n % 30)), style);
                }
                frame.buffer_mut().set_string(30, 23, format!("row {from}"), Style::new());
                frame.set_cursor_position((0, 3));
            }).expect("drawn");
            let all = terminal.backend().written();
            parser.process(&all[seen..]);
            seen = all.len();
            let screen = parser.screen();
            for line in 1..22u16 {
                let n = from + usize::from(line);
                let text = if wide { "日本" } else { "ab" };
                let row = format!("{}{n:03} {text} {}", " ".repeat(side.into()), "x".repeat(n % 30));
                let cells: String = screen.rows(0, 50).nth(usize::from(line)).unwrap_or_default();
                prop_assert_eq!(cells.trim_end(), row.trim_end());
                let bold = screen.cell(line, side).is_some_and(vt100::Cell::bold);
                prop_assert_eq!(bold, usize::from(line) == cursor);
            }
            prop_assert_eq!(screen.cursor_position(), (3, 0));
        }
    });
}
