//! The grammar of each engine, as far as the parser knows it, and what it lacks of SQLite's.

use std::any::TypeId;

use sqlparser::ast::{BinaryOperator, Expr, Statement};
use sqlparser::dialect::{
    Dialect as Grammar, MySqlDialect, OracleDialect, PostgreSqlDialect, Precedence, SQLiteDialect,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::dialect::Dialect;

pub(super) fn grammar(dialect: Dialect) -> Box<dyn Grammar> {
    match dialect {
        Dialect::Sqlite => Box::new(Sqlite(SQLiteDialect {})),
        Dialect::Postgres => Box::new(PostgreSqlDialect {}),
        Dialect::Mysql | Dialect::Mariadb => Box::new(MySqlDialect {}),
        Dialect::Oracle => Box::new(OracleDialect {}),
    }
}

/// With IS between any two values, every operator behind NOT, ISNULL, and bits that are shifted.
#[derive(Debug)]
struct Sqlite(SQLiteDialect);

impl Grammar for Sqlite {
    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        if is_null(parser) {
            parser.advance_token();
            return Some(Ok(Expr::IsNull(Box::new(left.clone()))));
        }
        let word = |nth: usize| match &parser.peek_nth_token_ref(nth).token {
            Token::Word(word) => word.keyword,
            _ => Keyword::NoKeyword,
        };
        let operator = match (word(0), word(1), word(2)) {
            (Keyword::IS, Keyword::NOT, value) if !is_known_behind_is(value) => "IS NOT",
            (Keyword::IS, value, _) if value != Keyword::NOT && !is_known_behind_is(value) => "IS",
            (Keyword::NOT, Keyword::GLOB, _) => "NOT GLOB",
            (Keyword::NOT, Keyword::MATCH, _) => "NOT MATCH",
            _ => return self.0.parse_infix(parser, left, precedence),
        };
        for _ in operator.split(' ') {
            parser.advance_token();
        }
        let right = parser.parse_subexpr(precedence);
        Some(right.map(|right| Expr::BinaryOp {
            left: Box::new(left.clone()),
            op: BinaryOperator::Custom(operator.to_owned()),
            right: Box::new(right),
        }))
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        is_null(parser).then(|| Ok(self.0.prec_value(Precedence::Is)))
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    // The rest is the parser's own: whatever it says of SQLite otherwise than of any engine.

    fn dialect(&self) -> TypeId {
        self.0.dialect()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.0.is_delimited_identifier_start(ch)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.0.identifier_quote_style(identifier)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.0.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.0.is_identifier_part(ch)
    }

    fn parse_statement(&self, parser: &mut Parser<'_>) -> Option<Result<Statement, ParserError>> {
        self.0.parse_statement(parser)
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        self.0.supports_filter_during_aggregation()
    }

    fn supports_start_transaction_modifier(&self) -> bool {
        self.0.supports_start_transaction_modifier()
    }

    fn supports_in_empty_list(&self) -> bool {
        self.0.supports_in_empty_list()
    }

    fn supports_limit_comma(&self) -> bool {
        self.0.supports_limit_comma()
    }

    fn supports_asc_desc_in_column_definition(&self) -> bool {
        self.0.supports_asc_desc_in_column_definition()
    }

    fn supports_dollar_placeholder(&self) -> bool {
        self.0.supports_dollar_placeholder()
    }

    fn supports_notnull_operator(&self) -> bool {
        self.0.supports_notnull_operator()
    }

    fn supports_comma_separated_trim(&self) -> bool {
        self.0.supports_comma_separated_trim()
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        self.0.supports_numeric_literal_underscores()
    }
}

/// The word of SQLite for IS NULL.
fn is_null(parser: &Parser<'_>) -> bool {
    let Token::Word(word) = &parser.peek_token_ref().token else { return false };
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case("ISNULL")
}

/// What the parser itself takes behind IS.
fn is_known_behind_is(word: Keyword) -> bool {
    matches!(
        word,
        Keyword::NULL
            | Keyword::TRUE
            | Keyword::FALSE
            | Keyword::UNKNOWN
            | Keyword::DISTINCT
            | Keyword::JSON
    )
}
