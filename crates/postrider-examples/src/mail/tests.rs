use super::*;

fn sample(name: &str) -> Mail {
    let (_, raw) = crate::samples().iter().find(|(file, _)| *file == name).expect("a sample");
    Mail::parse(raw).expect("samples have headers")
}

#[test]
fn every_sample_is_read_as_a_person_would_read_it() {
    // file, sender, subject, start of the text, attachments, labels
    type Row =
        (&'static str, &'static str, &'static str, &'static str, usize, &'static [&'static str]);
    let expected: &[Row] = &[
        (
            "01-plain.eml",
            "ada@engine.example",
            "The difference engine does not start",
            "Hello,",
            0,
            &[],
        ),
        (
            "02-alternative.eml",
            "news@harbour.example",
            "Three ships are expected on Friday",
            "High water",
            0,
            &[],
        ),
        (
            "03-attachments.eml",
            "orders@chandler.example",
            "Invoice 2026-1187",
            "Your invoice",
            2,
            &["attachment"],
        ),
        (
            "04-nested.eml",
            "mary@observatory.example",
            "Fwd: the plates of last night",
            "Plate 3",
            2,
            &["attachment"],
        ),
        (
            "05-encoded-words.eml",
            "andre@coil.example",
            "Réunion du comité – salle électrique",
            "La réunion",
            0,
            &[],
        ),
        (
            "06-utf8-headers.eml",
            "пётр@почта.example",
            "Ответ на Ваше письмо – 返信",
            "The headers",
            0,
            &[],
        ),
        ("07-latin1.eml", "lars@fjord.example", "Spørgsmål", "Hvornår åbner", 0, &[]),
        (
            "08-quoted-printable.eml",
            "bertha@motor.example",
            "106 km on one tank",
            "Die Fahrt",
            0,
            &[],
        ),
        (
            "09-folded-headers.eml",
            "long@folding.example",
            "This subject was folded by a careful relay, twice, once with a tab",
            "Unfold",
            0,
            &[],
        ),
        (
            "10-no-message-id.eml",
            "sensor-7@greenhouse.example",
            "temperature 31.5 C",
            "bed=7",
            0,
            &[],
        ),
        (
            "11-same-message-again.eml",
            "ada@engine.example",
            "The difference engine does not start",
            "Hello,",
            0,
            &[],
        ),
        (
            "12-no-closing-boundary.eml",
            "robert@southpole.example",
            "the connection broke off",
            "The depot",
            1,
            &["attachment"],
        ),
        (
            "13-broken-base64.eml",
            "scanner@office.example",
            "Scan 0042",
            "One page.",
            1,
            &["attachment"],
        ),
        ("14-no-body.eml", "samuel@wire.example", "What hath been left out (the body)", "", 0, &[]),
        (
            "15-huge-header.eml",
            "denis@long.example",
            "A thread of four hundred letters",
            "No header",
            0,
            &[],
        ),
        (
            "16-calendar-invite.eml",
            "calendar@harbour.example",
            "Invitation: Reading the tide table together",
            "Friday",
            1,
            &["attachment", "calendar"],
        ),
        (
            "17-delivery-status.eml",
            "MAILER-DAEMON@mail.inbox.example",
            "Undelivered Mail Returned to Sender",
            "Your message",
            2,
            &["attachment", "bounce"],
        ),
        (
            "18-mailing-list.eml",
            "lewis@map.example",
            "[tides] Re: corrections to sheet 12",
            "> The sounding",
            0,
            &["list", "reply"],
        ),
        (
            "19-emoji-subject.eml",
            "launch@rocket.example",
            "🚀 Lift-off! 👩‍🚀 🇨🇿",
            "🚀 and away",
            0,
            &[],
        ),
        (
            "20-mixed-line-ends.eml",
            "gw@legacy.example",
            "line ends of two worlds",
            "This line",
            0,
            &[],
        ),
    ];
    assert_eq!(expected.len(), crate::samples().len());
    for (file, from, subject, text, attachments, labels) in expected {
        let mail = sample(file);
        assert_eq!(mail.from.as_deref(), Some(*from), "{file}");
        assert_eq!(mail.subject.as_deref(), Some(*subject), "{file}");
        assert!(mail.text.starts_with(text), "{file}: {}", mail.text);
        assert_eq!(mail.attachments.len(), *attachments, "{file}");
        assert_eq!(mail.labels, *labels, "{file}");
        assert!(mail.sent_at().is_some(), "{file}");
    }
}

