use serde_json::{Value, json};

use super::*;
use crate::headers::CustomHeaders;

const VECTOR: &str = include_str!("../../tests/e2a-signing-vector.json");

fn secret(byte: u8) -> SigningSecret {
    SigningSecret::generate(SecretKind::Standard, &[byte; 32])
}

fn opaque(text: &str) -> SigningSecret {
    SigningSecret::parse(SecretKind::Opaque, text).unwrap()
}

fn profiles(texts: &[&str]) -> Vec<Profile> {
    texts.iter().map(|text| Profile::parse(text).unwrap()).collect()
}

fn header(
    secrets: &[SigningSecret],
    profile: &str,
    timestamp: i64,
    body: &[u8],
) -> (String, String) {
    let signer = Signer::with_profiles(secrets, &profiles(&[profile]));
    let (name, value) = signer.profile_headers(timestamp, body).next().expect("a header");
    (name.to_string(), value.to_str().unwrap().to_owned())
}

#[test]
fn e2as_vector_is_reproduced_with_one_secret_and_with_two() {
    let vector: Value = serde_json::from_str(VECTOR).unwrap();
    let text = |name: &str| vector[name].as_str().unwrap();
    let (timestamp, body) = (vector["timestamp"].as_i64().unwrap(), text("body").as_bytes());
    let (current, previous) = (opaque(text("current_secret")), opaque(text("previous_secret")));
    let profile = "stripe=X-E2A-Signature";
    let single = header(std::slice::from_ref(&current), profile, timestamp, body);
    assert_eq!(single, ("x-e2a-signature".to_owned(), text("single_header").to_owned()));
    let dual = header(&[current, previous], profile, timestamp, body);
    assert_eq!(dual.1, text("dual_header"));
}

