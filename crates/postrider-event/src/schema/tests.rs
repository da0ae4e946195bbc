use super::*;

const USER: &str = r##"{
    "type": "object", "required": ["user"], "additionalProperties": false,
    "properties": {
        "user": { "$ref": "#/$defs/user" },
        "tags": { "type": "array", "items": { "type": "string", "maxLength": 3 }, "uniqueItems": true },
        "plan": { "enum": ["free", "paid"] },
        "a/b~c": { "type": ["integer", "null"], "minimum": 0 }
    },
    "$defs": { "user": { "type": "object", "required": ["id"], "properties": { "id": { "type": "integer" } } } }
}"##;

#[test]
fn a_fault_names_its_place_and_never_the_value() {
    let schema = Schema::compile(USER).unwrap();
    let cases: &[(&str, &[(&str, &str)])] = &[
        (r#"{"user":{"id":1}}"#, &[]),
        (r#"{"user":{"id":"s3cret"}}"#, &[("/user/id", "must be of type integer")]),
        (r#"{"user":{}}"#, &[("/user/id", "is required")]),
        ("{}", &[("/user", "is required")]),
        ("[]", &[("", "must be of type object")]),
        (
            r#"{"user":{"id":1},"x/y":"s3cret","z":1}"#,
            &[("/x~1y", "is not in the schema"), ("/z", "is not in the schema")],
        ),
        (r#"{"user":{"id":1},"plan":"s3cret"}"#, &[("/plan", r#"must be one of ["free","paid"]"#)]),
        (
            r#"{"user":{"id":1},"tags":["s3cret","a"]}"#,
            &[("/tags/0", "must have at most 3 characters")],
        ),
        (r#"{"user":{"id":1},"a/b~c":-1}"#, &[("/a~1b~0c", "must be at least 0")]),
    ];
    for (data, expected) in cases {
        let mut faults = schema.faults(data);
        faults.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        let found: Vec<_> =
            faults.iter().map(|f| (f.pointer.as_str(), f.detail.as_str())).collect();
        assert_eq!(&found[..], *expected, "{data}");
        assert!(!format!("{faults:?}").contains("s3cret"), "{faults:?}");
    }
}

#[test]
fn an_event_is_told_the_first_fault_and_how_many_there_are() {
    let schema = Schema::compile(USER).unwrap();
    let error = invalid(&schema.faults(r#"{"user":{"id":"x"},"z":1}"#)).unwrap();
    assert!(error.to_string().ends_with("; and 1 more (payload.schema)"), "{error}");
    assert!(error.field == "data/user/id" || error.field == "data/z", "{error}");
    assert_eq!(invalid(&[]), None);
    let many: String = (0..50).map(|n| format!(",\"x{n}\":1")).collect();
    let faults = schema.faults(&format!("{{\"user\":{{\"id\":1}}{many}}}"));
    assert_eq!(faults.len(), MAX_FAULTS);
    for unreadable in ["{", r#"{"user":{"id":1e999}}"#] {
        let faults = schema.faults(unreadable);
        assert!(faults[0].detail.starts_with("cannot be read"), "{faults:?}");
    }
}

#[test]
fn what_is_no_schema_of_its_own_is_refused_with_its_place() {
    let long = format!(r#"{{"description":"{}"}}"#, "x".repeat(MAX_SCHEMA_BYTES));
    let deep = "{\"not\":".repeat(70) + "{}" + &"}".repeat(70);
    for (text, code, pointer) in [
        ("{", "schema.syntax", ""),
        ("[]", "schema.syntax", ""),
        (&*long, "schema.size", ""),
        (&*deep, "schema.depth", ""),
        (r#"{"type":"text"}"#, "schema.invalid", "/type"),
        (r#"{"properties":{"a":{"minLength":-1}}}"#, "schema.invalid", "/properties/a/minLength"),
        (r#"{"pattern":"(?=a)b"}"#, "schema.invalid", "/pattern"),
        (r#"{"pattern":"(a{1000}){1000}"}"#, "schema.invalid", "/pattern"),
        (
            r#"{"properties":{"a":{"$ref":"https://schemas.example/a.json"}}}"#,
            "schema.reference",
            "/properties/a/$ref",
        ),
        (r#"{"$ref":"file:///etc/passwd"}"#, "schema.reference", "/$ref"),
        (
            r#"{"prefixItems":[{}],"anyOf":[{"$ref":"other.json"}]}"#,
            "schema.reference",
            "/anyOf/0/$ref",
        ),
        (r##"{"$ref":"#/$defs/none"}"##, "schema.reference", "/$ref"),
        (r#"{"$schema":"https://schemas.example/meta"}"#, "schema.reference", "/$schema"),
    ] {
        let error = Schema::compile(text).unwrap_err();
        assert_eq!((error.code, error.pointer.as_str()), (code, pointer), "{text:.80}: {error}");
    }
}

#[test]
fn a_schema_may_refer_to_itself_and_to_its_draft() {
    for text in [
        r##"{"properties":{"child":{"$ref":"#"}}}"##,
        r##"{"$ref":"#"}"##,
        r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}"#,
        r#"{"properties":{"$ref":{"type":"string"}}}"#,
        "true",
    ] {
        let schema = Schema::compile(text).unwrap();
        assert_eq!(schema.faults(r#"{"child":{"child":{}}}"#), [], "{text}");
    }
}

#[test]
fn a_pattern_takes_linear_time() {
    let schema = Schema::compile(r#"{"pattern":"^(a+)+$"}"#).unwrap();
    let data = format!("\"{}!\"", "a".repeat(200_000));
    assert_eq!(schema.faults(&data).len(), 1);
}

#[test]
fn the_cache_keeps_one_version_of_each_type() {
    let cache = SchemaCache::default();
    assert!(cache.get("a.b").is_none());
    assert!(cache.keep("a.b", 7, "{}").schema.is_ok());
    assert_eq!(cache.get("a.b").unwrap().version, 7);
    assert!(cache.keep("a.b", 9, "{").schema.is_err());
    let again = cache.get("a.b").unwrap();
    assert_eq!((again.version, again.schema.unwrap_err().code), (9, "schema.syntax"));
    for n in 0..2000 {
        let _ = cache.keep(&format!("t{n}"), n, "{}");
    }
    assert!(cache.get("a.b").is_none() && cache.get("t1999").is_some());
}

#[test]
fn checks_are_words() {
    for check in [Check::Off, Check::Report, Check::Enforce] {
        assert_eq!(Check::parse(check.as_str()), Some(check));
    }
    assert_eq!(Check::parse("maybe"), None);
}
