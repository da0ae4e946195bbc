//! Names for a language from names of JSON: of its letters, none of its words, and each once.

use std::collections::HashSet;

/// Names that are taken.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// This name, or with a number behind it if it is taken.
    pub(super) fn take(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|number| format!("{wanted}{number}"));
        let free =
            std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !self.0.contains(name));
        let free = free.unwrap_or_default();
        self.0.insert(free.clone());
        free
    }
}

/// As a type is named: `user.signed_up` is `UserSignedUp`.
pub(super) fn pascal(text: &str) -> String {
    let mut out = String::new();
    for word in words(text) {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    begun(&out, "V")
}

/// As a field is named: `userId` is `user_id`.
pub(super) fn snake(text: &str) -> String {
    let words: Vec<String> = words(text).iter().map(|word| word.to_ascii_lowercase()).collect();
    begun(&words.join("_"), "v")
}

/// As a constant is named: `user.signed_up` is `USER_SIGNED_UP`.
pub(super) fn constant(text: &str) -> String {
    begun(&snake(text).to_ascii_uppercase(), "V")
}

/// No name begins with a digit, and none is empty.
fn begun(text: &str, letter: &str) -> String {
    match text.chars().next() {
        None => format!("{letter}alue"),
        Some(first) if first.is_ascii_digit() => format!("{letter}{text}"),
        Some(_) => text.to_owned(),
    }
}

/// Its words: parted by what is no letter or digit, and where a capital follows a small letter.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for letter in text.chars() {
        let ends = !before.is_ascii_alphanumeric();
        let humps =
            letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        if letter.is_ascii_alphanumeric() {
            match words.last_mut() {
                Some(word) if !ends && !humps => word.push(letter),
                _ => words.push(letter.to_string()),
            }
        }
        before = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_a_languages_letters() {
        for (text, type_name, field, constant_name) in [
            ("user.signed_up", "UserSignedUp", "user_signed_up", "USER_SIGNED_UP"),
            ("userId", "UserId", "user_id", "USER_ID"),
            ("HTTPCode", "HTTPCode", "httpcode", "HTTPCODE"),
            ("x-request/id", "XRequestId", "x_request_id", "X_REQUEST_ID"),
            ("2fa", "V2fa", "v2fa", "V2FA"),
            ("", "Value", "value", "VALUE"),
            ("größe", "GrE", "gr_e", "GR_E"),
        ] {
            assert_eq!(
                (pascal(text), snake(text), constant(text)),
                (type_name.into(), field.into(), constant_name.into())
            );
        }
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut names = Names::default();
        assert_eq!(["a", "a", "a2", "a"].map(|name| names.take(name)), ["a", "a2", "a22", "a3"]);
    }
}
