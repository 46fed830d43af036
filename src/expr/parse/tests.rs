//! What is parsed into what, where it stands, and what is refused.

use super::super::ast::FoldKind;
use super::*;

/// The text under the first node that `pick` finds, depth first.
fn texts(text: &str) -> Vec<String> {
    fn walk(ast: &Ast, text: &str, out: &mut Vec<String>) {
        out.push(text[ast.span.0..ast.span.1].to_owned());
        ast.kind
            .parts()
            .into_iter()
            .for_each(|part| walk(part, text, out));
    }
    let mut out = Vec::new();
    walk(&parse(text, true).unwrap(), text, &mut out);
    out
}

#[test]
fn every_node_knows_its_bytes() {
    assert_eq!(
        texts("(a + b) * -1 // c"),
        ["(a + b) * -1", "a + b", "a", "b", "-1"]
    );
    assert_eq!(texts("'é' + (y)  "), ["'é' + (y)", "'é'", "y"]);
}

#[test]
fn spans_cover_calls_paths_and_brackets() {
    assert_eq!(
        texts("event.after.id"),
        ["event.after.id", "event.after", "event"]
    );
    assert_eq!(texts(" f( (y) ) "), ["f( (y) )", "y"]);
    assert_eq!(
        texts("a.f(x)[0].g"),
        ["a.f(x)[0].g", "a.f(x)[0]", "a.f(x)", "a", "x", "0"]
    );
    assert_eq!(texts("f()"), ["f()"]);
    assert_eq!(
        texts("has(a.b) && 'é' in [1, 2]"),
        [
            "has(a.b) && 'é' in [1, 2]",
            "has(a.b)",
            "a",
            "'é' in [1, 2]",
            "'é'",
            "[1, 2]",
            "1",
            "2"
        ]
    );
    assert_eq!(
        texts("a.all(x, x > (1))"),
        ["a.all(x, x > (1))", "a", "x > (1)", "x", "1"]
    );
    assert_eq!(texts("{'a': !b}"), ["{'a': !b}", "'a'", "!b", "b"]);
    assert_eq!(texts("a ? b : (c)"), ["a ? b : (c)", "a", "b", "c"]);
}

#[test]
fn macros_are_seen_as_written() {
    let kind = |text: &str| match parse(text, true).unwrap().kind {
        AstKind::Fold(fold) => (fold.kind, fold.filter.is_some()),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind("[1].all(x, x > 0)"), (FoldKind::All, false));
    assert_eq!(kind("[1].exists(x, x > 0)"), (FoldKind::Exists, false));
    assert_eq!(
        kind("[1].exists_one(x, x > 0)"),
        (FoldKind::ExistsOne, false)
    );
    assert_eq!(kind("[1].map(x, x + 1)"), (FoldKind::Map, false));
    assert_eq!(kind("[1].map(x, x > 0, x + 1)"), (FoldKind::Map, true));
    assert_eq!(kind("[1].filter(x, x > 0)"), (FoldKind::Map, true));
}

#[test]
fn syntax_faults_point_at_the_place() {
    let fault = |text: &str| {
        let fault = parse(text, true).unwrap_err();
        (
            fault.code,
            fault.start,
            fault.end,
            fault.message,
            fault.help,
        )
    };
    assert_eq!(
        fault("a = 1"),
        (
            "expr_syntax",
            2,
            3,
            "`=` is not an operator".into(),
            Some("a comparison is `==`".into())
        )
    );
    assert_eq!(
        fault("a and b"),
        (
            "expr_syntax",
            2,
            5,
            "unexpected `and`".into(),
            Some("logical and is `&&`".into())
        )
    );
    assert_eq!(
        fault("a +"),
        (
            "expr_syntax",
            3,
            3,
            "the expression ends too early".into(),
            None
        )
    );
    assert_eq!(
        fault("a é"),
        ("expr_syntax", 2, 4, "unexpected character".into(), None)
    );
    assert_eq!(fault(" ").3, "the expression is empty");
}

