//! Known: what a row was before a transaction, in the form in which an undo keeps it.
//!
//! To write that form and to digest it is most of the work on an image, and it asks nothing of what becomes
//! of the row: it is done as soon as the row is read, where possible while others still write.

use super::Value;
use crate::digest::{Running, Sum};

#[derive(Debug)]
pub struct Known {
    key: Vec<Value>,
    before: Option<Vec<Value>>,
    /// The beginning of a line, `[key,before`, and its digest.
    line: Vec<u8>,
    digest: Running,
    print: Sum,
}

impl Known {
    /// Key and values; of a row that did not exist there are none.
    pub fn of(key: Vec<Value>, before: Option<Vec<Value>>) -> Self {
        let values = key.iter().chain(before.iter().flatten());
        // A value has its kind written before it.
        let size = values.map(|value| value.raw().len() + 24).sum();
        let mut line = Vec::with_capacity(size);
        line.push(b'[');
        write(&mut line, &key);
        line.push(b',');
        write(&mut line, &before);
        let mut digest = Running::default();
        digest.eat(&line);
        let print = digest.clone().into();
        Self { key, before, line, digest, print }
    }

    pub fn key(&self) -> &[Value] {
        &self.key
    }

    pub fn before(&self) -> Option<&Vec<Value>> {
        self.before.as_ref()
    }

    /// A digest of the key and of what the row was.
    pub fn print(&self) -> Sum {
        self.print
    }

    /// The whole line, given what became of the row, and its digest.
    pub fn line(&self, after: &impl serde::Serialize, line: &mut Vec<u8>) -> Sum {
        line.clear();
        line.extend_from_slice(&self.line);
        line.push(b',');
        write(line, after);
        line.extend_from_slice(b"]\n");
        let mut digest = self.digest.clone();
        digest.eat(&line[self.line.len()..]);
        digest.into()
    }

    pub fn into_parts(self) -> (Vec<Value>, Option<Vec<Value>>) {
        (self.key, self.before)
    }
}

fn write(line: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(line, value).expect("values are plain data, and memory takes them");
}
