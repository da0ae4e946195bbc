//! Receivers that send our own secrets back: pages that show the request they got, debugging endpoints, proxies' errors.
//!
//! What is kept of an answer is stored unsealed and shown, so the values of sensitive headers are taken out of it first:
//! as they were sent, as JSON and form fields write them, and a login's parts by themselves. [`crate::client`] asks for it where
//! something is kept; an endpoint without such headers pays nothing.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use memchr::memmem;
use zeroize::Zeroizing;

use crate::oauth::encoded;

/// What stands where a secret was.
const REDACTED: &[u8] = b"[redacted]";
/// Shorter values are left: they are words such as `true`, and no secrets.
const SHORTEST: usize = 6;
/// A secret that is cut by the end of what is kept is known by so many bytes.
const PART: usize = 8;
/// Headers that speak to us; nothing in them is kept that is not read.
const INSTRUCTIONS: [&str; 2] = ["retry-after", "webhook-delivery"];

/// The sensitive values of one request, whether they are a login.
#[derive(Default)]
pub(crate) struct Secrets(Vec<(HeaderValue, bool)>);

impl Secrets {
    /// Those of a request with these headers. Shares them; allocates only if there are some.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let sensitive = headers.iter().filter(|(_, value)| value.is_sensitive());
        Self(sensitive.map(|(name, value)| (value.clone(), *name == AUTHORIZATION)).collect())
    }

    /// The same without what `body` holds: an answer that names what was in the request's body echoes that.
    pub(crate) fn not_in(mut self, body: &[u8]) -> Self {
        self.0.retain(|(value, _)| memmem::find(body, value.as_bytes()).is_none());
        self
    }

    /// Takes them out of what is kept of an answer.
    pub(crate) fn redact(&self, headers: &mut [(String, Vec<u8>)], body: &mut Vec<u8>) {
        if self.0.is_empty() || headers.is_empty() && body.is_empty() {
            return;
        }
        let mut forms = self.forms();
        // The longest first, so that nothing is left of one of which another is a part.
        forms.sort_unstable_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        for form in &forms {
            take_out(form, body);
            for (name, value) in headers.iter_mut() {
                if !INSTRUCTIONS.contains(&name.as_str()) {
                    take_out(form, value);
                }
            }
        }
    }

    /// Each way in which a secret may be written.
    fn forms(&self) -> Vec<Zeroizing<Vec<u8>>> {
        let mut forms = Vec::new();
        let mut add = |secret: &str| {
            if secret.len() < SHORTEST {
                return;
            }
            let json = secret.replace('\\', "\\\\").replace('"', "\\\"");
            let slashes = json.replace('/', "\\/");
            for form in [secret.to_owned(), json, slashes, encoded(secret)] {
                forms.push(Zeroizing::new(form.into_bytes()));
            }
        };
        for (value, is_login) in &self.0 {
            let Ok(text) = value.to_str() else { continue };
            add(text);
            let Some((scheme, login)) = text.split_once(' ').filter(|_| *is_login) else {
                continue;
            };
            add(login);
            if scheme == "Basic"
                && let Ok(pair) = STANDARD.decode(login).map(Zeroizing::new)
                && let Ok(pair) = std::str::from_utf8(&pair)
            {
                add(pair);
                add(pair.split_once(':').map_or("", |(_, password)| password));
            }
        }
        forms
    }
}

/// Replaces every place of the secret, and cuts off a beginning of it at the end.
fn take_out(secret: &[u8], text: &mut Vec<u8>) {
    if let Cow::Owned(without) = without(secret, text) {
        *text = without;
    }
    let longest = text.len().min(secret.len().saturating_sub(1));
    if let Some(part) = (PART..=longest).rev().find(|part| text.ends_with(&secret[..*part])) {
        text.truncate(text.len() - part);
        text.extend_from_slice(REDACTED);
    }
}

fn without<'t>(secret: &[u8], text: &'t [u8]) -> Cow<'t, [u8]> {
    let mut places = memmem::find_iter(text, secret).peekable();
    if places.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut from) = (Vec::with_capacity(text.len()), 0);
    for place in places {
        out.extend_from_slice(&text[from..place]);
        out.extend_from_slice(REDACTED);
        from = place + secret.len();
    }
    out.extend_from_slice(&text[from..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&'static str, &str)]) -> Secrets {
        let mut headers = HeaderMap::new();
        headers.insert("x-plain", HeaderValue::from_static("not a secret"));
        for (name, value) in pairs {
            let mut value = HeaderValue::from_str(value).unwrap();
            value.set_sensitive(true);
            headers.append(*name, value);
        }
        Secrets::of(&headers)
    }

    fn redacted(secrets: &Secrets, text: &str) -> String {
        let mut body = text.as_bytes().to_vec();
        let mut headers = [("x".to_owned(), body.clone())];
        secrets.redact(&mut headers, &mut body);
        assert_eq!(headers[0].1, body);
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn a_secret_is_taken_out_however_it_is_written() {
        let basic = format!("Basic {}", STANDARD.encode("user:pass/w\"rd"));
        let own = secrets(&[("x-key", "k/e\"y-canary"), ("authorization", &basic)]);
        for echo in [
            r#"k/e"y-canary"#.to_owned(),
            r#"k/e\"y-canary"#.to_owned(),
            r#"k\/e\"y-canary"#.to_owned(),
            "k%2Fe%22y-canary".to_owned(),
            basic.clone(),
            basic["Basic ".len()..].to_owned(),
            r#"user:pass/w"rd"#.to_owned(),
            r#"pass\/w\"rd"#.to_owned(),
        ] {
            let text = format!("<{echo}> and {echo}, not a secret");
            assert_eq!(
                redacted(&own, &text),
                "<[redacted]> and [redacted], not a secret",
                "{echo}"
            );
        }
        let bearer = secrets(&[("authorization", "Bearer token-canary")]);
        assert_eq!(redacted(&bearer, "token-canary"), "[redacted]");
        // Cut by the end of what is kept.
        assert_eq!(redacted(&bearer, "it was token-ca"), "it was [redacted]");
        assert_eq!(redacted(&bearer, "it was token"), "it was token");
    }

    #[test]
    fn words_and_instructions_and_what_the_body_held_stay() {
        let own = secrets(&[("x-team", "blue"), ("x-env", "production")]);
        assert_eq!(redacted(&own, "blue production"), "blue [redacted]");
        let own = own.not_in(br#"{"id":"production-17"}"#);
        assert_eq!(redacted(&own, "production-17"), "production-17");
        let own = secrets(&[("x-until", "120000"), ("x-both", "120000-120000")]);
        let mut headers = ["retry-after", "x"].map(|name| (name.to_owned(), b"120000".to_vec()));
        own.redact(&mut headers, &mut Vec::new());
        assert_eq!(headers.map(|(_, value)| value), [b"120000".to_vec(), REDACTED.to_vec()]);
        assert!(Secrets::of(&HeaderMap::new()).0.is_empty());
    }
}