#[test]
fn large_expressions_are_refused_without_recursion() {
    for text in [
        "(".repeat(4_000),
        "a?b:".repeat(1_500),
        "!-".repeat(900) + "a",
        "1+".repeat(900) + "1",
        "a.".repeat(900) + "a",
        "x".repeat(9_000),
        "[".repeat(100),
        "{1:".repeat(100),
    ] {
        assert_eq!(parse(&text, true).unwrap_err().code, "expr_limit", "{text}");
    }
}

#[test]
fn literals_mean_what_the_language_says() {
    let literal = |text: &str| match parse(text, true).unwrap().kind {
        AstKind::Literal(value) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(literal("-9223372036854775808"), Const::Int(i64::MIN));
    assert_eq!(literal("0xFFu"), Const::Uint(255));
    assert_eq!(literal("-0x10"), Const::Int(-16));
    assert_eq!(literal(".5e1"), Const::Double(5.0));
    assert_eq!(
        literal(r"'\x41\u00e9\U0001F600\101\`'"),
        Const::Str("Aé😀A`".into())
    );
    assert_eq!(
        literal(r"'\ud83d\ude00\ud83D\uDE00!'"),
        Const::Str("😀😀!".into())
    );
    assert_eq!(literal(r"r'\d'"), Const::Str(r"\d".into()));
    assert_eq!(literal("'''a\n'b' '''"), Const::Str("a\n'b' ".into()));
    assert_eq!(
        literal(r"b'\xff\377é'"),
        Const::Bytes([255, 255, 195, 169].into())
    );
    assert_eq!(literal(r"bR'\x'"), Const::Bytes(br"\x"[..].into()));
}

#[test]
fn what_the_grammar_does_not_have_is_refused() {
    for text in [
        "9223372036854775808",
        "18446744073709551616u",
        "1e999",
        r"'\xg1'",
        r"'\ud800'",
        r"'\ud83d'",
        r"'\ud83dx'",
        r"'\ud83d\u0041'",
        r"'\ud83d\u+e00'",
        r"'\ude00\ud83d'",
        r"'\U0000d83d\ude00'",
        "0XFF",
        r"b'\u0041'",
        r"'\8'",
        "'a",
        "'a\n'",
        "'''a''",
        "`a`",
        "a.`b",
        "a.``",
        "a.`$`",
        "1.",
        "a.true",
        "if",
        "in + 1",
        "[,]",
        "a.(b)",
        "f(,)",
        "{a}",
        "a ? b",
        "has(a)",
        "a.all(1, b)",
        "a.all(x, x, y)",
        "a = b",
        "é",
    ] {
        let code = parse(text, true).map_err(|fault| fault.code);
        assert_eq!(code.err(), Some("expr_syntax"), "{text}");
    }
}

#[test]
fn optional_syntax_and_quoted_names_are_read() {
    let kind = |text: &str| parse(text, true).unwrap().kind;
    let optional = |text: &str| match kind(text) {
        AstKind::Select { optional, .. } | AstKind::Index { optional, .. } => optional,
        AstKind::List(items) => items[0].optional && !items[1].optional,
        AstKind::Map(entries) => entries[0].1.optional,
        other => panic!("{other:?}"),
    };
    for text in ["a.?b", "a[?b]", "[?a, b,]", "{?a: b,}"] {
        assert!(optional(text), "{text}");
    }
    let field = |text: &str| match kind(text) {
        AstKind::Select { field, .. } => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field("a.`b/c.d`"), "b/c.d");
    assert_eq!(field("a.if"), "if");
    assert!(matches!(kind("cel.bind(x, 1, x)"), AstKind::Bind { .. }));
    assert!(matches!(
        kind("a.optMap(x, x)"),
        AstKind::OptMap { flat: false, .. }
    ));
    assert!(matches!(kind("a.all(i, x, i < x)"), AstKind::Fold(fold) if fold.second.is_some()));
    let plain = parse("[1].all(x, x > 0)", false).unwrap().kind;
    assert!(matches!(plain, AstKind::Call { .. }));
}
