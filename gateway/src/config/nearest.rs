//! "Did you mean ...?"

/// The candidate that `word` was most likely meant to be: the same but for case and dashes, a slip
/// or two of the finger away, or one the beginning of the other. None if nothing comes near.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = normal(word);
    let slips = (word.len() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let normal = normal(candidate);
            let shorter = word.len().min(normal.len());
            let begun = shorter >= 3 && (normal.starts_with(&word) || word.starts_with(&normal));
            let distance = strsim::osa_distance(&word, &normal);
            (begun || distance <= slips && distance < shorter).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn normal(word: &str) -> String {
    word.replace('-', "_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    const POLICIES: [&str; 4] = ["round_robin", "least_conn", "random", "hash"];

    #[test]
    fn a_slip_of_the_finger_is_seen() {
        for word in
            ["least_con", "leastconn", "laest_conn", "Least-Conn", "least_comm", "least", "least_conn_p"]
        {
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
        assert_eq!(did_you_mean("a", ["b"]), None);
        assert_eq!(did_you_mean("hash", []), None);
    }
}
