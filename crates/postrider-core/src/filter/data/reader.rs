//! Reads JSON text into a tree, in one walk.
//!
//! The database has accepted the text as JSON, by rules that are wider than those of our JSON library: PostgreSQL lets pass
//! numbers beyond the range of f64, half surrogate pairs and any depth, and the library refuses the whole text for one of
//! them. An event must not miss its endpoints for that, so the walk is ours; texts and numbers are read by the library.

use super::Node;
use crate::filter::Scalar;
use crate::filter::any_of::ValueHash;

/// What nests deeper is passed over.
const MAX_DEPTH: usize = 64;

/// Reads one JSON value; where it is none, says at which byte.
pub(super) fn read(text: &str) -> Result<Node, usize> {
    let mut reader = Reader { text, place: 0 };
    let node = reader.value(0)?;
    reader.white_space();
    if reader.place == text.len() { Ok(node) } else { Err(reader.place) }
}

struct Reader<'a> {
    text: &'a str,
    place: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Node, usize> {
        self.white_space();
        match self.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => self.pass_over(),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(|text| scalar(Scalar::Text(text))),
            Some(_) => self.word(),
            None => Err(self.place),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node, usize> {
        let mut pairs: Vec<(Box<str>, Node)> = Vec::new();
        self.items(b'}', |reader| {
            reader.white_space();
            let key = reader.string()?;
            reader.white_space();
            reader.expect(b':')?;
            pairs.push((key, reader.value(depth + 1)?));
            Ok(())
        })?;
        // The sort keeps equal keys in their order, so the last of them is the first of the reversed list.
        pairs.reverse();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        pairs.dedup_by(|(later, _), (earlier, _)| later == earlier);
        Ok(Node::Object(pairs.into()))
    }

    fn list(&mut self, depth: usize) -> Result<Node, usize> {
        let mut items = Vec::new();
        self.items(b']', |reader| {
            items.push(reader.value(depth + 1)?);
            Ok(())
        })?;
        Ok(Node::List(items.into()))
    }

    /// Reads what stands between brackets, separated by commas.
    fn items(
        &mut self,
        end: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), usize>,
    ) -> Result<(), usize> {
        self.place += 1;
        self.white_space();
        if self.take(end) {
            return Ok(());
        }
        loop {
            item(self)?;
            self.white_space();
            if self.take(end) {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Reads a quoted text.
    fn string(&mut self) -> Result<Box<str>, usize> {
        let start = self.place;
        let end = self.end_of_string()?;
        let inner = &self.text[start + 1..end - 1];
        if !inner.contains('\\') {
            return Ok(inner.into());
        }
        let quoted = &self.text[start..end];
        let read = serde_json::from_str(quoted);
        read.or_else(|_| serde_json::from_str(&without_half_pairs(quoted))).map_err(|_| start)
    }

    /// Passes a quoted text, and says where it ends.
    fn end_of_string(&mut self) -> Result<usize, usize> {
        self.expect(b'"')?;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.place += 2,
                Some(byte) if byte >= b' ' => self.place += 1,
                _ => return Err(self.place),
            }
        }
        self.place += 1;
        Ok(self.place)
    }

    /// Reads a number, true, false or null.
    fn word(&mut self) -> Result<Node, usize> {
        let rest = &self.text.as_bytes()[self.place..];
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let word = &self.text[self.place..self.place + length];
        let is_known = matches!(word, "null" | "true" | "false") || is_number(word);
        let value = Scalar::from_raw(word).ok().filter(|_| is_known).ok_or(self.place)?;
        self.place += length;
        Ok(value.map_or(Node::Nothing, scalar))
    }

    /// Passes an object or a list without looking at what is in it.
    fn pass_over(&mut self) -> Result<Node, usize> {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.end_of_string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return Err(self.place),
            }
            self.place += 1;
            if depth == 0 {
                return Ok(Node::Object(Box::default()));
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.place).copied()
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.place += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.place += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8) -> Result<(), usize> {
        if self.take(byte) { Ok(()) } else { Err(self.place) }
    }
}

fn scalar(value: Scalar) -> Node {
    let hash = ValueHash::of(&value);
    Node::Scalar(value, hash)
}

/// Whether this is a JSON number: Rust reads more as a number than JSON does.
fn is_number(word: &str) -> bool {
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (word, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['-', '+']).unwrap_or(text)))
}

/// The quoted text with `\ufffd` for each half of a surrogate pair that has no other half.
fn without_half_pairs(quoted: &str) -> String {
    let bytes = quoted.as_bytes();
    let unit = |at: usize| -> Option<u16> {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut out = String::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some(found) = rest.find('\\') {
        let at = quoted.len() - rest.len() + found;
        let (first, second) = (unit(at), unit(at + 6));
        let (escape, length) = match (first, second) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => (&quoted[at..at + 12], 12),
            (Some(0xd800..0xe000), _) => ("\\ufffd", 6),
            (Some(_), _) => (&quoted[at..at + 6], 6),
            // The byte after a backslash may begin a longer character in a text that is no JSON.
            (None, _) => (quoted.get(at..at + 2).unwrap_or("\\"), 2),
        };
        out.push_str(&rest[..found]);
        out.push_str(escape);
        rest = quoted.get(at + length..).unwrap_or("");
    }
    out + rest
}

#[cfg(test)]
mod tests;
