//! Kinds of columns: how each is selected so that it can be put back exactly, and how it is bound.
//!
//! The driver turns moments into UTC and loses the zone they were written in, so the server writes
//! every moment and interval as a text in a fixed form, and reads the same form back. Numbers, texts
//! and bytes travel as they are. Everything is bound: no literal is long enough for a large object.

use super::names::quoted;
use crate::engine::EngineError;
use crate::value::Value;

/// Characters or bytes of a large object that an image holds.
pub const LOB_MOST: usize = 200_000;

/// Of a large object a statement can compare so much at once, in UTF-16 units or bytes.
const PIECE: usize = 1000;

const MOMENT: &str = "SYYYY-MM-DD HH24:MI:SS";
const FRACTION: &str = "SYYYY-MM-DD HH24:MI:SS.FF9";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    Float,
    Double,
    Text,
    National,
    Clob,
    Nclob,
    Blob,
    Raw,
    Date,
    Timestamp,
    Zoned,
    Local,
    DaySecond,
    YearMonth,
    Rowid,
    Boolean,
    /// LONG, XML, JSON, objects, files: no image holds it.
    Other,
}

impl Kind {
    /// By the type as the dictionary writes it: `TIMESTAMP(6) WITH TIME ZONE`.
    pub fn of(kind: &str) -> Self {
        let kind = kind.to_ascii_uppercase();
        let word = kind.split(['(', ' ']).next().unwrap_or_default();
        match word {
            "NUMBER" | "FLOAT" => Self::Number,
            "BINARY_FLOAT" => Self::Float,
            "BINARY_DOUBLE" => Self::Double,
            "VARCHAR2" | "VARCHAR" | "CHAR" => Self::Text,
            "NVARCHAR2" | "NCHAR" => Self::National,
            "CLOB" => Self::Clob,
            "NCLOB" => Self::Nclob,
            "BLOB" => Self::Blob,
            "RAW" => Self::Raw,
            "DATE" => Self::Date,
            "TIMESTAMP" if kind.contains("LOCAL") => Self::Local,
            "TIMESTAMP" if kind.contains("TIME ZONE") => Self::Zoned,
            "TIMESTAMP" => Self::Timestamp,
            "INTERVAL" if kind.contains("YEAR") => Self::YearMonth,
            "INTERVAL" => Self::DaySecond,
            "ROWID" | "UROWID" => Self::Rowid,
            "BOOLEAN" => Self::Boolean,
            _ => Self::Other,
        }
    }

    pub fn is_lob(self) -> bool {
        matches!(self, Self::Clob | Self::Nclob | Self::Blob)
    }

    /// The column as it must be selected.
    pub fn select(self, column: &str) -> String {
        match self {
            Self::Number
            | Self::Float
            | Self::Double
            | Self::Text
            | Self::National
            | Self::Raw
            | Self::Boolean => column.to_owned(),
            Self::Clob | Self::Nclob | Self::Blob => {
                format!("CASE WHEN DBMS_LOB.GETLENGTH({column}) <= {LOB_MOST} THEN {column} END")
            }
            Self::Date => format!("TRIM(TO_CHAR({column}, '{MOMENT}'))"),
            Self::Timestamp => format!("TRIM(TO_CHAR({column}, '{FRACTION}'))"),
            Self::Zoned => format!("TRIM(TO_CHAR({column}, '{FRACTION} TZR TZD'))"),
            Self::Local => format!(
                "NVL2({column}, TRIM(TO_CHAR(SYS_EXTRACT_UTC({column}), '{FRACTION}')) || ' UTC', NULL)"
            ),
            Self::DaySecond | Self::YearMonth => format!("TO_CHAR({column})"),
            Self::Rowid => format!("CAST({column} AS VARCHAR2(4000))"),
            Self::Other => "'(not shown)'".to_owned(),
        }
    }
}

/// A value on its way to the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    Integer(i64),
    /// Digits that only Oracle's own number holds.
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
}

/// A statement that is being written, with what is bound to it.
#[derive(Debug, Default, PartialEq)]
pub struct Statement {
    pub sql: String,
    pub binds: Vec<Bind>,
}

