//! Order: which rows of a pile are shown, and in which order; however many, in little memory.

use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::value::room::Aside;

/// Row numbers that stay in memory.
const HEAD: usize = 16_384;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub enum Order {
    /// As the rows came, up to as many as there are.
    AsTheyCame(u64),
    Listed(Arc<Listed>),
}

#[derive(Debug, Default)]
pub struct Listed {
    len: u64,
    head: Vec<u32>,
    /// All of them, if they are more than the head holds.
    file: Option<Aside>,
}

impl Default for Order {
    fn default() -> Self {
        Self::AsTheyCame(0)
    }
}

impl Order {
    pub fn len(&self) -> u64 {
        match self {
            Self::AsTheyCame(len) => *len,
            Self::Listed(listed) => listed.len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the row that stands at this place.
    pub fn get(&self, at: u64) -> Option<u64> {
        match self {
            Self::AsTheyCame(len) => (at < *len).then_some(at),
            Self::Listed(listed) => listed.get(at),
        }
    }
}

impl Listed {
    fn get(&self, at: u64) -> Option<u64> {
        if at >= self.len {
            return None;
        }
        let place = usize::try_from(at).ok()?;
        if let Some(number) = self.head.get(place) {
            return Some((*number).into());
        }
        let mut four = [0; 4];
        self.file.as_ref()?.file().read_exact_at(&mut four, at * 4).ok()?;
        Some(u32::from_le_bytes(four).into())
    }
}

/// Takes row numbers in, in the order in which they are to stand.
#[derive(Debug, Default)]
pub struct Lister {
    listed: Listed,
    buffer: Vec<u8>,
}

impl Lister {
    pub fn push(&mut self, number: u32) -> io::Result<()> {
        const BUFFER: usize = 64 << 10;
        self.listed.len += 1;
        if self.listed.head.len() < HEAD {
            self.listed.head.push(number);
            return Ok(());
        }
        self.buffer.extend_from_slice(&number.to_le_bytes());
        if self.buffer.len() >= BUFFER {
            self.put_aside()?;
        }
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        if self.listed.file.is_none() {
            let mut file = Aside::new()?;
            let head: Vec<u8> = self.listed.head.iter().flat_map(|n| n.to_le_bytes()).collect();
            file.write_all(&head)?;
            self.listed.file = Some(file);
        }
        if let Some(file) = &mut self.listed.file {
            file.write_all(&self.buffer)?;
        }
        self.buffer.clear();
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<Order> {
        if !self.buffer.is_empty() {
            self.put_aside()?;
        }
        Ok(Order::Listed(Arc::new(self.listed)))
    }
}
