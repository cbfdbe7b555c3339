//! 差异, which characters of a value the other side does not have.

/// A value longer than this is compared as a whole.
const CHARS_MAX: usize = 200;

/// A run of characters of a value. `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Whether the other side has other characters here.
    pub(super) differs: bool,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Piece(<masked>, {})", self.differs)
    }
}

/// A value cut into what the value most like it on the other side has too, and what not;
/// where the other side has nothing there is nothing to differ from.
pub(super) fn marked(own: &str, others: &[String]) -> Vec<Piece> {
    let own: Vec<char> = own.chars().collect();
    let found = others.iter().map(|other| shared(&own, &other.chars().collect::<Vec<_>>()));
    let best = found.max_by_key(|shared| shared.iter().filter(|here| **here).count());
    let shared = best.unwrap_or_else(|| vec![true; own.len()]);
    let mut pieces: Vec<Piece> = Vec::new();
    for (sign, shared) in own.iter().zip(shared) {
        match pieces.last_mut().filter(|piece| piece.differs != shared) {
            Some(piece) => piece.text.push(*sign),
            None => pieces.push(Piece { text: sign.to_string(), differs: !shared }),
        }
    }
    pieces
}

/// For each of one's characters, whether it is in a longest common subsequence with the
/// other.
fn shared(own: &[char], other: &[char]) -> Vec<bool> {
    if own == other || own.len() > CHARS_MAX || other.len() > CHARS_MAX {
        return vec![own == other; own.len()];
    }
    // `rows[i][j]`: how long the longest is of what follows `i` and `j`.
    let mut rows = vec![vec![0_usize; other.len() + 1]; own.len() + 1];
    let at = |rows: &Vec<Vec<usize>>, i: usize, j: usize| {
        rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0)
    };
    for (i, a) in own.iter().enumerate().rev() {
        for (j, b) in other.iter().enumerate().rev() {
            let longest = match a == b {
                true => at(&rows, i + 1, j + 1) + 1,
                false => at(&rows, i + 1, j).max(at(&rows, i, j + 1)),
            };
            if let Some(slot) = rows.get_mut(i).and_then(|row| row.get_mut(j)) {
                *slot = longest;
            }
        }
    }
    let mut j = 0;
    let found = own.iter().enumerate().map(|(i, a)| {
        while j < other.len() && other.get(j) != Some(a) && at(&rows, i, j + 1) == at(&rows, i, j) {
            j += 1;
        }
        let here = other.get(j) == Some(a);
        j += usize::from(here);
        here
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What differs stands in brackets.
    fn check(own: &str, others: &[&str], expected: &str) {
        let others: Vec<_> = others.iter().map(|other| (*other).to_owned()).collect();
        let pieces = marked(own, &others).into_iter();
        let shown: String = pieces
            .map(|piece| if piece.differs { format!("[{}]", piece.text) } else { piece.text })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_characters_the_other_side_does_not_have_are_marked() {
        check("王小明", &["王小民"], "王小[明]");
        check("王小民", &["王小明"], "王小[民]");
        check("王小明", &["王小明"], "王小明");
        check("王小明", &["李四"], "[王小明]");
        check("1948-03-15", &["1948-05-13"], "1948-0[3]-1[5]");
        check("13800001111", &["1380001111"], "138000[0]1111");
        check("", &["x"], "");
    }

    #[test]
    fn each_value_is_compared_with_the_one_most_like_it() {
        check("13800001111", &["02187654321", "13800001112"], "1380000111[1]");
        check("人民路8号", &["解放路1号", "人民路8号"], "人民路8号");
    }

    #[test]
    fn where_the_other_side_has_nothing_nothing_differs() {
        check("王小明", &[], "王小明");
    }

    #[test]
    fn what_is_too_long_to_align_differs_as_a_whole() {
        let long = "x".repeat(CHARS_MAX + 1);
        check(&long, &["y"], &format!("[{long}]"));
        check(&long, &[&long], &long);
    }
}
