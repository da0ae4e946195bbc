//! Values that may never be shown.

use std::fmt;

use zeroize::Zeroizing;

/// A secret's text. Wiped when dropped; shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(Zeroizing<String>);

impl Hidden {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the one place that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A database URL fit for a message: the password replaced, in each of the places where one can stand.
pub(crate) fn mask_url(url: &str) -> String {
    // Where the scheme is written wrongly, a password is behind it nevertheless.
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    // A password may hold an unescaped @ or /: everything up to the last @ belongs to it.
    let mut masked = match rest.rsplit_once('@').map(|(user, host)| (user.split_once(':'), host)) {
        Some((Some((user, _)), host)) => format!("{scheme}{user}:***@{host}"),
        Some((None, _)) | None => url.to_owned(),
    };
    let mut from = 0;
    while let Some(found) = masked[from..].to_ascii_lowercase().find("password") {
        let after = from + found + "password".len();
        let blanks = masked[after..].len() - masked[after..].trim_start().len();
        from = after;
        if masked[after + blanks..].starts_with('=') {
            let value = after + blanks + 1;
            let end = value_end(&masked[value..]);
            masked.replace_range(value..value + end, "***");
            from = value + 3;
        }
    }
    masked
}

/// How long the value of a `password=` is: quoted, or up to a blank or `&`.
fn value_end(text: &str) -> usize {
    let blanks = text.len() - text.trim_start().len();
    let value = &text[blanks..];
    if let Some(quoted) = value.strip_prefix('\'') {
        let mut escaped = false;
        for (index, letter) in quoted.char_indices() {
            match letter {
                '\'' if !escaped => return blanks + 1 + index + 1,
                '\\' if !escaped => escaped = true,
                _ => escaped = false,
            }
        }
        return text.len();
    }
    blanks + value.find([' ', '&', '\t', '\n']).unwrap_or(value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_masked_wherever_it_stands() {
        for (url, shown) in [
            ("postgres://u:secret@h/db", "postgres://u:***@h/db"),
            ("postgres://u:se@cr/et@h/db", "postgres://u:***@h/db"),
            ("postgres://u@h/db", "postgres://u@h/db"),
            (
                "postgres://h/db?user=u&password=secret&x=1",
                "postgres://h/db?user=u&password=***&x=1",
            ),
            ("host=h password=secret user=u", "host=h password=*** user=u"),
            ("host=h password = 'se cr\\'et' user=u", "host=h password =*** user=u"),
            ("postgres://u:secret@h/db?password=secret", "postgres://u:***@h/db?password=***"),
            ("postgres//u:secret@h/db", "postgres//u:***@h/db"),
            ("postgres:/u:se@cret@h/db", "postgres:***@h/db"),
            ("u:secret@h", "u:***@h"),
            ("host=h user=u@v password=secret", "host=h user=u@v password=***"),
            ("not a url", "not a url"),
        ] {
            assert_eq!(mask_url(url), shown, "{url}");
            assert!(!mask_url(url).contains("secret"));
        }
        assert_eq!(format!("{:?}", Hidden::new("secret")), "***");
    }
}
