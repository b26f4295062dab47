//! The hidden-write meter: a bar a table, what the statements wrote themselves and what triggers and
//! cascades wrote besides, all bars on one scale.

use super::wrap::{Line, Piece};
use crate::tui::look::{self, Look};
use crate::tui::theme::Role;
use crate::value::{counted, thousands, visible};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writes {
    pub table: String,
    /// In words and as a number: "13 upd", 13.
    pub direct: (String, u64),
    pub hidden: (String, u64),
}

/// Cells of the longest bar.
const BAR: u64 = 12;
/// Columns of a table's name at least and at most, and of what was written to it at least.
const NAME: (usize, usize) = (20, 40);
const DIRECT: usize = 14;
const HIDDEN: usize = 26;
const MARGIN: usize = 2;
/// Between two columns at least.
const GAP: usize = 2;

/// A head with the legend, a line a table, and the sum where there is something to add up.
pub fn lines(writes: &[Writes], look: &Look) -> Vec<Line> {
    let (full, shade) = (look.glyphs.full, look.glyphs.shade);
    let widest = |texts: &mut dyn Iterator<Item = &String>| {
        texts.map(|text| visible::width(&look::shown(text))).max().unwrap_or(0)
    };
    let name = widest(&mut writes.iter().map(|one| &one.table)).clamp(NAME.0, NAME.1);
    let direct = DIRECT.max(widest(&mut writes.iter().map(|one| &one.direct.0)) + GAP);
    // What the one column takes more, the other has less, so that the bars stay in the picture.
    let hidden = widest(&mut writes.iter().map(|one| &one.hidden.0)) + GAP;
    let hidden = hidden.max((HIDDEN + DIRECT).saturating_sub(direct));
    let cell = |text: &str, wide: usize, role: Role| {
        let text = look::shown(text);
        let (head, taken) = visible::head(&text, wide);
        Piece::new(format!("{head}{}", " ".repeat(wide - taken)), look.style(role))
    };
    let mut out = vec![vec![
        cell("Writes", MARGIN + name + GAP, Role::Title),
        cell(&format!("{full} direct"), direct, Role::Muted),
        Piece::new(format!("{shade} by triggers and cascades"), look.style(Role::Muted)),
    ]];
    let most = writes.iter().map(|one| one.direct.1 + one.hidden.1).max().unwrap_or(0).max(1);
    for one in writes {
        let cells = |rows: u64| usize::try_from((rows * BAR).div_ceil(most)).unwrap_or(0);
        let role = if one.hidden.1 > 0 { Role::Warning } else { Role::Muted };
        let mut table = look::shown(&one.table);
        if visible::width(&table) > name {
            let more = look.glyphs.more;
            let (head, _) = visible::head(&table, name - visible::width(more));
            table = format!("{head}{more}").into();
        }
        out.push(vec![
            cell(&format!("  {table}"), MARGIN + name + GAP, Role::Text),
            cell(&one.direct.0, direct, Role::Text),
            cell(&one.hidden.0, hidden, role),
            Piece::new(full.repeat(cells(one.direct.1)), look.style(Role::Changed)),
            Piece::new(shade.repeat(cells(one.hidden.1)), look.style(Role::Warning)),
        ]);
    }
    let sum = |of: fn(&Writes) -> u64| writes.iter().map(of).sum::<u64>();
    let all = (sum(|one| one.direct.1), sum(|one| one.hidden.1));
    if writes.len() > 1 {
        let role = if all.1 > 0 { Role::Warning } else { Role::Muted };
        out.push(vec![
            cell("  together", MARGIN + name + GAP, Role::Muted),
            cell(&thousands(all.0), direct, Role::Title),
            cell(&thousands(all.1), hidden, role),
            Piece::new(counted(all.0 + all.1, "row"), look.style(Role::Title)),
        ]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::tests::{ascii, look};

    fn drawn(look: &Look) -> Vec<String> {
        let one = |table: &str, direct: u64, hidden: u64| Writes {
            table: table.into(),
            direct: (format!("{direct} upd"), direct),
            hidden: (if hidden > 0 { format!("{hidden} ins") } else { "-".into() }, hidden),
        };
        texts(&[one("asset_assignments", 12, 0), one("audit_log", 0, 24)], look)
    }

    fn texts(writes: &[Writes], look: &Look) -> Vec<String> {
        let text = |line: Line| line.into_iter().map(|piece| piece.text).collect::<String>();
        lines(writes, look).into_iter().map(|line| text(line).trim_end().to_owned()).collect()
    }

    #[test]
    fn what_was_written_directly_never_touches_what_was_not() {
        let long = Writes {
            table: "many".into(),
            direct: ("1 ins 9,600 del".into(), 9_601),
            hidden: ("5 upd".into(), 5),
        };
        let log = Writes {
            table: "\u{4fa1}\u{683c}".into(),
            direct: ("-".into(), 0),
            hidden: ("19,202 ins".into(), 19_202),
        };
        assert_eq!(
            texts(&[long, log], &look()),
            [
                "Writes                  █ direct         ▒ by triggers and cascades",
                "  many                  1 ins 9,600 del  5 upd                  ██████▒",
                "  価格                  -                19,202 ins             ▒▒▒▒▒▒▒▒▒▒▒▒",
                "  together              9,601            19,207                 28,808 rows",
            ]
        );
        let longer = Writes {
            table: "a_table_whose_name_is_longer_than_any_column".into(),
            direct: ("1 ins".into(), 1),
            hidden: ("-".into(), 0),
        };
        assert_eq!(
            texts(&[longer], &look())[1],
            "  a_table_whose_name_is_longer_than_any_c…  1 ins         -                         ████████████"
        );
    }

    #[test]
    fn what_nobody_asked_for_is_seen_beside_what_was() {
        assert_eq!(
            drawn(&look()),
            [
                "Writes                  █ direct      ▒ by triggers and cascades",
                "  asset_assignments     12 upd        -                         ██████",
                "  audit_log             0 upd         24 ins                    ▒▒▒▒▒▒▒▒▒▒▒▒",
                "  together              12            24                        36 rows",
            ]
        );
        assert!(drawn(&ascii()).iter().all(|line| line.is_ascii()));
        assert!(drawn(&look()).iter().all(|line| crate::value::visible::width(line) <= 77));
    }
}
