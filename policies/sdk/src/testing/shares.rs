//! Do counts follow a distribution?

/// The 99.9th percentile of the normal distribution.
const SCORE: f64 = 3.090_232;

/// Fails unless `found`, counted over independent draws, may well come from a distribution with
/// these shares (in any unit): Pearson's chi-square test at p = 0.001. A share of 0 must not have
/// been found at all.
///
/// # Panics
/// When the counts are so far off that it would happen by chance once in a thousand times.
pub fn assert_shares(found: &[u32], shares: &[f64]) {
    assert_eq!(found.len(), shares.len(), "as many counts as shares");
    let total: f64 = found.iter().map(|count| f64::from(*count)).sum();
    let whole: f64 = shares.iter().sum();
    let mut statistic = 0.0;
    let mut cells = 0u32;
    for (count, share) in found.iter().zip(shares) {
        let expected = total * share / whole;
        assert!(*share > 0.0 || *count == 0, "none expected where {count} were found: {found:?}");
        if *share > 0.0 {
            statistic += (f64::from(*count) - expected).powi(2) / expected;
            cells += 1;
        }
    }
    let most = critical(cells.saturating_sub(1));
    assert!(statistic <= most, "chi-square {statistic:.1} is above {most:.1}: {found:?} for {shares:?}");
}

/// What chi-square exceeds once in a thousand times, by Wilson's and Hilferty's approximation
/// (1931), which is 3 % too mild for two cells and right to 1 % for more than three.
fn critical(freedom: u32) -> f64 {
    if freedom == 0 {
        return 1e-9;
    }
    let freedom = f64::from(freedom);
    let spread = 2.0 / (9.0 * freedom);
    freedom * (1.0 - spread + SCORE * spread.sqrt()).powi(3)
}

#[cfg(test)]
mod tests {
    use super::{assert_shares, critical};

    #[test]
    fn the_critical_values_are_those_of_the_tables() {
        for (freedom, table) in [(1, 10.828), (4, 18.467), (9, 27.877), (99, 148.230)] {
            assert!((critical(freedom) / table - 1.0).abs() < 0.035, "{freedom}: {}", critical(freedom));
        }
    }

    #[test]
    fn counts_near_their_shares_pass() {
        assert_shares(&[990, 2_030, 0, 3_980], &[1.0, 2.0, 0.0, 4.0]);
        assert_shares(&[7], &[1.0]);
    }

    #[test]
    #[should_panic(expected = "chi-square")]
    fn counts_that_are_off_fail() {
        assert_shares(&[1_200, 1_000, 1_000, 1_000], &[1.0; 4]);
    }

    #[test]
    #[should_panic(expected = "none expected")]
    fn what_must_not_happen_fails() {
        assert_shares(&[1_000, 1], &[1.0, 0.0]);
    }
}
