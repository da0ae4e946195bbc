use serde_json::{Value, json};

use super::*;

/// What was read, as JSON again, and the bytes of nothing else.
fn back(node: &Node) -> Value {
    match node {
        Node::Nothing => Value::Null,
        Node::Scalar(Scalar::Bool(value), _) => json!(value),
        Node::Scalar(Scalar::Int(number), _) => {
            serde_json::from_str(&number.to_string()).expect("a number")
        }
        Node::Scalar(Scalar::Float(number), _) => json!(number),
        Node::Scalar(Scalar::Text(text), _) => json!(**text),
        Node::List(items) => items.iter().map(back).collect(),
        Node::Object(pairs) => {
            Value::Object(pairs.iter().map(|(key, value)| (key.to_string(), back(value))).collect())
        }
    }
}

#[test]
fn json_is_read_as_the_library_reads_it() {
    for text in [
        "null",
        " true ",
        "false",
        "0",
        "-12",
        "1.5",
        "\"\"",
        r#""a\"b\\c\/\n\u00e9\ud83d\ude00""#,
        "[]",
        "[ ]",
        "{}",
        " [ 1 , [ ] , { \"a\" : [ null ] } ] ",
        r#"{"b":1,"a":{"x":[true,false]},"":"é"}"#,
        r#"{"a":1,"b":2,"a":3}"#,
    ] {
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(back(&read(text).unwrap()), expected, "{text}");
    }
}

#[test]
fn what_postgresql_takes_and_the_library_does_not_is_read_too() {
    let number = read("1e400").unwrap();
    assert!(matches!(number, Node::Scalar(Scalar::Float(f64::INFINITY), _)));
    for (text, expected) in [
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ude00\ud83d\ude00x""#, "\u{fffd}\u{1f600}x"),
        (r#""a\\ud83d\ud83d\n""#, "a\\ud83d\u{fffd}\n"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
    ] {
        assert_eq!(back(&read(text).unwrap()), json!(expected), "{text}");
    }
    let deep = format!("[{}{}{}, 7]", "[".repeat(50_000), r#""]""#, "]".repeat(50_000));
    let Node::List(items) = read(&deep).unwrap() else { panic!("a list") };
    assert!(items[0].exists() && !items[0].any_scalar(&|_, _| true), "passed over");
    assert!(items[1].any_scalar(&|_, _| true), "and read on behind it");
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        " ",
        "nul",
        "nullx",
        "tru",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "1e+",
        "NaN",
        "inf",
        "Infinity",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"a\nb\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,]",
        "[1 2]",
        "]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "1 2",
        "{} x",
        "é",
        "\"\\é\"",
        "\"\\ud8é\"",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    for cut in 0..500 {
        assert!(read(&"[".repeat(cut + 1)).is_err());
        assert!(read(&format!("{}\"\\", "[".repeat(cut))).is_err());
    }
}
