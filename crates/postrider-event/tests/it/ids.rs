use std::collections::HashMap;

use postrider_event::{EMAIL_BOUNCED, EMAIL_RECEIVED, EventId, EventType};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn derive(event_type: &EventType, key: &[&str]) -> String {
    EventId::derive(event_type, key).expect("a key with parts").into()
}

#[test]
fn ids_follow_the_formula() {
    let hashed = |text: &str| format!("evt_{}", &hex::encode(Sha256::digest(text))[..32]);
    assert_eq!(derive(&EMAIL_RECEIVED, &["m1"]), "evt_4ceb14256434fce4567cf19595d33e56");
    assert_eq!(derive(&EMAIL_RECEIVED, &["m1"]), hashed("m1|email.received"));
    assert_eq!(derive(&EMAIL_BOUNCED, &["m1", "ses1"]), "evt_d5f34e9763c5d30e0daa4220e8a9ab50");
    assert_eq!(derive(&EMAIL_BOUNCED, &["m1", "ses1"]), hashed("m1|email.bounced|ses1"));
    assert_eq!(derive(&EMAIL_BOUNCED, &["a|b", "c"]), hashed(r"a\|b|email.bounced|c"));
    assert_eq!(derive(&EMAIL_BOUNCED, &["a", r"b\|c"]), hashed(r"a|email.bounced|b\\\|c"));
    assert_eq!(derive(&EMAIL_BOUNCED, &["", ""]), hashed("|email.bounced|"));
}

#[test]
fn own_ids_have_a_narrow_grammar() {
    let long = "x".repeat(65);
    for id in ["", "a b", "a.b", "ä", "a\n", "a\0", long.as_str()] {
        assert_eq!(EventId::parse(id).expect_err(id).code, "id.syntax");
    }
    for id in ["a", "order-7_B", &long[1..]] {
        assert_eq!(id.parse::<EventId>().expect(id).to_string(), id);
    }
}

/// Few letters and both delimiters, so that clashes would be frequent if the escaping allowed them.
fn parts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(r"[ab|\\]{0,3}", 1..4)
}

proptest! {
    #[test]
    fn different_keys_never_share_an_id(keys in prop::collection::vec(parts(), 2..40)) {
        let mut seen: HashMap<EventId, Vec<String>> = HashMap::new();
        for key in keys {
            let id = EventId::derive(&EMAIL_RECEIVED, &key).expect("a key with parts");
            if let Some(earlier) = seen.insert(id, key.clone()) {
                prop_assert_eq!(earlier, key);
            }
        }
    }

    #[test]
    fn a_key_gives_the_same_id_each_time(key in prop::collection::vec(any::<String>(), 1..5)) {
        let id = EventId::derive(&EMAIL_RECEIVED, &key).expect("a key with parts");
        prop_assert_eq!(&EventId::derive(&EMAIL_RECEIVED, &key).expect("a key with parts"), &id);
        prop_assert_ne!(&EventId::derive(&EMAIL_BOUNCED, &key).expect("a key with parts"), &id);
        prop_assert_eq!(&EventId::parse(id.as_str()).expect("a derived id is valid"), &id);
    }

    #[test]
    fn parsing_a_type_accepts_exactly_the_grammar(name in r"[a.Z9_\- ]{0,6}") {
        let words = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let valid = name.split('.').all(|word| !word.is_empty() && word.chars().all(words));
        prop_assert_eq!(EventType::parse(name.clone()).is_ok(), valid, "{}", name);
    }
}
