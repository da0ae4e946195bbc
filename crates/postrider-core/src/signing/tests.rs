use std::time::Duration;

use jiff::Timestamp;

use super::*;

const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIMESTAMP: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;

/// The secret and signature that the specification's own libraries publish.
const PUBLISHED_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PUBLISHED_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn secret(byte: u8) -> Secret {
    Secret::generate(&[byte; 32])
}

fn code(text: &str) -> &'static str {
    Secret::parse(text).map_or_else(|error| error.code, |_| "ok")
}

fn check(secrets: &[Secret], header: &str, now: i64) -> Result<(), VerifyError> {
    let now = Timestamp::from_second(now).expect("a time within range");
    verify(secrets, ID, &TIMESTAMP.to_string(), header, BODY, now, Duration::from_secs(300))
}

#[test]
fn the_published_vector_is_reproduced() {
    let secret = Secret::parse(PUBLISHED_SECRET).unwrap();
    let signer = Signer::new(std::slice::from_ref(&secret));
    assert_eq!(signer.sign(ID, TIMESTAMP, BODY), PUBLISHED_SIGNATURE);
    assert_eq!(check(&[secret], PUBLISHED_SIGNATURE, TIMESTAMP), Ok(()));
}

#[test]
fn every_live_secret_signs_with_one_space_between() {
    let header = Signer::new(&[secret(1), secret(2)]).sign(ID, TIMESTAMP, BODY);
    let parts: Vec<_> = header.split(' ').collect();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0], Signer::new(&[secret(1)]).sign(ID, TIMESTAMP, BODY));
    assert_eq!(parts[1], Signer::new(&[secret(2)]).sign(ID, TIMESTAMP, BODY));
    assert_eq!(check(&[secret(1)], &header, TIMESTAMP), Ok(()));
    assert_eq!(check(&[secret(2)], &header, TIMESTAMP), Ok(()));
    assert_eq!(check(&[secret(9), secret(2)], &header, TIMESTAMP), Ok(()));
    assert_eq!(check(&[secret(3)], &header, TIMESTAMP), Err(VerifyError::Mismatch));
    assert_eq!(Signer::new(&[]).sign(ID, TIMESTAMP, BODY), "");
}

#[test]
fn secrets_are_read_strictly() {
    let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
    for (text, expected) in [
        (of(24), "ok"),
        (of(25), "ok"),
        (of(32), "ok"),
        (of(64), "ok"),
        (of(0), "secret.length"),
        (of(23), "secret.length"),
        (of(65), "secret.length"),
        (of(1_000_000), "secret.length"),
        (of(32).trim_end_matches('=').to_owned(), "secret.encoding"),
        (format!("{}=", of(32)), "secret.encoding"),
        (format!(" {}", of(32)), "secret.prefix"),
        (format!("{} ", of(32)), "secret.encoding"),
        (of(32).replace("whsec_", "WHSEC_"), "secret.prefix"),
        // The last character carries bits that no byte uses.
        (of(25).replace("Bw==", "Bx=="), "secret.encoding"),
        (format!("whsec_{}", "-".repeat(1000)), "secret.encoding"),
        (String::new(), "secret.prefix"),
    ] {
        assert_eq!(code(&text), expected, "{:?}", text.get(..40).unwrap_or(&text));
    }
}

#[test]
fn an_exposed_secret_reads_back_and_a_shown_one_does_not_leak() {
    let secret = secret(0x5a);
    let text = secret.expose();
    assert_eq!(Secret::parse(&text).unwrap().bytes(), secret.bytes());
    let key = &text[PREFIX.len()..];
    let signer = Signer::new(std::slice::from_ref(&secret));
    for shown in [format!("{secret:?}"), format!("{signer:?}")] {
        assert!(!shown.contains(key) && !shown.contains("90, 90"), "{shown}");
    }
    let error = Secret::parse(&text[..20]).unwrap_err();
    assert!(!error.to_string().contains(&key[..10]), "{error}");
}

#[test]
fn verify_says_what_is_wrong() {
    let secrets = [secret(1)];
    let header = Signer::new(&secrets).sign(ID, TIMESTAMP, BODY);
    assert_eq!(check(&[], &header, TIMESTAMP), Err(VerifyError::NoSecret));
    assert_eq!(check(&secrets, &header, TIMESTAMP + 300), Ok(()));
    assert_eq!(check(&secrets, &header, TIMESTAMP - 300), Ok(()));
    assert_eq!(
        check(&secrets, &header, TIMESTAMP + 301),
        Err(VerifyError::TooOld { seconds: 301 })
    );
    assert_eq!(
        check(&secrets, &header, TIMESTAMP - 301),
        Err(VerifyError::TooNew { seconds: 301 })
    );
    for header in ["", "v1", "v1,", "v1,AAAA", "v1a,AAAA", "v2,AAAA", &header.replace("v1,", "v1=")]
    {
        assert_eq!(check(&secrets, header, TIMESTAMP), Err(VerifyError::NoSignature), "{header:?}");
    }
    let forged = format!("v1,{}", STANDARD.encode([0; 32]));
    assert_eq!(check(&secrets, &forged, TIMESTAMP), Err(VerifyError::Mismatch));
    assert_eq!(check(&secrets, &format!("{forged} v1a,xyz {header}"), TIMESTAMP), Ok(()));
}

#[test]
fn id_timestamp_and_body_are_all_signed() {
    let secrets = [secret(1)];
    let header = Signer::new(&secrets).sign(ID, TIMESTAMP, BODY);
    let now = Timestamp::from_second(TIMESTAMP).unwrap();
    let check = |id: &str, timestamp: &str, body: &[u8]| {
        verify(&secrets, id, timestamp, &header, body, now, Duration::from_secs(300))
    };
    assert_eq!(check(ID, "1614265330", BODY), Ok(()));
    assert_eq!(check("msg_other", "1614265330", BODY), Err(VerifyError::Mismatch));
    assert_eq!(check(ID, "1614265331", BODY), Err(VerifyError::Mismatch));
    assert_eq!(check(ID, "1614265330", b"{}"), Err(VerifyError::Mismatch));
    for timestamp in
        ["", "now", "1614265330.0", "+1614265330", " 1614265330", "99999999999999999999"]
    {
        assert_eq!(check(ID, timestamp, BODY), Err(VerifyError::Timestamp), "{timestamp:?}");
    }
}

#[test]
fn prepared_keys_are_wiped() {
    fn wiped_when_dropped<T: zeroize::ZeroizeOnDrop>() {}
    // An HMAC is a pair of these states; the type itself does not carry the marker.
    wiped_when_dropped::<Sha256>();
    wiped_when_dropped::<chacha20poly1305::XChaCha20Poly1305>();
}
