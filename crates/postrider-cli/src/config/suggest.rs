//! What somebody who made a typing error probably meant.

/// ", did you mean …?" if one of the names is close.
pub(crate) fn suggestion(name: &str, candidates: impl Iterator<Item = String>) -> String {
    let near = candidates.map(|other| (distance(name, &other), other)).min();
    match near {
        Some((distance, other)) if distance <= 3 => format!("; did you mean {other}?"),
        _ => String::new(),
    }
}

/// How many letters must be changed, added or dropped to make one of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}
