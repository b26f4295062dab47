//! What a value is sorted by, as bytes that compare like the value.

use crate::value::ValueRef;
use crate::value::pile::Pile;

/// The classes in their order, whichever way is sorted. NULL is last: it is missing, not small.
const NUMBER: u8 = 0;
const TEXT: u8 = 1;
const BYTES: u8 = 2;
const NULL: u8 = 3;

/// Writes the key of a value; of a long text its beginning decides.
pub fn key(value: ValueRef<'_>, as_number: bool, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => out.push(NULL),
        #[expect(clippy::cast_precision_loss, reason = "the whole number breaks the tie")]
        ValueRef::Integer(n) => number(n as f64, n.into(), out),
        ValueRef::Real(n) => number(n, 0, out),
        ValueRef::Text(text) => match text.trim().parse() {
            Ok(float) if as_number => number(float, text.trim().parse().unwrap_or(0), out),
            _ => {
                out.push(TEXT);
                out.extend_from_slice(text.as_bytes());
            }
        },
        ValueRef::Bytes(bytes) => {
            out.push(BYTES);
            out.extend_from_slice(bytes);
        }
    }
}

/// In the total order of floats; the whole number breaks ties beyond what a float can tell apart.
fn number(float: f64, whole: i128, out: &mut Vec<u8>) {
    const SIGN: u64 = 1 << 63;
    let bits = float.to_bits();
    let bits = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    out.push(NUMBER);
    out.extend_from_slice(&bits.to_be_bytes());
    out.extend_from_slice(&(whole.cast_unsigned() ^ (1 << 127)).to_be_bytes());
}

/// Whether a column holds numbers only, as far as its first rows tell; many servers send numbers as
/// text. A leading zero makes it a code, which has no size.
pub fn looks_numeric(pile: &Pile) -> Vec<bool> {
    const LOOKED_AT: u64 = 500;
    let columns = pile.columns().len();
    let (mut seen, mut other) = (vec![false; columns], vec![false; columns]);
    for (_, row) in pile.scan(0, LOOKED_AT).flatten() {
        for (column, value) in row.values().enumerate() {
            match value {
                ValueRef::Null => {}
                ValueRef::Integer(_) | ValueRef::Real(_) => seen[column] = true,
                ValueRef::Text(text) if is_number(text) => seen[column] = true,
                ValueRef::Text(_) | ValueRef::Bytes(_) => other[column] = true,
            }
        }
    }
    seen.into_iter().zip(other).map(|(seen, other)| seen && !other).collect()
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let code = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    !code && digits.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok()
}
