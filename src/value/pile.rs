//! Pile: the rows of a result, however many they are, in little memory.
//!
//! Rows are put on it one by one and read in any order, also while it grows. Its first pages stay in
//! memory, the others lie in a temporary file that has no name: only we can open it, and nothing of
//! it is left when the program dies. A value that is too long for a table lies apart, with its
//! beginning in the row; it is read in full only where somebody opens it. Knows no database.

pub mod order;
mod page;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use page::{Long, Page, decode, number, tag};

use super::room::Aside;
use super::sorter::Stretch;
use super::{Rows, Value, ValueRef};

/// Rows of a page, unless they are large.
const PAGE_ROWS: u64 = 128;
const PAGE_BYTES: usize = 32 << 10;
/// Bytes of pages that stay in memory.
const HEAD: usize = 128 << 10;
/// Pages that are kept as they were last read.
const CACHED: usize = 8;
/// Bytes of a value that stand in its row.
pub const CUT: usize = 4096;

/// Cheap to clone; all clones are the same pile.
#[derive(Clone, Default)]
pub struct Pile(Arc<Shared>);

#[derive(Default)]
struct Shared {
    columns: OnceLock<Arc<[String]>>,
    store: RwLock<Store>,
    cache: Mutex<Vec<(usize, Arc<Page>)>>,
}

#[derive(Default)]
struct Store {
    pages: Vec<Spot>,
    rows: u64,
    /// Where the next page begins.
    end: u64,
    head: Vec<u8>,
    file: Option<Arc<File>>,
    long: Option<Arc<File>>,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
struct Spot {
    row: u64,
    byte: u64,
}

/// A row of a pile.
#[derive(Debug, Clone)]
pub struct Row {
    page: Arc<Page>,
    at: usize,
}

impl Row {
    /// A value, or its beginning; see [`Row::whole`].
    pub fn get(&self, column: usize) -> ValueRef<'_> {
        self.page.rows.get(self.at, column)
    }

    pub fn values(&self) -> impl Iterator<Item = ValueRef<'_>> {
        self.page.rows.row(self.at)
    }

    /// How many bytes the value has, if only its beginning is here.
    pub fn whole(&self, column: usize) -> Option<u64> {
        self.long(column).map(|long| long.bytes)
    }

    fn long(&self, column: usize) -> Option<Long> {
        let cell = self.at * self.page.rows.columns().len() + column;
        let at = self.page.long.binary_search_by_key(&cell, |(cell, _)| *cell).ok()?;
        Some(self.page.long[at].1)
    }
}

impl Pile {
    /// A pile that is complete, of rows at hand.
    pub fn of(rows: &Rows) -> io::Result<Self> {
        let mut writer = Writer::new();
        for row in 0..rows.len() {
            writer.push(rows.columns(), rows.row(row))?;
        }
        writer.columns(rows.columns());
        writer.finish()
    }

    /// Empty until the first row is there.
    pub fn columns(&self) -> &[String] {
        self.0.columns.get().map_or(&[], |columns| columns)
    }

    /// Rows that can be read.
    pub fn len(&self) -> u64 {
        self.store().rows
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row; none if there is no such row, or if it cannot be read any more.
    pub fn row(&self, number: u64) -> Option<Row> {
        let at = self.page_of(number)?;
        let known = {
            let mut cache = self.cache();
            let place = cache.iter().position(|(page, _)| *page == at);
            place.map(|place| {
                // The one that was used last stands last.
                let hit = cache.remove(place);
                let page = hit.1.clone();
                cache.push(hit);
                page
            })
        };
        let page = if let Some(page) = known {
            page
        } else {
            let page = Arc::new(self.read(at).ok()?);
            let mut cache = self.cache();
            if cache.len() >= CACHED {
                cache.remove(0);
            }
            cache.push((at, page.clone()));
            page
        };
        let at = usize::try_from(number - page.first).ok()?;
        (at < page.rows.len()).then_some(Row { page, at })
    }

    /// Every row that is there now and stands in this range, in their order.
    pub fn scan(
        &self,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = io::Result<(u64, Row)>> + use<'_> {
        let first = self.page_of(from);
        let pages = self.store().pages.len();
        let pages = first.map_or(0..0, |first| first..pages);
        pages
            .map(|at| self.read(at).map(Arc::new))
            .take_while(move |page| page.as_ref().map_or(true, |page| page.first < to))
            .flat_map(move |page| {
                let (page, error) = match page {
                    Ok(page) => (Some(page), None),
                    Err(error) => (None, Some(Err(error))),
                };
                let rows = page.into_iter().flat_map(move |page| {
                    let numbers = page.first..page.first + page.rows.len() as u64;
                    (0..)
                        .zip(numbers)
                        .filter(move |(_, number)| (from..to).contains(number))
                        .map(move |(at, number)| Ok((number, Row { page: page.clone(), at })))
                });
                rows.chain(error)
            })
    }

    /// A value in full, whatever its size.
    pub fn full(&self, row: &Row, column: usize) -> io::Result<Value> {
        self.beginning(row, column, usize::MAX)
    }

    /// A value, at most so many bytes of it.
    pub fn beginning(&self, row: &Row, column: usize, most: usize) -> io::Result<Value> {
        let here = row.get(column);
        let Some(long) = row.long(column) else { return Ok(here.to_owned()) };
        let wanted = usize::try_from(long.bytes).unwrap_or(usize::MAX).min(most);
        let mut bytes = vec![0; wanted];
        self.long()?.read_exact_at(&mut bytes, long.start)?;
        Ok(match here {
            ValueRef::Text(_) => Value::Text(text(bytes)),
            _ => Value::Bytes(bytes),
        })
    }

    /// A long value as a stream; none if the value is in its row.
    pub fn stream(&self, row: &Row, column: usize) -> io::Result<Option<Stretch>> {
        let Some(long) = row.long(column) else { return Ok(None) };
        let file = self.long()?;
        Ok(Some(Stretch { file, at: long.start, end: long.start + long.bytes }))
    }

    fn long(&self) -> io::Result<Arc<File>> {
        self.store().long.clone().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn page_of(&self, row: u64) -> Option<usize> {
        let store = self.store();
        (row < store.rows).then(|| store.pages.partition_point(|spot| spot.row <= row) - 1)
    }

    fn read(&self, at: usize) -> io::Result<Page> {
        let columns = self.0.columns.get().cloned().unwrap_or_default();
        let store = self.store();
        let spot = store.pages[at];
        let (row, byte) =
            store.pages.get(at + 1).map_or((store.rows, store.end), |next| (next.row, next.byte));
        let length = usize::try_from(byte - spot.byte).map_err(|_| io::ErrorKind::InvalidData)?;
        let in_memory = store.head.len() as u64;
        if spot.byte < in_memory {
            let start = usize::try_from(spot.byte).map_err(|_| io::ErrorKind::InvalidData)?;
            return decode(&store.head[start..start + length], columns, spot.row, row);
        }
        let file = store.file.clone().ok_or(io::ErrorKind::NotFound)?;
        drop(store);
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, spot.byte - in_memory)?;
        decode(&bytes, columns, spot.row, row)
    }

    fn store(&self) -> std::sync::RwLockReadGuard<'_, Store> {
        self.0.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, Vec<(usize, Arc<Page>)>> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value may have been cut between the bytes of a letter.
fn text(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let whole = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(whole);
            String::from_utf8(bytes).unwrap_or_default()
        }
    }
}

