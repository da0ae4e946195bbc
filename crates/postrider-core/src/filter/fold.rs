//! Texts compared without regard to case: character by character in lower case, as Unicode maps each, without a copy.

/// The form in which a wanted text is kept.
pub(super) fn folded(text: &str) -> Box<str> {
    lower(text).collect::<String>().into()
}

/// Whether the text is the folded one.
pub(super) fn is_equal(folded: &str, text: &str) -> bool {
    lower(text).eq(folded.chars())
}

/// Whether the text begins with the folded one.
pub(super) fn has_prefix(folded: &str, text: &str) -> bool {
    let mut chars = lower(text);
    folded.chars().all(|char| chars.next() == Some(char))
}

/// Whether the text ends with the folded one.
pub(super) fn has_suffix(folded: &str, text: &str) -> bool {
    let mut chars = lower(text).rev();
    folded.chars().rev().all(|char| chars.next() == Some(char))
}

fn lower(text: &str) -> impl DoubleEndedIterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_count_in_any_script() {
        assert!(is_equal(&folded("Straße"), "STRAßE"));
        assert!(is_equal(&folded("ΣΊΣΥΦΟΣ"), "σίσυφοσ"));
        assert!(!is_equal(&folded("abc"), "ab") && !is_equal(&folded("ab"), "abc"));
        assert!(has_prefix(&folded("ÉT"), "été") && !has_prefix(&folded("été"), "ét"));
        assert!(has_suffix(&folded(".PNG"), "a.Png") && !has_suffix(&folded("a.png"), ".png"));
        assert!(has_prefix("", "") && has_suffix("", "x"));
    }
}
