//! Looks for secrets in text, in every form that a careless line of code may have given them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// A secret that must not be found.
#[derive(Debug, Clone)]
pub(super) struct Canary {
    /// Which kind of secret it is.
    pub(super) kind: &'static str,
    pub(super) text: String,
}

impl Canary {
    pub(super) fn new(kind: &'static str, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// The texts that would give it away: as it is, in hex of both cases, URL-encoded, and in base64 of both alphabets at each
    /// of the three places that it may have in a longer text.
    pub(super) fn forms(&self) -> Vec<String> {
        let bytes = self.text.as_bytes();
        let mut forms = vec![self.text.clone(), hex::encode(bytes), hex::encode_upper(bytes)];
        let kept = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        for upper in [true, false] {
            let escaped = |byte: &u8| match (kept(byte), upper) {
                (true, _) => char::from(*byte).to_string(),
                (false, true) => format!("%{byte:02X}"),
                (false, false) => format!("%{byte:02x}"),
            };
            forms.push(bytes.iter().map(escaped).collect());
        }
        for before in 0..3 {
            let padded = [&vec![0; before], bytes].concat();
            // What depends on the neighbours is cut off: the first group, and the last.
            let (begin, end) = (before.div_ceil(3) * 4, padded.len() / 3 * 4);
            for text in [STANDARD.encode(&padded), URL_SAFE.encode(&padded)] {
                forms.push(text[begin..end].to_owned());
            }
        }
        forms.sort();
        forms.dedup();
        forms
    }

    /// How often it is in a text, in whatever form.
    pub(super) fn found_in(&self, text: &str) -> usize {
        self.forms().iter().map(|form| text.matches(form.as_str()).count()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_found_in_every_form_and_in_the_middle_of_a_longer_text() {
        let canary = Canary::new("x", "ca+na/ry 0123456789?");
        for around in ["", "a", "ab", "user:"] {
            let longer = format!("{around}{}{around}", canary.text);
            for form in [
                longer.clone(),
                hex::encode(&longer),
                hex::encode_upper(&longer),
                STANDARD.encode(&longer),
                URL_SAFE.encode(&longer),
                "x=ca%2Bna%2Fry%200123456789%3F&y".to_owned(),
            ] {
                assert!(canary.found_in(&format!("some log {form} line")) > 0, "{form}");
            }
        }
        assert_eq!(canary.found_in("ca+na/ry 0123456789"), 0);
    }
}
