//! "Did you mean ...?"

/// The candidate that `word` was most likely meant to be: the same but for case and dashes, a slip
/// or two of the finger away, or begun but not ended. None if nothing comes near.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = normal(word);
    let slips = (word.len() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let normal = normal(candidate);
            let begun = word.len() >= 3 && normal.starts_with(&word);
            let distance = distance(&word, &normal);
            (distance <= slips || begun).then_some((!begun, distance, candidate))
        })
        .min_by_key(|(begun, distance, _)| (*distance, *begun))
        .map(|(_, _, candidate)| candidate)
}

fn normal(word: &str) -> Vec<char> {
    word.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// How many characters must be changed, added, left out or swapped with their neighbour to turn
/// `a` into `b` (optimal string alignment; Damerau, "A technique for computer detection and
/// correction of spelling errors", 1964).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = rows[i][j] + usize::from(x != y);
            let mut best = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    const POLICIES: [&str; 4] = ["round_robin", "least_conn", "random", "hash"];

    #[test]
    fn a_slip_of_the_finger_is_seen() {
        for word in ["least_con", "leastconn", "laest_conn", "Least-Conn", "least_comm", "least"] {
            assert_eq!(did_you_mean(word, POLICIES), Some("least_conn"), "{word}");
        }
    }

    #[test]
    fn the_nearest_wins() {
        assert_eq!(did_you_mean("upstrem", ["upstreams", "upstream"]), Some("upstream"));
    }

    #[test]
    fn something_else_is_not_forced_on_the_user() {
        assert_eq!(did_you_mean("fair", POLICIES), None);
        assert_eq!(did_you_mean("", POLICIES), None);
        assert_eq!(did_you_mean("hash", []), None);
    }
}
