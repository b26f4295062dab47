#![allow(clippy::unwrap_used)]
use std::io::Read as _;

use super::order::Lister;
use super::*;

fn columns() -> Vec<String> {
    ["id", "text", "real", "bytes"].map(str::to_owned).to_vec()
}

fn values(id: i64) -> Vec<Value> {
    vec![
        Value::Integer(if id % 5 == 0 { -id } else { id << 40 }),
        if id % 7 == 0 { Value::Null } else { Value::Text(format!("row {id} ä")) },
        Value::Real(-0.0),
        Value::Bytes(vec![0, 255, id.to_le_bytes()[0]]),
    ]
}

const MANY: i64 = 20_003;

fn pile(rows: i64) -> Pile {
    let mut writer = Writer::new();
    for id in 0..rows {
        writer.push(&columns(), values(id).iter().map(Value::as_ref)).unwrap();
    }
    writer.finish().unwrap()
}

fn owned(row: &Row) -> Vec<Value> {
    row.values().map(ValueRef::to_owned).collect()
}

#[test]
fn any_row_comes_back_from_memory_and_from_the_file() {
    let pile = pile(MANY);
    assert_eq!(pile.len(), 20_003);
    for id in [0, 1, 127, 128, 19_999, 20_002, 5, 10_000] {
        assert_eq!(owned(&pile.row(id).unwrap()), values(id.cast_signed()));
    }
    assert!(pile.row(20_003).is_none());
    let mut seen = 0_u64;
    for row in pile.scan(500, 15_000) {
        let (number, row) = row.unwrap();
        assert_eq!((number, owned(&row)), (500 + seen, values((500 + seen).cast_signed())));
        seen += 1;
    }
    assert_eq!(seen, 14_500);
}

#[test]
fn rows_can_be_read_while_more_come() {
    let mut writer = Writer::new();
    let pile = writer.pile();
    assert!(pile.columns().is_empty());
    for id in 0..3 {
        writer.push(&columns(), values(id).iter().map(Value::as_ref)).unwrap();
    }
    assert_eq!(pile.len(), 0);
    writer.show().unwrap();
    assert_eq!(pile.len(), 3);
    assert_eq!(owned(&pile.row(2).unwrap()), values(2));
}

#[test]
fn a_long_value_has_its_beginning_in_the_row_and_all_of_it_apart() {
    let long = "ä".repeat(3 << 20);
    let mut writer = Writer::new();
    let columns = ["a".to_owned(), "b".to_owned()];
    for n in 0..3 {
        writer.push(&columns, [ValueRef::Integer(n), ValueRef::Text(&long)]).unwrap();
    }
    let pile = writer.finish().unwrap();
    let row = pile.row(1).unwrap();
    assert_eq!((row.whole(0), row.whole(1)), (None, Some(6 << 20)));
    let ValueRef::Text(head) = row.get(1) else { panic!("{:?}", row.get(1)) };
    assert_eq!(head.len(), CUT);
    assert_eq!(pile.full(&row, 1).unwrap(), Value::Text(long));
    assert_eq!(pile.beginning(&row, 1, 5).unwrap(), Value::Text("ää".into()));
    let mut read = Vec::new();
    pile.stream(&row, 1).unwrap().unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read.len(), 6 << 20);
    assert!(pile.stream(&row, 0).unwrap().is_none());
}

#[test]
fn an_order_of_many_rows_is_read_from_either_place() {
    let mut lister = Lister::default();
    for number in (0..50_000).rev() {
        lister.push(number).unwrap();
    }
    let order = lister.finish().unwrap();
    assert_eq!(order.len(), 50_000);
    for at in [0, 16_383, 16_384, 49_999] {
        assert_eq!(order.get(at), Some(49_999 - at));
    }
    assert_eq!(order.get(50_000), None);
}
