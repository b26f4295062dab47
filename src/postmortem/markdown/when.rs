//! Times: always UTC, with the local time beside it where that differs.

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub struct When<'a> {
    zone: &'a TimeZone,
}

impl<'a> When<'a> {
    pub fn new(zone: &'a TimeZone) -> Self {
        Self { zone }
    }

    /// `2026-11-21 06:14:02 UTC (07:14:02 +01:00)`
    pub fn full(&self, at: Timestamp) -> String {
        let utc = at.strftime("%Y-%m-%d %H:%M:%S UTC");
        let local = at.to_zoned(self.zone.clone());
        if local.offset().is_zero() {
            return utc.to_string();
        }
        let same_day = local.date() == at.to_zoned(TimeZone::UTC).date();
        let format = if same_day { "%H:%M:%S %:z" } else { "%Y-%m-%d %H:%M:%S %:z" };
        format!("{utc} ({})", local.strftime(format))
    }

    pub fn maybe(&self, at: Option<Timestamp>) -> String {
        at.map_or_else(|| "not known".into(), |at| self.full(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_stands_beside_utc_and_never_alone() {
        let at: Timestamp = "2026-11-21T23:30:00Z".parse().expect("a time");
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(
            When::new(&zone).full(at),
            "2026-11-21 23:30:00 UTC (2026-11-22 00:30:00 +01:00)"
        );
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        assert_eq!(When::new(&zone).full(at), "2026-11-21 23:30:00 UTC (20:30:00 -03:00)");
        assert_eq!(When::new(&TimeZone::UTC).full(at), "2026-11-21 23:30:00 UTC");
    }
}
