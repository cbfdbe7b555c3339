//! "Did you mean": the known name nearest to one nobody knows.

/// The candidate with the fewest changed characters, at most two.
pub(super) fn nearest<'a>(
    text: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(text, candidate), candidate))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters, or at once more than two where lengths differ by more.
fn distance(left: &str, right: &str) -> usize {
    if left.len().abs_diff(right.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (line, one) in left.chars().enumerate() {
        let mut corner = line;
        let mut before = line + 1;
        for (slot, other) in row.iter_mut().skip(1).zip(right.chars()) {
            let changed = corner + usize::from(one != other);
            corner = *slot;
            before = changed.min(before + 1).min(corner + 1);
            *slot = before;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_name() {
        let known = || ["DE02.01.039.00", "DE02.01.040.00", "MZ.person.deceased"].into_iter();
        assert_eq!(nearest("DE02.01.039.0", known()), Some("DE02.01.039.00"));
        assert_eq!(nearest("DE02.01.O40.00", known()), Some("DE02.01.040.00"));
        assert_eq!(nearest("MZ.person.decaesed", known()), Some("MZ.person.deceased"));
        assert_eq!(nearest("DE99.99.999.99", known()), None);
    }
}