impl Statement {
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), binds: Vec::new() }
    }

    pub fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    fn bind(&mut self, bind: Bind) -> String {
        self.binds.push(bind);
        format!(":{}", self.binds.len())
    }

    /// A text of ours.
    pub fn text(&mut self, text: &str) -> String {
        self.bind(Bind::Text(text.to_owned()))
    }

    fn national(&mut self, text: &str) -> String {
        let units = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        format!("UTL_RAW.CAST_TO_NVARCHAR2({})", self.bind(Bind::Bytes(units)))
    }

    /// A value as a column of this kind takes it.
    pub fn value(&mut self, kind: Kind, value: &Value) -> Result<String, EngineError> {
        let text = match value {
            Value::Null => return Ok("NULL".into()),
            Value::Integer(n) if kind == Kind::Number => return Ok(self.bind(Bind::Integer(*n))),
            Value::Bytes(bytes) => {
                return if matches!(kind, Kind::Raw | Kind::Blob) {
                    Ok(self.bind(Bind::Bytes(bytes.clone())))
                } else {
                    Err(misfit(kind, value))
                };
            }
            Value::Integer(n) => n.to_string(),
            Value::Real(n) => real(*n),
            Value::Text(text) => text.clone(),
        };
        let at = |moment: &str| {
            if moment.starts_with('-') { moment.into() } else { format!(" {moment}") }
        };
        Ok(match kind {
            Kind::Number => self.bind(Bind::Number(text)),
            Kind::Float => format!("TO_BINARY_FLOAT({})", self.text(&text)),
            Kind::Double => format!("TO_BINARY_DOUBLE({})", self.text(&text)),
            Kind::Text | Kind::Clob => self.text(&text),
            // A bound text is in the character set of the database, which may not have this one.
            Kind::National => self.national(&text),
            Kind::Nclob => {
                let pieces = pieces(&text).into_iter().map(|(_, piece)| piece);
                let pieces: Vec<String> =
                    pieces.map(|piece| format!("TO_NCLOB({})", self.national(&piece))).collect();
                if pieces.is_empty() { "EMPTY_CLOB()".into() } else { pieces.join(" || ") }
            }
            Kind::Date => format!("TO_DATE({}, '{MOMENT}')", self.text(&at(&text))),
            Kind::Timestamp => format!("TO_TIMESTAMP({}, '{FRACTION}')", self.text(&at(&text))),
            Kind::Zoned => {
                // A zone with summer time says which of the two it is; a plain offset says nothing.
                let summer = if text.split(' ').count() > 3 { " TZD" } else { "" };
                format!("TO_TIMESTAMP_TZ({}, '{FRACTION} TZR{summer}')", self.text(&at(&text)))
            }
            Kind::Local => {
                let utc = text.strip_suffix(" UTC").unwrap_or(&text);
                format!("FROM_TZ(TO_TIMESTAMP({}, '{FRACTION}'), 'UTC')", self.text(&at(utc)))
            }
            Kind::DaySecond => format!("TO_DSINTERVAL({})", self.text(&text)),
            Kind::YearMonth => format!("TO_YMINTERVAL({})", self.text(&text)),
            Kind::Rowid => format!("CHARTOROWID({})", self.text(&text)),
            Kind::Boolean if ["TRUE", "FALSE"].contains(&text.as_str()) => text,
            Kind::Boolean | Kind::Raw | Kind::Blob | Kind::Other => {
                return Err(misfit(kind, value));
            }
        })
    }

    /// That a column holds exactly this, NULL included.
    pub fn holds(&mut self, kind: Kind, name: &str, value: &Value) -> Result<String, EngineError> {
        let column = quoted(name);
        match value {
            // An empty object is read as NULL.
            Value::Null if kind.is_lob() => {
                Ok(format!("COALESCE(DBMS_LOB.GETLENGTH({column}), 0) = 0"))
            }
            Value::Null => Ok(format!("{column} IS NULL")),
            value if kind.is_lob() => self.holds_pieces(kind, &column, value),
            value => Ok(format!("{column} = {}", self.value(kind, value)?)),
        }
    }

    fn holds_pieces(
        &mut self,
        kind: Kind,
        column: &str,
        value: &Value,
    ) -> Result<String, EngineError> {
        let (length, pieces) = match value {
            Value::Text(text) => {
                let pieces: Vec<_> = pieces(text)
                    .into_iter()
                    .map(|(size, piece)| (size, Value::Text(piece)))
                    .collect();
                (text.encode_utf16().count(), pieces)
            }
            Value::Bytes(bytes) => {
                let pieces = bytes.chunks(PIECE).map(|p| (p.len(), Value::Bytes(p.to_vec())));
                (bytes.len(), pieces.collect())
            }
            _ => return Err(misfit(kind, value)),
        };
        let mut parts = vec![format!("DBMS_LOB.GETLENGTH({column}) = {length}")];
        let mut start = 1;
        for (size, piece) in pieces {
            let piece = match (&piece, kind) {
                (Value::Text(piece), Kind::Nclob) => self.national(piece),
                _ => self.value(kind, &piece)?,
            };
            parts.push(format!("DBMS_LOB.SUBSTR({column}, {size}, {start}) = {piece}"));
            start += size;
        }
        Ok(parts.join(" AND "))
    }
}

/// A text in pieces of so many UTF-16 units, in which Oracle counts; no pair is cut apart.
fn pieces(text: &str) -> Vec<(usize, String)> {
    let mut pieces: Vec<(usize, String)> = Vec::new();
    for character in text.chars() {
        let size = character.len_utf16();
        match pieces.last_mut() {
            Some((units, piece)) if *units + size <= PIECE => {
                *units += size;
                piece.push(character);
            }
            _ => pieces.push((size, character.to_string())),
        }
    }
    pieces
}

/// A float in the fewest digits that read back as the same float.
pub fn real(n: f64) -> String {
    if n.is_nan() {
        "NaN".into()
    } else if n.is_infinite() {
        if n > 0.0 { "Inf".into() } else { "-Inf".into() }
    } else {
        format!("{n:e}")
    }
}