#[test]
fn each_profile_has_its_form_and_the_newest_secret_signs_where_there_is_room_for_one() {
    // `printf '{"a":1}' | openssl dgst -sha256 -hmac 'a secret of old times'`
    const HEX: &str = "4fe0426f2e5d26166408a49fdf314a74629fbdb015b2e3bd7fa9f86433082a2f";
    let secrets = [opaque("a secret of old times"), secret(2)];
    let of = |profile: &str| header(&secrets, profile, 1_700_000_000, br#"{"a":1}"#);
    let pair = |name: &str, value: String| (name.to_owned(), value);
    assert_eq!(of("github"), pair("x-hub-signature-256", format!("sha256={HEX}")));
    assert_eq!(of("hmac-hex=X-Sig"), pair("x-sig", HEX.to_owned()));
    assert_eq!(of("shared-secret"), pair("x-webhook-secret", "a secret of old times".to_owned()));
    assert_eq!(of("stripe").0, "stripe-signature");
    assert_eq!(of("stripe").1.matches(",v1=").count(), 2);
}

#[test]
fn profiles_stand_side_by_side_and_read_back() {
    let all =
        profiles(&["stripe=X-E2A-Signature", "github", "hmac-hex=X-Sig", "shared-secret=X-Key"]);
    let stored = Profile::list_to_json(&all);
    assert_eq!(stored[0], json!({ "profile": "stripe", "header": "x-e2a-signature" }));
    assert_eq!(Profile::list_from_json(&stored).unwrap(), all);
    let signer = Signer::with_profiles(&[secret(1)], &all);
    assert_eq!(signer.profile_headers(1, b"{}").count(), 4);
    assert!(signer.sign("evt_1", 1, b"{}").starts_with("v1,"));
}

#[test]
fn profiles_are_refused_with_their_codes() {
    for (text, code) in [
        ("", "signing.profile"),
        ("Stripe", "signing.profile"),
        ("hmac-hex", "signing.header"),
        ("shared-secret=Authorization", "signing.header"),
        ("stripe=", "header.name"),
        ("stripe=webhook-signature", "header.reserved"),
        ("github=Host", "header.reserved"),
        ("github=a b", "header.name"),
    ] {
        assert_eq!(Profile::parse(text).unwrap_err().code, code, "{text}");
    }
    let twice = profiles(&["hmac-hex=X-A", "stripe=x-a"]);
    assert_eq!(Profile::checked_list(twice).unwrap_err().code, "signing.duplicate");
}

#[test]
fn an_opaque_secret_signs_profiles_alone() {
    let signer = Signer::with_profiles(&[opaque("sixteen letters!")], &profiles(&["github"]));
    assert_eq!(signer.sign("evt_1", 1, b"{}"), "");
    assert_eq!(signer.profile_headers(1, b"{}").count(), 1);
    let key = SigningSecret::generate(SecretKind::Ed25519, &[1; 32]);
    let asymmetric = Signer::with_profiles(&[key], &profiles(&["github", "shared-secret"]));
    assert_eq!(asymmetric.profile_headers(1, b"{}").count(), 0, "nothing that receivers know");
}

#[test]
fn ed25519_stands_beside_hmac_and_its_public_key_verifies() {
    let key = SigningSecret::generate(SecretKind::Ed25519, &[7; 32]);
    let signer = Signer::with_profiles(&[secret(1), key.clone()], &[]);
    let text = signer.sign("evt_1", 1_700_000_000, b"{}");
    let parts: Vec<&str> = text.split(' ').collect();
    assert_eq!(parts.len(), 2);
    let public = Ed25519Public::parse(&key.public_key().unwrap()).unwrap();
    let signature = parts[1].strip_prefix("v1a,").unwrap();
    assert!(public.verifies(signature, "evt_1", 1_700_000_000, b"{}"));
    assert!(!public.verifies(signature, "evt_1", 1_700_000_001, b"{}"));
    assert!(!public.verifies(signature, "evt_1", 1_700_000_000, b"{ }"));
    assert!(!public.verifies("AAAA", "evt_1", 1_700_000_000, b"{}"));
}

#[test]
fn rfc_8032s_first_key_pair_is_read_in_both_lengths() {
    let seed =
        hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
    let public =
        hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
    let short = format!("whsk_{}", STANDARD.encode(&seed));
    let long = format!("whsk_{}", STANDARD.encode([&seed[..], &public].concat()));
    for text in [&short, &long] {
        let secret = Ed25519Secret::parse(text).unwrap();
        assert_eq!(secret.public().to_string(), format!("whpk_{}", STANDARD.encode(&public)));
        assert_eq!(*secret.expose(), long);
    }
}

#[test]
fn secrets_of_every_kind_are_read_strictly() {
    let whsk = |bytes: &[u8]| format!("whsk_{}", STANDARD.encode(bytes));
    let (ed25519, opaque) = (SecretKind::Ed25519, SecretKind::Opaque);
    for (kind, text, code) in [
        (ed25519, whsk(&[1; 31]), "secret.length"),
        (ed25519, whsk(&[1; 33]), "secret.length"),
        (ed25519, whsk(&[1; 64]), "secret.pair"),
        (ed25519, "whsk_-".to_owned(), "secret.encoding"),
        (ed25519, secret(1).expose().to_string(), "secret.prefix"),
        (opaque, "x".repeat(15), "secret.opaque"),
        (opaque, "x".repeat(257), "secret.opaque"),
        (opaque, format!(" {}", "x".repeat(20)), "secret.opaque"),
        (opaque, format!("{}é", "x".repeat(20)), "secret.opaque"),
        (opaque, format!("{}\n", "x".repeat(20)), "secret.opaque"),
    ] {
        assert_eq!(SigningSecret::parse(kind, &text).unwrap_err().code, code, "{kind} {text:?}");
    }
    for text in ["x".repeat(16), "a b".repeat(60), "x".repeat(256)] {
        assert!(SigningSecret::parse(opaque, &text).is_ok());
    }
}

#[test]
fn a_kind_is_known_by_what_is_stored_of_it() {
    for kind in SecretKind::ALL {
        assert_eq!(SecretKind::of(kind.algorithm(), kind.encoding()), Some(*kind));
        assert_eq!(kind.as_str().parse(), Ok(*kind));
        let made = SigningSecret::generate(*kind, &[3; 32]);
        let again = SigningSecret::parse(*kind, &made.expose()).unwrap();
        assert_eq!((again.kind(), again.expose()), (*kind, made.expose()));
    }
    assert_eq!(SecretKind::of("v1a", "opaque"), None);
}

#[test]
fn no_debug_text_shows_a_secret() {
    let opaque = opaque("canary-canary-canary");
    let key = SigningSecret::generate(SecretKind::Ed25519, &[0x5a; 32]);
    let signer = Signer::with_profiles(
        &[opaque.clone(), key.clone()],
        &profiles(&["shared-secret", "github"]),
    );
    let (_, value) = signer.profile_headers(1, b"{}").next().unwrap();
    let texts = format!("{opaque:?} {key:?} {signer:?} {value:?}");
    assert!(
        !texts.contains("canary") && !texts.contains("90, 90") && !texts.contains("5a5a"),
        "{texts}"
    );
    let error = SigningSecret::parse(SecretKind::Opaque, "canary").unwrap_err();
    assert!(!error.to_string().contains("canary"));
}

#[test]
fn a_profile_and_an_own_header_are_not_one() {
    let own = CustomHeaders::parse(&[("X-Token", "t")]).unwrap();
    let refused = Profile::check_apart(&profiles(&["github", "shared-secret=x-token"]), &own);
    assert_eq!(refused.unwrap_err().code, "signing.duplicate");
    assert!(Profile::check_apart(&profiles(&["github"]), &own).is_ok());
}
