//! Twenty messages as they come out of real mail systems: well made, odd, and broken.
//! They are compiled in, so that a demo needs no folder. Number 11 is number 01 once more, by another way.

macro_rules! samples {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../samples/", $name)))),+]
    };
}

/// The sample messages, as (file name, raw bytes), in the order of their names.
pub fn samples() -> &'static [(&'static str, &'static [u8])] {
    samples![
        "01-plain.eml",
        "02-alternative.eml",
        "03-attachments.eml",
        "04-nested.eml",
        "05-encoded-words.eml",
        "06-utf8-headers.eml",
        "07-latin1.eml",
        "08-quoted-printable.eml",
        "09-folded-headers.eml",
        "10-no-message-id.eml",
        "11-same-message-again.eml",
        "12-no-closing-boundary.eml",
        "13-broken-base64.eml",
        "14-no-body.eml",
        "15-huge-header.eml",
        "16-calendar-invite.eml",
        "17-delivery-status.eml",
        "18-mailing-list.eml",
        "19-emoji-subject.eml",
        "20-mixed-line-ends.eml",
    ]
}
