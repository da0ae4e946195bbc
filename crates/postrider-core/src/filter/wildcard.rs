//! Texts with `*` for any run of characters, asked in one walk over the text.
//!
//! Only `*` exists, so the leftmost place of each piece is always the right one: there is nothing to try again, and the time
//! is that of looking for each piece once, whatever the pattern and the text. What looks for a piece is made when the pattern
//! is compiled, and a text that is too short for all pieces together is not looked at.

use memchr::memmem::Finder;

/// How many `*` one pattern may have.
pub(super) const MAX_STARS: usize = 16;
/// A text of fewer bytes is short.
const SHORT: usize = 32;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Wildcard {
    first: Box<str>,
    // Between two `*`, in order; none is empty.
    middle: Box<[Finder<'static>]>,
    // After the last `*`; none where there is no `*`.
    last: Option<Box<str>>,
    // Bytes of all pieces together.
    shortest: usize,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadWildcard {
    TooManyStars,
    TwoStars,
    Escape,
}

impl Wildcard {
    /// Reads a pattern: `*` is any run of characters, also none; `\*` and `\\` are the characters themselves.
    pub(super) fn compile(text: &str) -> Result<Self, BadWildcard> {
        let mut pieces = vec![String::new()];
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '*' if chars.peek() == Some(&'*') => return Err(BadWildcard::TwoStars),
                '*' if pieces.len() > MAX_STARS => return Err(BadWildcard::TooManyStars),
                '*' => pieces.push(String::new()),
                '\\' => match chars.next() {
                    Some(char @ ('*' | '\\')) => pieces.last_mut().map_or((), |p| p.push(char)),
                    _ => return Err(BadWildcard::Escape),
                },
                char => pieces.last_mut().map_or((), |piece| piece.push(char)),
            }
        }
        let mut pieces = pieces.into_iter().map(String::into_boxed_str);
        let first = pieces.next().unwrap_or_default();
        let last = pieces.next_back();
        let middle: Box<[_]> =
            pieces.map(|piece| Finder::new(piece.as_bytes()).into_owned()).collect();
        let between: usize = middle.iter().map(|piece| piece.needle().len()).sum();
        let shortest = first.len() + between + last.as_ref().map_or(0, |last| last.len());
        Ok(Self { first, middle, last, shortest })
    }

    /// Whether the whole text has this form. Allocates nothing.
    pub(super) fn matches(&self, text: &str) -> bool {
        if text.len() < self.shortest {
            return false;
        }
        let Some(rest) = without(text.as_bytes(), &self.first, <[u8]>::strip_prefix) else {
            return false;
        };
        let Some(last) = &self.last else { return rest.is_empty() };
        let Some(mut rest) = without(rest, last, <[u8]>::strip_suffix) else { return false };
        for piece in &self.middle {
            let Some(place) = find(piece, rest) else { return false };
            rest = &rest[place + piece.needle().len()..];
        }
        true
    }
}

/// The text without what it begins or ends with. An empty piece is not compared, see [`super::rule`].
fn without<'t>(
    text: &'t [u8],
    piece: &str,
    strip: impl Fn(&'t [u8], &[u8]) -> Option<&'t [u8]>,
) -> Option<&'t [u8]> {
    if piece.is_empty() { Some(text) } else { strip(text, piece.as_bytes()) }
}

/// The first place of a piece. In a short text it is quicker to try each place than to begin a search.
fn find(piece: &Finder<'_>, text: &[u8]) -> Option<usize> {
    let needle = piece.needle();
    match text.len() {
        ..SHORT => text.windows(needle.len()).position(|place| place == needle),
        _ => piece.find(text),
    }
}

impl BadWildcard {
    /// What is wrong, for a person.
    pub(super) fn detail(self) -> String {
        match self {
            Self::TooManyStars => format!("has more than {MAX_STARS} *"),
            Self::TwoStars => "has two * in a row, which mean no more than one".to_owned(),
            Self::Escape => "has a \\ that is followed by neither * nor \\".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("*", "", true),
            ("*", "añ\n", true),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*ab", "aab", true),
            ("ab*", "aba", true),
            ("*b*", "abc", true),
            ("*b*", "acd", false),
            ("a*b*c", "a--b--b--c", true),
            ("a*bc*c", "abc", false),
            ("a*bc*c", "abcc", true),
            ("*.png", "a.png.png", true),
            ("*.png", "a.PNG", false),
            (r"\*", "*", true),
            (r"\*", "x", false),
            (r"\\*", r"\x", true),
            ("é*é", "éé", true),
        ] {
            let wildcard = Wildcard::compile(pattern).unwrap();
            assert_eq!(wildcard.matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (pattern, expected) in [
            ("a**b", BadWildcard::TwoStars),
            (r"a\b", BadWildcard::Escape),
            (r"a\", BadWildcard::Escape),
            (&"*a".repeat(17), BadWildcard::TooManyStars),
        ] {
            assert_eq!(Wildcard::compile(pattern).unwrap_err(), expected, "{pattern}");
        }
        assert!(Wildcard::compile(&"*a".repeat(16)).is_ok());
    }

    #[test]
    fn a_hostile_pair_of_pattern_and_text_takes_no_time() {
        let wildcard = Wildcard::compile(&format!("{}b", "*aaaaaaaaaaaaaaaa".repeat(16))).unwrap();
        let text = "a".repeat(1 << 20);
        let started = Instant::now();
        assert!(!wildcard.matches(&format!("{text}c")) && !wildcard.matches(&text));
        let inside = Wildcard::compile(&format!("{}*", "*aaaaaaaaaaaaaaab".repeat(15))).unwrap();
        assert!(!inside.matches(&text));
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
}
