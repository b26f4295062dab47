//! What was found of the rows that a transaction wrote, each row once.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::rows::name;
use crate::engine::{Image, Images, Table, Touched};
use crate::value::Value;

pub struct Book<'a> {
    images: &'a mut dyn Images,
    order: Vec<Touched>,
    known: HashMap<String, HashSet<u64>>,
}

impl<'a> Book<'a> {
    pub fn new(images: &'a mut dyn Images) -> Self {
        Self { images, order: Vec::new(), known: HashMap::new() }
    }

    pub fn is_new(&mut self, table: &Table, key: &[Value]) -> bool {
        let mut hash = DefaultHasher::new();
        name(key).hash(&mut hash);
        if !self.known.contains_key(&table.name) {
            self.known.insert(table.name.clone(), HashSet::new());
        }
        self.known.get_mut(&table.name).is_some_and(|known| known.insert(hash.finish()))
    }

    fn touched_by(&mut self, table: &str) -> &mut Touched {
        let at = self.order.iter().position(|touched| touched.table == table);
        let at = at.unwrap_or_else(|| {
            self.order.push(Touched { table: table.to_owned(), ..Touched::default() });
            self.order.len() - 1
        });
        &mut self.order[at]
    }

    pub fn image(&mut self, table: &Table, image: Image) {
        let touched = self.touched_by(&table.name);
        match (&image.before, &image.after) {
            (None, None) => return,
            (None, Some(_)) => touched.inserted += 1,
            (Some(_), None) => touched.deleted += 1,
            (Some(_), Some(_)) => touched.updated += 1,
        }
        self.images.take(table, image);
    }

    /// Rows that the server counted and of which there are no images: at least so many.
    pub fn at_least(&mut self, table: &str, [inserted, updated, deleted]: [u64; 3]) {
        let touched = self.touched_by(table);
        touched.inserted = touched.inserted.max(inserted);
        touched.updated = touched.updated.max(updated);
        touched.deleted = touched.deleted.max(deleted);
    }

    /// The counts; of these tables so many updates by statements are known.
    pub fn touched(self, updates: impl Fn(&str) -> u64) -> Vec<Touched> {
        let mut order = self.order;
        for touched in &mut order {
            // An UPDATE of the key is a row that went and a row that came.
            let moved = touched.inserted.min(touched.deleted);
            let moved = moved.min(updates(&touched.table).saturating_sub(touched.updated));
            touched.inserted -= moved;
            touched.deleted -= moved;
            touched.updated += moved;
        }
        order.retain(|touched| touched.inserted + touched.updated + touched.deleted > 0);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table { name: "lines".into(), columns: Vec::new(), key: Vec::new() }
    }

    #[test]
    fn each_row_counts_once_and_a_row_that_moved_is_an_update() {
        let mut images = 0;
        let mut count = |_: &Table, _: Image| images += 1;
        let mut book = Book::new(&mut count);
        let key = |n| vec![Value::Integer(n)];
        assert!(book.is_new(&table(), &key(1)));
        assert!(!book.is_new(&table(), &key(1)));
        let row = || Some(Vec::new());
        book.image(&table(), Image { key: key(1), before: row(), after: None });
        book.image(&table(), Image { key: key(2), before: None, after: row() });
        book.image(&table(), Image { key: key(3), before: None, after: None });
        book.at_least("log", [5, 0, 0]);
        let touched = book.touched(|_| 1);
        let lines = Touched { table: "lines".into(), updated: 1, ..Touched::default() };
        let log = Touched { table: "log".into(), inserted: 5, ..Touched::default() };
        assert_eq!(touched, [lines, log]);
        assert_eq!(images, 2);
    }
}
