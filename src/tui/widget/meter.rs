//! The hidden-write meter: a bar a table, what the statements wrote themselves and what triggers and
//! cascades wrote besides, all bars on one scale.

use super::wrap::{Line, Piece};
use crate::tui::look::Look;
use crate::tui::theme::Role;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writes {
    pub table: String,
    /// In words and as a number: "13 upd", 13.
    pub direct: (String, u64),
    pub hidden: (String, u64),
}

/// Cells of the longest bar.
const BAR: u64 = 12;

/// A head with the legend, a line a table, and the sum where there is something to add up.
pub fn lines(writes: &[Writes], look: &Look) -> Vec<Line> {
    let (full, shade) = (look.glyphs.full, look.glyphs.shade);
    let widest = writes.iter().map(|one| crate::value::visible::width(&one.table)).max();
    let name = widest.unwrap_or(0).clamp(22, 40);
    let piece = |text: String, role: Role| Piece::new(text, look.style(role));
    let mut out = vec![vec![
        piece(format!("{:<width$}", "Writes", width = name + 2), Role::Title),
        piece(format!("{:<14}", format!("{full} direct")), Role::Muted),
        piece(format!("{shade} by triggers and cascades"), Role::Muted),
    ]];
    let most = writes.iter().map(|one| one.direct.1 + one.hidden.1).max().unwrap_or(0).max(1);
    for Writes { table, direct, hidden } in writes {
        let cells = |rows: u64| usize::try_from((rows * BAR).div_ceil(most)).unwrap_or(0);
        let role = if hidden.1 > 0 { Role::Warning } else { Role::Muted };
        out.push(vec![
            piece(format!("  {table:<name$}"), Role::Text),
            piece(format!("{:<14}", direct.0), Role::Text),
            piece(format!("{:<26}", hidden.0), role),
            piece(full.repeat(cells(direct.1)), Role::Changed),
            piece(shade.repeat(cells(hidden.1)), Role::Warning),
        ]);
    }
    let sum = |of: fn(&Writes) -> u64| writes.iter().map(of).sum::<u64>();
    let (direct, hidden) = (sum(|one| one.direct.1), sum(|one| one.hidden.1));
    if writes.len() > 1 {
        out.push(vec![
            piece(format!("  {:<name$}", "together"), Role::Muted),
            piece(format!("{direct:<14}"), Role::Title),
            piece(format!("{hidden:<26}"), if hidden > 0 { Role::Warning } else { Role::Muted }),
            piece(format!("{} rows", direct + hidden), Role::Title),
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
        let text = |line: Line| line.into_iter().map(|piece| piece.text).collect::<String>();
        let writes = [one("asset_assignments", 12, 0), one("audit_log", 0, 24)];
        lines(&writes, look).into_iter().map(|line| text(line).trim_end().to_owned()).collect()
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
