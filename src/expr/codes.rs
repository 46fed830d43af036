//! Every code with which an expression can fail, at check time and at run time.

/// A code and what it means.
pub type Code = (&'static str, &'static str);

/// Faults of `check`.
pub const FAULTS: &[Code] = &[
    ("expr_syntax", "the text is not an expression"),
    (
        "expr_limit",
        "the expression is too long, too deep or has too many macros within macros",
    ),
    (
        "expr_unsupported",
        "a part of CEL that the language does not have",
    ),
    (
        "unknown_name",
        "a name that is neither a scope nor a variable of a macro",
    ),
    (
        "unknown_field",
        "a field that the schema, the mapped event, `meta` or `vars` does not have",
    ),
    (
        "field_missing",
        "a record that is written out without one of its fields",
    ),
    (
        "duplicate_key",
        "a record that is written out with a field given twice",
    ),
    (
        "unknown_symbol",
        "a comparison with an operation that Debezium, or a symbol that an enum, does not have",
    ),
    (
        "bad_name",
        "a scope used as a value, or as the name of a variable",
    ),
    (
        "bad_constant",
        "a constant that cannot be converted: `decimal(\"abc\")`",
    ),
    (
        "bad_pattern",
        "a pattern that is not well-formed or too large",
    ),
    (
        "no_event",
        "`event` where there is none: expressions for tombstones",
    ),
    ("no_out", "`out` before there is a mapped event"),
    (
        "no_such_function",
        "an unknown function, or one that is not for these types",
    ),
    (
        "not_a_secret",
        "the key of a keyed function is not a variable of the type secret",
    ),
    (
        "type_mismatch",
        "an operation that has no meaning for the types of its parts",
    ),
    (
        "left_out",
        "a column that Debezium may have left out, compared with null or within its row",
    ),
    (
        "nullable",
        "a value that may be null where null has no meaning",
    ),
    (
        "before_not_carried",
        "a column of `event.before` that the replica identity does not carry",
    ),
];

/// Reasons of an evaluation, the `reason` of a dead letter.
pub const REASONS: &[Code] = &[
    ("int_overflow", "a whole number does not fit 64 bits"),
    ("decimal_overflow", "a decimal has more than 38 digits"),
    ("division_by_zero", "a number was divided by zero"),
    (
        "time_range",
        "a timestamp is outside of the years 1 to 9999, or a duration longer than 292 years",
    ),
    ("bad_number", "a text is not a number"),
    (
        "bad_argument",
        "a function was given a value that it has no meaning for",
    ),
    (
        "bad_format",
        "a text is not a format, or not one for these values",
    ),
    (
        "bad_encoding",
        "a text is not in the encoding that it is said to be in: base64, hex, URL, JSON",
    ),
    ("json_mismatch", "a JSON text does not fit its schema"),
    ("bad_bool", "a text is neither true nor false"),
    (
        "bad_timestamp",
        "a text is not a timestamp of RFC 3339, or a date or time of ISO 8601",
    ),
    ("bad_duration", "a text is not a duration"),
    ("bad_timezone", "a text is not a time zone"),
    (
        "bad_pattern",
        "a text is not a pattern, or one that is too large",
    ),
    ("bad_utf8", "bytes are not UTF-8"),
    (
        "index_out_of_range",
        "an index is outside of a list or a text",
    ),
    ("missing_key", "a map does not have the key"),
    ("no_value", "an optional value is not there"),
    ("duplicate_key", "a map was given the same key twice"),
    ("missing_timestamp", "the record has no timestamp"),
    (
        "no_such_overload",
        "an operation has no meaning for values whose types are known at run time only",
    ),
    (
        "expression_limit",
        "an evaluation took too many steps or built too many bytes",
    ),
    (
        "avro_limit",
        "a list, map or record of the record is too large or too deep to be built",
    ),
    (
        "unexpected_null",
        "a value is null where one is needed: the record breaks what its envelope promises",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Text literals that follow `marker` in the module's source.
    fn codes(marker: &str) -> Vec<String> {
        let sources = [
            include_str!("access.rs"),
            include_str!("arith.rs"),
            include_str!("arithmetic.rs"),
            include_str!("budget.rs"),
            include_str!("check.rs"),
            include_str!("containers.rs"),
            include_str!("eval.rs"),
            include_str!("fold.rs"),
            include_str!("functions/call.rs"),
            include_str!("functions/convert.rs"),
            include_str!("functions/decimal.rs"),
            include_str!("functions/encode.rs"),
            include_str!("functions/form.rs"),
            include_str!("functions/format.rs"),
            include_str!("functions/given.rs"),
            include_str!("functions/hash.rs"),
            include_str!("functions/instant.rs"),
            include_str!("functions/interval.rs"),
            include_str!("functions/json.rs"),
            include_str!("functions/letters.rs"),
            include_str!("functions/list.rs"),
            include_str!("functions/math.rs"),
            include_str!("functions/pattern.rs"),
            include_str!("functions/optional.rs"),
            include_str!("functions/prepared.rs"),
            include_str!("functions/text.rs"),
            include_str!("functions/time.rs"),
            include_str!("left_out.rs"),
            include_str!("functions/typed.rs"),
            include_str!("lex.rs"),
            include_str!("logic.rs"),
            include_str!("macros.rs"),
            include_str!("nulls.rs"),
            include_str!("operators.rs"),
            include_str!("optional.rs"),
            include_str!("parse.rs"),
            include_str!("path.rs"),
            include_str!("parse/cursor.rs"),
            include_str!("read.rs"),
            include_str!("record.rs"),
            include_str!("template.rs"),
        ];
        let all = sources
            .iter()
            .flat_map(|source| source.split(marker).skip(1));
        all.filter_map(|after| {
            after
                .trim_start()
                .strip_prefix('"')?
                .split('"')
                .next()
                .map(str::to_owned)
        })
        .collect()
    }

    #[test]
    fn every_code_is_in_the_table() {
        let known = |table: &[Code], code: &String| table.iter().any(|(name, _)| name == code);
        let (faults, reasons) = (codes("ExprFault::new("), codes("EvalFault::new("));
        assert!(faults.len() > 20 && reasons.len() > 15);
        let listed = codes("can_fail.insert(");
        for code in faults {
            assert!(known(FAULTS, &code), "{code}");
        }
        for code in reasons.into_iter().chain(listed) {
            assert!(known(REASONS, &code), "{code}");
        }
    }
}
