//! The pictures of the README: the real program on its demo, in a terminal, written down as SVG.
//! `tools/pictures` draws them anew; otherwise this only shows that the walk still ends there.

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use common::{Cockpit, Home};

/// Cells of the pictures, and how large one is drawn.
const SIZE: common::Size = (100, 30);
const CELL: (u32, u32) = (8, 17);

/// A terminal's ground that is legible on a light page and on a dark one.
const GROUND: &str = "#16181d";
const TEXT: &str = "#d6d9df";
/// The sixteen colours, as most terminals have them.
const BASIC: [&str; 16] = [
    "#2b303b", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf",
    "#5c6370", "#ef7f88", "#a9d48b", "#f0d08c", "#7abfff", "#d68fe8", "#6cc8d4", "#ffffff",
];

#[test]
fn the_pictures_of_the_readme_can_be_taken() {
    let home = Home::new().with("TERM", "xterm-256color");
    let args = ["demo", "--theme", "dark", "--incident", "asset-double-assignment"];
    let mut cockpit = Cockpit::start_in(home, &args, SIZE);
    cockpit.wait_for("milestone: detected");
    cockpit.keys("enter");
    cockpit.wait_for("12 violations");
    cockpit.wait_for("first_holder");
    take(&cockpit, "violations");
    cockpit.keys("enter");
    cockpit.wait_for("Is the source still writing?");
    cockpit.keys("] ] ]");
    cockpit.wait_for("enter preview");
    cockpit.keys("enter");
    cockpit.wait_for("enter confirm");
    cockpit.wait_for("PREVIEW");
    take(&cockpit, "preview");
    cockpit.keys("enter");
    cockpit.wait_for("esc leaves it alone");
    cockpit.type_text("erp-demo 2");
    take(&cockpit, "confirmation");
    cockpit.keys("esc");
    cockpit.wait_for("enter confirm");
}

/// Writes the screen where the pictures are wanted, if they are.
fn take(cockpit: &Cockpit, name: &str) {
    let picture = cockpit.look(|screen| svg(screen, name));
    assert!(picture.contains("erp-demo"), "{picture}");
    if let Some(folder) = std::env::var_os("PICTURES") {
        let file = Path::new(&folder).join(format!("{name}.svg"));
        fs::write(file, picture).expect("the folder is there");
    }
}

fn svg(screen: &vt100::Screen, name: &str) -> String {
    const MARGIN: u32 = 12;
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (wide, tall) =
        (u32::from(columns) * CELL.0 + 2 * MARGIN, u32::from(rows) * CELL.1 + 2 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {tall}\" width=\"{wide}\" height=\"{tall}\" role=\"img\" aria-label=\"steadyhand: {name}\">\n\
         <rect width=\"{wide}\" height=\"{tall}\" rx=\"8\" fill=\"{GROUND}\"/>\n\
         <g font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"13\" fill=\"{TEXT}\">\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let from = column;
            let look = Look::of(screen, row, column);
            let mut text = String::new();
            while column < columns && Look::of(screen, row, column) == look {
                let shown = screen.cell(row, column).map_or("", vt100::Cell::contents);
                text.push_str(if shown.is_empty() { " " } else { shown });
                column += 1;
            }
            let x = MARGIN + u32::from(from) * CELL.0;
            let y = MARGIN + u32::from(row) * CELL.1;
            let width = u32::from(column - from) * CELL.0;
            look.draw(&mut out, (x, y, width), &text);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// How a run of cells looks.
#[derive(PartialEq)]
struct Look {
    fore: String,
    back: String,
    bold: bool,
    underlined: bool,
}

impl Look {
    fn of(screen: &vt100::Screen, row: u16, column: u16) -> Self {
        let Some(cell) = screen.cell(row, column) else {
            return Self { fore: TEXT.into(), back: GROUND.into(), bold: false, underlined: false };
        };
        let (mut fore, mut back) = (color(cell.fgcolor(), TEXT), color(cell.bgcolor(), GROUND));
        if cell.inverse() {
            std::mem::swap(&mut fore, &mut back);
        }
        Self { fore, back, bold: cell.bold(), underlined: cell.underline() }
    }

    fn draw(&self, out: &mut String, (x, y, width): (u32, u32, u32), text: &str) {
        if self.back != GROUND {
            let (tall, back) = (CELL.1, &self.back);
            let _ = writeln!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{tall}\" fill=\"{back}\"/>"
            );
        }
        let shown = text.trim_end();
        if shown.is_empty() {
            return;
        }
        let fill =
            if self.fore == TEXT { String::new() } else { format!(" fill=\"{}\"", self.fore) };
        let bold = if self.bold { " font-weight=\"bold\"" } else { "" };
        let line = if self.underlined { " text-decoration=\"underline\"" } else { "" };
        let length = u32::try_from(shown.chars().count()).unwrap_or(0) * CELL.0;
        let text = shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let base = y + 13;
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"{base}\" textLength=\"{length}\" xml:space=\"preserve\"{fill}{bold}{line}>{text}</text>"
        );
    }
}

fn color(color: vt100::Color, otherwise: &str) -> String {
    match color {
        vt100::Color::Default => otherwise.to_owned(),
        vt100::Color::Idx(at @ 0..=15) => BASIC[usize::from(at)].to_owned(),
        vt100::Color::Idx(at @ 16..=231) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let at = at - 16;
            format!("#{:02x}{:02x}{:02x}", level(at / 36), level(at / 6 % 6), level(at % 6))
        }
        vt100::Color::Idx(at) => {
            let grey = 8 + 10 * (at - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
        vt100::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    }
}