/// Two piles are equal if they are the same.
impl PartialEq for Pile {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Pile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pile").field("rows", &self.len()).finish_non_exhaustive()
    }
}

/// Puts rows on a pile. Readers see them a page at a time, or when [`Writer::show`] is called.
#[derive(Debug, Default)]
pub struct Writer {
    pile: Pile,
    page: Vec<u8>,
    rows: u64,
    file: Option<Aside>,
    long: Option<Aside>,
}

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn pile(&self) -> Pile {
        self.pile.clone()
    }

    /// Names the columns where no row may come to name them.
    pub fn columns(&mut self, names: &[String]) {
        self.pile.0.columns.get_or_init(|| names.into());
    }

    pub fn push<'v>(
        &mut self,
        columns: &[String],
        row: impl IntoIterator<Item = ValueRef<'v>>,
    ) -> io::Result<()> {
        self.columns(columns);
        for value in row {
            self.value(value)?;
        }
        self.rows += 1;
        if self.rows >= PAGE_ROWS || self.page.len() >= PAGE_BYTES {
            self.show()?;
        }
        Ok(())
    }

    fn value(&mut self, value: ValueRef<'_>) -> io::Result<()> {
        match value {
            ValueRef::Null => self.page.push(tag::NULL),
            ValueRef::Integer(n) => {
                self.page.push(tag::INTEGER);
                number(&mut self.page, (n << 1 ^ n >> 63).cast_unsigned());
            }
            ValueRef::Real(n) => {
                self.page.push(tag::REAL);
                self.page.extend_from_slice(&n.to_le_bytes());
            }
            ValueRef::Text(text) => {
                let head = &text[..text.floor_char_boundary(CUT)];
                self.bytes(tag::TEXT, head.as_bytes(), text.as_bytes())?;
            }
            ValueRef::Bytes(bytes) => {
                self.bytes(tag::BYTES, &bytes[..bytes.len().min(CUT)], bytes)?;
            }
        }
        Ok(())
    }

    fn bytes(&mut self, kind: u8, head: &[u8], whole: &[u8]) -> io::Result<()> {
        let is_long = head.len() < whole.len();
        self.page.push(if is_long { kind | tag::LONG } else { kind });
        number(&mut self.page, head.len() as u64);
        self.page.extend_from_slice(head);
        if is_long {
            let start = self.put_apart(whole)?;
            number(&mut self.page, start);
            number(&mut self.page, whole.len() as u64);
        }
        Ok(())
    }

    fn put_apart(&mut self, whole: &[u8]) -> io::Result<u64> {
        let aside = Aside::of(&mut self.long)?;
        let start = aside.file().metadata()?.len();
        aside.write_all(whole)?;
        let file = aside.file().clone();
        self.store().long.get_or_insert(file);
        Ok(start)
    }

    /// Lets readers see what was put on the pile so far.
    pub fn show(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let page = std::mem::take(&mut self.page);
        let rows = std::mem::take(&mut self.rows);
        let mut store = self.pile.0.store.write().unwrap_or_else(PoisonError::into_inner);
        if store.file.is_none() && store.head.len() + page.len() <= HEAD {
            store.head.extend_from_slice(&page);
        } else {
            let aside = Aside::of(&mut self.file)?;
            store.file.get_or_insert_with(|| aside.file().clone());
            // Readers need not wait for the disk; this page is not there for them yet.
            drop(store);
            aside.write_all(&page)?;
            store = self.pile.0.store.write().unwrap_or_else(PoisonError::into_inner);
        }
        let spot = Spot { row: store.rows, byte: store.end };
        store.pages.push(spot);
        store.rows += rows;
        store.end += page.len() as u64;
        drop(store);
        self.page = page;
        self.page.clear();
        Ok(())
    }

    /// No more rows come.
    pub fn finish(mut self) -> io::Result<Pile> {
        self.show()?;
        Ok(self.pile)
    }

    fn store(&self) -> std::sync::RwLockWriteGuard<'_, Store> {
        self.pile.0.store.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