fn misfit(kind: Kind, value: &Value) -> EngineError {
    EngineError::Refused {
        message: format!("a column of the kind {kind:?} cannot be given {value:?} back"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: Kind, value: Value) -> (String, Vec<Bind>) {
        let mut statement = Statement::default();
        let sql = statement.value(kind, &value).expect("it fits");
        (sql, statement.binds)
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn a_kind_is_known_by_its_name_in_the_dictionary() {
        for (name, kind) in [
            ("NUMBER(10,2)", Kind::Number),
            ("FLOAT", Kind::Number),
            ("VARCHAR2(30 CHAR)", Kind::Text),
            ("NCHAR(2)", Kind::National),
            ("TIMESTAMP(6)", Kind::Timestamp),
            ("TIMESTAMP(6) WITH TIME ZONE", Kind::Zoned),
            ("TIMESTAMP(6) WITH LOCAL TIME ZONE", Kind::Local),
            ("INTERVAL DAY(2) TO SECOND(6)", Kind::DaySecond),
            ("INTERVAL YEAR(2) TO MONTH", Kind::YearMonth),
            ("LONG RAW", Kind::Other),
            ("XMLTYPE", Kind::Other),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn a_moment_goes_back_in_the_form_in_which_it_came() {
        let (sql, binds) = written(Kind::Date, text("2024-02-29 23:59:59"));
        assert_eq!(sql, "TO_DATE(:1, 'SYYYY-MM-DD HH24:MI:SS')");
        assert_eq!(binds, [Bind::Text(" 2024-02-29 23:59:59".into())]);
        let (_, binds) = written(Kind::Date, text("-0044-03-15 12:00:00"));
        assert_eq!(binds, [Bind::Text("-0044-03-15 12:00:00".into())]);
        let (sql, _) = written(Kind::Zoned, text("2024-10-27 02:30:00.5 Europe/Paris CEST"));
        assert!(sql.ends_with("TZR TZD')"), "{sql}");
        let (sql, _) = written(Kind::Zoned, text("2024-10-27 02:30:00.5 +02:00"));
        assert!(sql.ends_with("TZR')"), "{sql}");
        let (sql, binds) = written(Kind::Local, text("2024-10-27 00:30:00.5 UTC"));
        assert!(sql.starts_with("FROM_TZ("), "{sql}");
        assert_eq!(binds, [Bind::Text(" 2024-10-27 00:30:00.5".into())]);
    }

    #[test]
    fn numbers_and_texts_are_bound_as_what_they_are() {
        assert_eq!(written(Kind::Number, Value::Integer(7)).1, [Bind::Integer(7)]);
        assert_eq!(written(Kind::Number, text("0.10")).1, [Bind::Number("0.10".into())]);
        assert_eq!(written(Kind::Double, Value::Real(0.1)).1, [Bind::Text("1e-1".into())]);
        assert_eq!(written(Kind::Double, Value::Real(f64::NAN)).1, [Bind::Text("NaN".into())]);
        assert_eq!(written(Kind::National, text("ř")).1, [Bind::Bytes(vec![0x01, 0x59])]);
        assert_eq!(written(Kind::Boolean, text("TRUE")).0, "TRUE");
        assert!(Statement::default().value(Kind::Other, &text("x")).is_err());
        assert!(Statement::default().value(Kind::Raw, &text("x")).is_err());
    }

    #[test]
    fn a_guard_is_true_of_null_too() {
        let mut statement = Statement::default();
        let mut holds = |kind, value| statement.holds(kind, "note", &value).expect("it fits");
        assert_eq!(holds(Kind::Text, Value::Null), "\"NOTE\" IS NULL");
        assert_eq!(holds(Kind::Text, text("a")), "\"NOTE\" = :1");
        assert_eq!(holds(Kind::Clob, Value::Null), "COALESCE(DBMS_LOB.GETLENGTH(\"NOTE\"), 0) = 0");
    }

    #[test]
    fn a_large_object_is_compared_piece_by_piece_and_no_pair_is_cut() {
        let long = format!("{}😀end", "x".repeat(999));
        let mut statement = Statement::default();
        let sql = statement.holds(Kind::Clob, "c", &text(&long)).expect("it fits");
        assert_eq!(
            sql,
            "DBMS_LOB.GETLENGTH(\"C\") = 1004 AND DBMS_LOB.SUBSTR(\"C\", 999, 1) = :1 AND \
             DBMS_LOB.SUBSTR(\"C\", 5, 1000) = :2"
        );
        assert_eq!(statement.binds[1], Bind::Text("😀end".into()));
        let mut statement = Statement::default();
        let sql = statement.value(Kind::Nclob, &text(&long)).expect("it fits");
        assert_eq!(
            sql,
            "TO_NCLOB(UTL_RAW.CAST_TO_NVARCHAR2(:1)) || TO_NCLOB(UTL_RAW.CAST_TO_NVARCHAR2(:2))"
        );
        assert_eq!(statement.binds[1], Bind::Bytes(b"\xd8\x3d\xde\x00\0e\0n\0d".to_vec()));
    }
}
