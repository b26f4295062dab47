//! What was found of the rows that a transaction wrote, each row once, by its key: for engines that look
//! rows up from both sides.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{Image, Images, Keyed, Table, Touched};
use crate::value::Value;
use crate::value::known::{After, Known};

/// A key as a name for maps.
pub fn name(key: &[Value]) -> String {
    match key {
        [Value::Integer(n)] => n.to_string(),
        key => format!("{key:?}"),
    }
}

/// Rows of some keys, as everybody sees them and as the worker does.
pub struct Sides {
    before: HashMap<String, Vec<Value>>,
    after: HashMap<String, Vec<Value>>,
}

impl Sides {
    pub fn of(theirs: Vec<Keyed>, ours: Vec<Keyed>) -> Self {
        Self { before: by_name(theirs), after: by_name(ours) }
    }

    pub fn rows(&self) -> impl Iterator<Item = &Vec<Value>> {
        self.before.values().chain(self.after.values())
    }

    /// What became of one of them; it is taken out.
    pub fn image(&mut self, key: Vec<Value>) -> Image {
        let name = name(&key);
        let was = Known::of(key, self.before.remove(&name));
        Image::of(was, self.after.remove(&name))
    }
}

pub fn by_name(rows: Vec<Keyed>) -> HashMap<String, Vec<Value>> {
    rows.into_iter().map(|(key, row)| (name(&key), row)).collect()
}

pub struct Book<'a> {
    images: &'a mut dyn Images,
    order: Vec<Touched>,
    known: HashMap<String, HashSet<u64>>,
    changed: u64,
}

impl<'a> Book<'a> {
    pub fn new(images: &'a mut dyn Images) -> Self {
        Self { images, order: Vec::new(), known: HashMap::new(), changed: 0 }
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
        match (image.was.before(), &image.after) {
            (None, After::Gone) => return,
            (None, _) => touched.inserted += 1,
            (Some(_), After::Gone) => touched.deleted += 1,
            (Some(_), _) => touched.updated += 1,
        }
        self.changed += u64::from(!image.is_unchanged());
        self.images.take(table, image);
    }

    /// How many rows are not as they were.
    pub fn changed(&self) -> u64 {
        self.changed
    }

    /// So many writes it takes at least: a row of one of these tables that went and one that came may be
    /// one row whose key was updated.
    pub fn least(&self, keyed: impl Fn(&str) -> bool) -> u64 {
        let moved = self.order.iter().filter(|touched| keyed(&touched.table));
        self.changed
            .saturating_sub(moved.map(|touched| touched.inserted.min(touched.deleted)).sum())
    }

    /// Whether a row went whose key was perhaps updated, and was not found under its new one.
    pub fn has_lost(&self, table: &str, [inserted, updated, deleted]: [u64; 3]) -> bool {
        let found = self.order.iter().find(|touched| touched.table == table);
        found.is_some_and(|found| {
            let came = found.inserted.saturating_sub(inserted);
            updated > 0 && found.deleted.saturating_sub(deleted) > came
        })
    }

    /// Rows without a key: which went and which came belong together cannot be told, only how many
    /// writes it takes.
    pub fn keyless(&mut self, table: &Table, gone: Vec<Vec<Value>>, new: Vec<Vec<Value>>) {
        let changed = self.changed + gone.len().max(new.len()) as u64;
        for row in gone {
            self.image(table, Image::of::<Value>(Known::of(Vec::new(), Some(row)), None));
        }
        for row in new {
            self.image(table, Image::of(Known::of(Vec::new(), None), Some(row)));
        }
        self.changed = changed;
    }

    /// Rows that the server counted and of which there are no images: at least so many.
    #[cfg(any(feature = "oracle", test))]
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
            touched.join_moved(updates(&touched.table));
        }
        order.retain(|touched| touched.inserted + touched.updated + touched.deleted > 0);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(u64);

    impl Images for Count {
        fn take(&mut self, _: &Table, _: Image) {
            self.0 += 1;
        }

        fn anew(&mut self, _: &Table) {}
    }

    fn table() -> Table {
        Table { name: "lines".into(), columns: Vec::new(), key: Vec::new() }
    }

    #[test]
    fn each_row_counts_once_and_a_row_that_moved_is_an_update() {
        let mut images = Count(0);
        let mut book = Book::new(&mut images);
        let key = |n| vec![Value::Integer(n)];
        let of = |n, before, after| Image::of(Known::of(key(n), before), after);
        assert!(book.is_new(&table(), &key(1)));
        assert!(!book.is_new(&table(), &key(1)));
        let row = || Some(Vec::new());
        book.image(&table(), of(1, row(), None));
        book.image(&table(), of(2, None, row()));
        book.image(&table(), of(3, None, None));
        book.at_least("log", [5, 0, 0]);
        let touched = book.touched(|_| 1);
        let lines = Touched { table: "lines".into(), updated: 1, ..Touched::default() };
        let log = Touched { table: "log".into(), inserted: 5, ..Touched::default() };
        assert_eq!(touched, [lines, log]);
        assert_eq!(images.0, 2);
    }
}
