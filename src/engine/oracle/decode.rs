//! What the driver read, as values. What it cannot say exactly is an error and never a guess.

use std::fmt::Write as _;

use oracledb::{
    Error, JsonValue, Metadata, OracleIntervalDS, OracleIntervalYM, OracleTimestamp, Row,
};

use crate::value::{Value, hex};

pub fn row(row: &Row) -> Result<Vec<Value>, Error> {
    row.columns().iter().enumerate().map(|(at, column)| value(row, at, column)).collect()
}

fn value(row: &Row, at: usize, column: &Metadata) -> Result<Value, Error> {
    let kind = column.db_type();
    let found = match kind.name() {
        "DB_TYPE_NUMBER" | "DB_TYPE_BINARY_INTEGER" => {
            row.get::<Option<String>>(at)?.map(|text| number(&text))
        }
        "DB_TYPE_BINARY_DOUBLE" => row.get::<Option<f64>>(at)?.map(Value::Real),
        "DB_TYPE_BINARY_FLOAT" => row.get::<Option<f32>>(at)?.map(|n| Value::Real(n.into())),
        "DB_TYPE_BOOLEAN" => row
            .get::<Option<bool>>(at)?
            .map(|is| Value::Text(if is { "TRUE" } else { "FALSE" }.to_owned())),
        "DB_TYPE_RAW" | "DB_TYPE_LONG_RAW" | "DB_TYPE_BLOB" => {
            row.get::<Option<Vec<u8>>>(at)?.map(Value::Bytes)
        }
        "DB_TYPE_DATE" => row.get::<Option<OracleTimestamp>>(at)?.map(|it| date(&it)),
        "DB_TYPE_TIMESTAMP" | "DB_TYPE_TIMESTAMP_TZ" | "DB_TYPE_TIMESTAMP_LTZ" => {
            row.get::<Option<OracleTimestamp>>(at)?.map(|it| moment(&it, column.scale()))
        }
        "DB_TYPE_INTERVAL_DS" => {
            row.get::<Option<OracleIntervalDS>>(at)?.map(|it| Value::Text(days(&it)))
        }
        "DB_TYPE_INTERVAL_YM" => {
            row.get::<Option<OracleIntervalYM>>(at)?.map(|it| Value::Text(months(it)))
        }
        "DB_TYPE_JSON" => row.get::<Option<JsonValue>>(at)?.map(|it| Value::Text(json(&it))),
        "DB_TYPE_VECTOR" => {
            let vector = row.get::<Option<oracledb::Vector>>(at)?;
            vector.map(|it| Value::Text(format!("{it:?}")))
        }
        // Texts, and whatever the driver gives as a text; of the rest it says itself what it cannot.
        _ => row.get::<Option<String>>(at)?.map(Value::Text),
    };
    Ok(found.unwrap_or(Value::Null))
}

/// An integer where it fits; else the digits, of which a float would lose some.
fn number(text: &str) -> Value {
    text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Integer)
}

fn date(it: &OracleTimestamp) -> Value {
    Value::Text(format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        it.year(),
        it.month(),
        it.day(),
        it.hour(),
        it.minute(),
        it.second()
    ))
}

/// With as many decimals as the column has. A moment with a zone arrives as that moment in UTC.
fn moment(it: &OracleTimestamp, decimals: i8) -> Value {
    let Value::Text(mut text) = date(it) else { return Value::Null };
    let digits = format!("{:09}", it.nanoseconds());
    let decimals = usize::try_from(decimals).unwrap_or(9).min(9);
    // What is there is never cut off, whatever the column says.
    let written = digits.trim_end_matches('0').len().max(decimals);
    if written > 0 {
        let _ = write!(text, ".{}", &digits[..written]);
    }
    if it.is_utc() {
        text.push_str(" UTC");
    }
    Value::Text(text)
}

/// As Oracle writes it: every part has the same sign.
fn days(it: &OracleIntervalDS) -> String {
    let parts = [it.hours(), it.minutes(), it.seconds()];
    let negative = it.days() < 0 || it.nanoseconds() < 0 || parts.iter().any(|part| *part < 0);
    let [hours, minutes, seconds] = parts.map(i8::unsigned_abs);
    format!(
        "{}{:02} {hours:02}:{minutes:02}:{seconds:02}.{:09}",
        if negative { '-' } else { '+' },
        it.days().unsigned_abs(),
        it.nanoseconds().unsigned_abs()
    )
}

fn months(it: OracleIntervalYM) -> String {
    let negative = it.years() < 0 || it.months() < 0;
    let sign = if negative { '-' } else { '+' };
    format!("{sign}{:02}-{:02}", it.years().unsigned_abs(), it.months().unsigned_abs())
}

fn json(value: &JsonValue) -> String {
    match value {
        JsonValue::JsonArray(items) => {
            format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(","))
        }
        JsonValue::JsonObject(fields) => {
            // The driver keeps them in no order; the same object must always read the same.
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields =
                fields.iter().map(|(name, value)| format!("{}:{}", quote(name), json(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        JsonValue::Null => "null".into(),
        JsonValue::Boolean(is) => is.to_string(),
        JsonValue::Number(n) => n.to_string(),
        JsonValue::BinaryDouble(n) => n.to_string(),
        JsonValue::BinaryFloat(n) => n.to_string(),
        JsonValue::String(text) => quote(text),
        JsonValue::JsonId(bytes) | JsonValue::Raw(bytes) => quote(&hex(bytes)),
        JsonValue::IntervalDS(it) => quote(&days(it)),
        JsonValue::IntervalYM(it) => quote(&months(*it)),
        other => quote(&format!("{other:?}")),
    }
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Value) -> String {
        value.as_ref().plain().unwrap_or_default()
    }

    #[test]
    fn a_number_keeps_every_digit() {
        assert_eq!(number("42"), Value::Integer(42));
        assert_eq!(number("0.1"), Value::Text("0.1".into()));
        let wide = "12345678901234567890123456789012345678";
        assert_eq!(number(wide), Value::Text(wide.into()));
    }

    #[test]
    fn moments_read_as_they_are_written_in_sql() {
        let at = OracleTimestamp::new_timestamp(2024, 2, 29, 1, 2, 3, 500_000_000);
        assert_eq!(text(date(&at)), "2024-02-29 01:02:03");
        assert_eq!(text(moment(&at, 6)), "2024-02-29 01:02:03.500000");
        assert_eq!(text(moment(&at, 0)), "2024-02-29 01:02:03.5");
        let whole = OracleTimestamp::new_utc_timestamp(2024, 2, 29, 1, 2, 3, 0);
        assert_eq!(text(moment(&whole, 0)), "2024-02-29 01:02:03 UTC");
    }

    #[test]
    fn an_interval_has_one_sign() {
        assert_eq!(days(&OracleIntervalDS::new(0, 0, -5, 0, 0)), "-00 00:05:00.000000000");
        assert_eq!(days(&OracleIntervalDS::new(12, 1, 2, 3, 4)), "+12 01:02:03.000000004");
        assert_eq!(months(OracleIntervalYM::new(-1, -2)), "-01-02");
    }

    #[test]
    fn json_always_reads_the_same() {
        let fields = [("b", JsonValue::Null), ("a", JsonValue::String("x\"y".into()))];
        let object = fields.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(json(&JsonValue::JsonObject(object.into())), r#"{"a":"x\"y","b":null}"#);
    }
}
