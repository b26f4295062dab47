//! The form of a page: values one after the other, each with its kind, and read back as rows.

use std::io;
use std::sync::Arc;

use crate::value::{Rows, ValueRef};

/// Some rows as they were read.
#[derive(Debug)]
pub(super) struct Page {
    pub first: u64,
    pub rows: Rows,
    /// Values that are only begun here: the cell, and where they lie.
    pub long: Vec<(usize, Long)>,
}

/// Where a value lies that is too long for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Long {
    pub start: u64,
    pub bytes: u64,
}

/// The first byte of a value in a page.
pub(super) mod tag {
    pub const NULL: u8 = 0;
    pub const INTEGER: u8 = 1;
    pub const REAL: u8 = 2;
    pub const TEXT: u8 = 3;
    pub const BYTES: u8 = 4;
    /// Only the beginning is here; where the whole lies follows.
    pub const LONG: u8 = 8;
}

/// Seven bits a byte, the lowest first.
pub(super) fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

pub(super) fn decode(
    bytes: &[u8],
    columns: Arc<[String]>,
    first: u64,
    to: u64,
) -> io::Result<Page> {
    let mut left = Left(bytes);
    let wide = columns.len();
    let count = usize::try_from(to - first).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut page = Page { first, rows: Rows::new(columns), long: Vec::new() };
    for row in 0..count {
        let mut values = Vec::with_capacity(wide);
        for column in 0..wide {
            let (value, long) = left.value()?;
            page.long.extend(long.map(|long| (row * wide + column, long)));
            values.push(value);
        }
        page.rows.push(values);
    }
    Ok(page)
}

struct Left<'b>(&'b [u8]);

impl<'b> Left<'b> {
    fn take(&mut self, count: usize) -> io::Result<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(io::ErrorKind::InvalidData)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    fn value(&mut self) -> io::Result<(ValueRef<'b>, Option<Long>)> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let tag = self.take(1)?[0];
        let value = match tag & !tag::LONG {
            tag::NULL => ValueRef::Null,
            tag::INTEGER => {
                let n = self.number()?;
                ValueRef::Integer((n >> 1).cast_signed() ^ -(n & 1).cast_signed())
            }
            tag::REAL => {
                let eight = self.take(8)?.try_into().map_err(|_| broken())?;
                ValueRef::Real(f64::from_le_bytes(eight))
            }
            kind @ (tag::TEXT | tag::BYTES) => {
                let count = usize::try_from(self.number()?).map_err(|_| broken())?;
                let bytes = self.take(count)?;
                if kind == tag::BYTES {
                    ValueRef::Bytes(bytes)
                } else {
                    ValueRef::Text(std::str::from_utf8(bytes).map_err(|_| broken())?)
                }
            }
            _ => return Err(broken()),
        };
        let is_long = tag & tag::LONG != 0;
        let long = if is_long {
            Some(Long { start: self.number()?, bytes: self.number()? })
        } else {
            None
        };
        Ok((value, long))
    }
}
