//! Which rows there are, and in which order: sort, filter, search.

use super::*;
use crate::value::{Rows, Value, ValueRef};

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
