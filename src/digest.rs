//! SHA-256 as hexadecimal text: the same digest that `sha256sum` prints. A leaf.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io;
use std::ops::AddAssign;
use std::path::Path;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The length and the digest of a file. It is read piece by piece: an undo may be larger than the memory.
pub fn of_file(path: &Path) -> io::Result<(u64, String)> {
    let mut digest = Running::default();
    let bytes = io::copy(&mut File::open(path)?, &mut digest)?;
    Ok((bytes, digest.finish()))
}

/// A digest that somebody wrote down, or its beginning, long enough to mean one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning(String);

impl Beginning {
    pub fn begins(&self, digest: &str) -> bool {
        digest.starts_with(&self.0)
    }
}

impl FromStr for Beginning {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const LEAST: usize = 8;
        let digits = text.trim().to_ascii_lowercase();
        if digits.len() < LEAST || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("write at least {LEAST} hexadecimal digits"));
        }
        Ok(Self(digits))
    }
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// For content that is written piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Running(Sha256);

impl Running {
    pub fn eat(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

impl io::Write for Running {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.eat(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What passes through is digested on its way, to a writer or from a reader.
#[derive(Debug)]
pub struct Through<T> {
    inner: T,
    seen: Running,
}

impl<T> Through<T> {
    pub fn new(inner: T) -> Self {
        Self { inner, seen: Running::default() }
    }

    /// The other end, and the digest of all that passed.
    pub fn finish(self) -> (T, String) {
        (self.inner, self.seen.finish())
    }
}

impl<T: io::Write> io::Write for Through<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.seen.eat(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: io::Read> io::Read for Through<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.seen.eat(&bytes[..read]);
        Ok(read)
    }
}

/// A digest of many contents whose order does not matter: the sum of their digests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum([u64; 4]);

impl From<Running> for Sum {
    fn from(content: Running) -> Self {
        let mut limbs = [0; 4];
        for (limb, bytes) in limbs.iter_mut().zip(content.0.finalize().chunks_exact(8)) {
            let bytes = bytes.try_into().expect("the chunks are eight bytes long");
            *limb = u64::from_le_bytes(bytes);
        }
        Self(limbs)
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        let mut carry = false;
        for (limb, more) in self.0.iter_mut().zip(other.0) {
            let (sum, first) = limb.overflowing_add(more);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, first || second);
        }
    }
}

impl Sum {
    pub fn text(self) -> String {
        hex(&self.0.map(u64::to_le_bytes).concat())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{Running, Sum};

    fn sum(contents: &[&str]) -> Sum {
        let mut sum = Sum::default();
        for content in contents {
            let mut digest = Running::default();
            digest.eat(content.as_bytes());
            sum += digest.into();
        }
        sum
    }

    #[test]
    fn a_sum_knows_its_contents_and_not_their_order() {
        assert_eq!(sum(&["a", "b", "c"]), sum(&["c", "a", "b"]));
        assert_ne!(sum(&["a", "b", "c"]), sum(&["a", "b", "d"]));
        assert_ne!(sum(&["a", "a", "b"]), sum(&["a", "b", "b"]));
    }

    #[test]
    fn it_is_the_digest_of_sha256sum() {
        assert_eq!(
            super::sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
