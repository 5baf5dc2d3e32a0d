//! The table of Maglev (Eisenbud et al., "Maglev: a fast and reliable software network load
//! balancer", NSDI 2016, section 3.4), with weights as Envoy has them.

use xxhash_rust::xxh64::xxh64;

/// Entries by how many backends there are: a hundred for each keeps shares within one per cent
/// of one another (section 5.3). The largest serves more than that too, less evenly.
const SIZES: [(usize, u32); 2] = [(655, 65_537), (usize::MAX, 655_373)];

/// A size that fits so many backends; prime, as it must be.
pub(crate) fn size_for(backends: usize) -> u32 {
    SIZES.iter().find(|(most, _)| backends <= *most).map_or(65_537, |(_, size)| *size)
}

/// Whether a table of this size reaches all its entries with any step.
pub(crate) fn is_prime(number: u32) -> bool {
    let divides = |divisor: u32| number.is_multiple_of(divisor);
    number > 1
        && (2..).take_while(|divisor| u64::from(*divisor).pow(2) <= u64::from(number)).all(|d| !divides(d))
}

/// Where a backend stands in the order of preference that it gives to the entries.
struct Turn {
    backend: u16,
    next: u32,
    step: u32,
    weight: u64,
    /// In which round it has its next turn, times its weight.
    due: u64,
}

/// The table of these backends: entry by entry, whose it is.
pub(crate) fn table(backends: &[(&str, u32)], size: u32) -> Vec<u16> {
    let mut order: Vec<usize> = (0..backends.len()).collect();
    // By name, so that the order of the configuration does not matter.
    order.sort_by_key(|index| backends[*index].0);
    let turns = order.into_iter().map(|index| {
        let (name, weight) = backends[index];
        let (offset, step) = permutation(name, size);
        (index as u16, offset, step, weight)
    });
    fill(turns, size)
}

/// The first entry that a backend wants, and how far it is to the next.
fn permutation(name: &str, size: u32) -> (u32, u32) {
    let (size, name) = (u64::from(size), name.as_bytes());
    ((xxh64(name, 0) % size) as u32, (xxh64(name, 1) % (size - 1)) as u32 + 1)
}

/// Lets backends (number, first entry, step, weight) take turns: in each round all whose weight
/// makes it their turn take the entry that they want most of those still free.
fn fill(backends: impl Iterator<Item = (u16, u32, u32, u32)>, size: u32) -> Vec<u16> {
    let turn =
        |(backend, next, step, weight)| Turn { backend, next, step, weight: u64::from(weight), due: 0 };
    let mut turns: Vec<Turn> = backends.map(turn).collect();
    let heaviest = turns.iter().map(|turn| turn.weight).max().unwrap_or(1);
    let mut table = vec![u16::MAX; size as usize];
    let mut free = if turns.is_empty() { 0 } else { size };
    let mut round = 0;
    while free > 0 {
        round += 1;
        for turn in &mut turns {
            if round * turn.weight < turn.due || free == 0 {
                continue;
            }
            turn.due += heaviest;
            while table[turn.next as usize] != u16::MAX {
                turn.advance(size);
            }
            table[turn.next as usize] = turn.backend;
            turn.advance(size);
            free -= 1;
        }
    }
    table
}

impl Turn {
    fn advance(&mut self, size: u32) {
        self.next += self.step;
        if self.next >= size {
            self.next -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use pointsman_policy::testing::{assert_shares, numbers, rows};

    use super::{fill, is_prime, size_for, table};

    /// The table that a row of the golden vectors gives.
    fn expected(case: &str) -> Vec<u32> {
        let csv = include_str!("../../../tests/vectors/maglev_table_m7.csv");
        let row = rows(csv).find(|row| row[0] == case).expect("a case of that name");
        numbers(row.last().expect("a table"))
    }

    fn filled(permutations: &[(u32, u32)]) -> Vec<u32> {
        let turns =
            permutations.iter().zip(0u16..).map(|((offset, skip), number)| (number, *offset, *skip, 1));
        fill(turns, 7).into_iter().map(u32::from).collect()
    }

    #[test]
    fn the_paper_has_this_table() {
        assert_eq!(filled(&[(3, 4), (0, 2), (3, 1)]), expected("paper_table1_before"));
        let without_1 = filled(&[(3, 4), (3, 1)]).into_iter().map(|number| number * 2);
        assert_eq!(without_1.collect::<Vec<_>>(), expected("paper_table1_B1_removed"));
    }

    #[test]
    fn envoy_has_these_tables() {
        let addresses: Vec<String> = (90..96).map(|port| format!("127.0.0.1:{port}")).collect();
        let names: Vec<String> = (90..96).map(|port| port.to_string()).collect();
        for (keys, case) in [(addresses, "envoy_test_addr_90_95"), (names, "envoy_test_hostname_90_95")] {
            let backends: Vec<(&str, u32)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
            let table: Vec<u32> = table(&backends, 7).into_iter().map(u32::from).collect();
            assert_eq!(table, expected(case), "{case}");
        }
    }

    #[test]
    fn entries_follow_the_weights() {
        let table = table(&[("a", 1), ("b", 2), ("c", 4)], 65_537);
        let count = |number| table.iter().filter(|entry| **entry == number).count() as u32;
        assert_shares(&[count(0), count(1), count(2)], &[1.0, 2.0, 4.0]);
        assert!(count(0).abs_diff(65_537 / 7) <= 1);
    }

    #[test]
    fn the_order_of_the_configuration_does_not_matter() {
        let one = table(&[("a", 1), ("b", 3)], 1009);
        let other = table(&[("b", 3), ("a", 1)], 1009);
        assert!(one.iter().zip(&other).all(|(one, other)| one + other == 1));
    }

    #[test]
    fn sizes_are_prime_and_large_enough() {
        for backends in [1, 655, 656, 6_553] {
            let size = size_for(backends);
            assert!(is_prime(size) && size as usize >= 100 * backends, "{backends}: {size}");
        }
        assert!(
            is_prime(2) && is_prime(7) && !is_prime(1) && !is_prime(0) && !is_prime(65_536) && !is_prime(49)
        );
    }
}