#[test]
fn a_message_without_an_id_gets_one_from_its_bytes() {
    let mail = sample("10-no-message-id.eml");
    assert_eq!(mail.message_id, format!("{}@sha256.invalid", mail.raw_sha256));
    assert_eq!(mail.message_id, sample("10-no-message-id.eml").message_id);
}

#[test]
fn an_id_that_cannot_be_kept_is_replaced() {
    for id in ["", " ", &"x".repeat(300), "two words@a.example"] {
        let raw = format!("Message-ID: <{id}>\r\nSubject: s\r\n\r\nbody");
        let mail = Mail::parse(raw.as_bytes()).expect("it has headers");
        assert!(!mail.message_id.contains(' ') && mail.message_id.len() <= ID_LIMIT, "{id:?}");
        assert!(!mail.message_id.is_empty(), "{id:?}");
    }
}

#[test]
fn the_same_message_by_another_way_says_the_same() {
    let (first, second) = (sample("01-plain.eml"), sample("11-same-message-again.eml"));
    assert_ne!(first.raw_sha256, second.raw_sha256);
    assert_eq!(json(&first), json(&second));
}

#[test]
fn attachments_have_their_names_types_and_sizes() {
    let attachments = sample("03-attachments.eml").attachments;
    assert_eq!(attachments[0].name.as_deref(), Some("invoice-1187.csv"));
    assert_eq!((attachments[0].content_type.as_str(), attachments[0].bytes), ("text/csv", 68));
    assert_eq!(attachments[1].name.as_deref(), Some("stämpel.png"));
    let nested = sample("04-nested.eml").attachments;
    assert_eq!(nested[1].content_type, "message/rfc822");
}

#[test]
fn a_thread_is_named_by_its_first_message() {
    assert_eq!(sample("15-huge-header.eml").conversation_id, "note.0@long.example");
    assert_eq!(sample("18-mailing-list.eml").conversation_id, "sheet12@map.example");
    assert_eq!(sample("01-plain.eml").conversation_id, sample("01-plain.eml").message_id);
}

#[test]
fn what_is_no_mail_is_refused() {
    for raw in [&b""[..], b"\r\n\r\n", b"\0\0\0\0", b"\x89PNG\r\n\x1a\n", b"just: a\nfew: lines\n"]
    {
        assert_eq!(Mail::parse(raw), Err(NotMail), "{raw:?}");
    }
}

#[test]
fn no_text_holds_what_postgresql_refuses() {
    let raw = b"From: a\0b@x.example\r\nSubject: n\0l =?utf-8?B?AAE=?=\r\nDate: Thu, 99 Foo 2026 77:88:99 +9999\r\n\r\nbo\0dy \xff\xfe";
    let mail = Mail::parse(raw).expect("it has headers");
    assert!(!json(&mail).contains('\0') && !json(&mail).contains("\\u0000"), "{}", json(&mail));
    assert_eq!(mail.date, None);
    assert_eq!(mail.sent_at(), None);
}

#[test]
fn the_summary_stays_small_whatever_the_message() {
    let mut raw = b"To: ".to_vec();
    for n in 0..5_000 {
        raw.extend(format!("person{n}@many.example,\r\n ").bytes());
    }
    raw.extend(b"last@many.example\r\nSubject: ".iter());
    raw.extend("ü".repeat(100_000).bytes());
    raw.extend(b"\r\n\r\n".iter());
    raw.extend("€".repeat(1_000_000).bytes());
    let mail = Mail::parse(&raw).expect("it has headers");
    assert_eq!(mail.to.len(), LIST_LIMIT);
    assert!(json(&mail).len() < 64 * 1024, "{}", json(&mail).len());
}

fn json(mail: &Mail) -> String {
    serde_json::to_string(&mail.summary()).expect("a summary is plain data")
}
