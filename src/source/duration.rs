//! Durations as people write them in files: `500ms`, `30s`, `10m`, `2h`, `1d`.

use std::time::Duration;

/// What to write, for the end of a sentence.
pub const DURATION_HINT: &str =
    "write a whole number and its unit, such as \"500ms\", \"30s\", \"10m\", \"2h\" or \"1d\"";

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// One whole number and one unit; nothing else, so that `5m30` is never read as something near it.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    number.parse::<u64>().ok()?.checked_mul(milliseconds).map(Duration::from_millis)
}

/// The same notation back, in the largest unit that is exact.
pub fn duration_text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    UNITS
        .iter()
        .rev()
        .find(|(_, unit)| milliseconds.is_multiple_of(u128::from(*unit)) && milliseconds > 0)
        .map_or_else(
            || format!("{milliseconds}ms"),
            |(name, unit)| format!("{}{name}", milliseconds / u128::from(*unit)),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_reads_and_writes_back() {
        for text in ["500ms", "30s", "10m", "2h", "1d", "90s"] {
            assert_eq!(duration_text(duration(text).expect(text)), text);
        }
    }

    #[test]
    fn anything_near_a_duration_is_none() {
        for text in ["", "s", "10", "10 m", "-1s", "1.5h", "5m30s", "1w", "99999999999999999999d"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
