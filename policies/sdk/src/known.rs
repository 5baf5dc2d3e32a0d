//! Numbers by the name of a backend: what an instance knows of its candidates, as bytes for
//! [`State`](crate::State). The next instance may have others, in another order.

use crate::Backend;

/// The gateway takes no more.
const BYTES_MAX: usize = 1 << 20;

/// The candidates of an instance by name, to hand over what is known of each.
#[derive(Clone, Debug)]
pub struct Known {
    names: Vec<Box<str>>,
}

impl Known {
    /// Of these candidates.
    #[must_use]
    pub fn of(backends: &[Backend]) -> Self {
        Self { names: backends.iter().map(|backend| backend.name.as_str().into()).collect() }
    }

    /// The name of a candidate; empty if there is none of this index.
    #[must_use]
    pub fn name(&self, index: u32) -> &str {
        self.names.get(index as usize).map_or("", |name| name)
    }

    /// The bytes of these numbers, one set for each candidate in order. Candidates for which a
    /// mebibyte has no room are left out.
    pub fn save<const N: usize>(&self, numbers: impl IntoIterator<Item = [u64; N]>) -> Vec<u8> {
        let mut state = Vec::new();
        for (name, numbers) in self.names.iter().zip(numbers) {
            if state.len() + 4 + name.len() + 8 * N > BYTES_MAX {
                break;
            }
            state.extend_from_slice(&(name.len() as u32).to_le_bytes());
            state.extend_from_slice(name.as_bytes());
            numbers.iter().for_each(|number| state.extend_from_slice(&number.to_le_bytes()));
        }
        state
    }

    /// Calls `found` for each candidate that is in the bytes. What does not fit is ignored.
    pub fn restore<const N: usize>(&self, mut state: &[u8], mut found: impl FnMut(usize, [u64; N])) {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by_key(|index| &self.names[*index]);
        while let Some((name, numbers)) = entry(&mut state) {
            let at = order.binary_search_by(|index| self.names[*index].as_bytes().cmp(name));
            if let Ok(at) = at {
                found(order[at], numbers);
            }
        }
    }
}

fn entry<'a, const N: usize>(state: &mut &'a [u8]) -> Option<(&'a [u8], [u64; N])> {
    let length = u32::from_le_bytes(*state.split_off(..4)?.first_chunk()?);
    let name = state.split_off(..length as usize)?;
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = u64::from_le_bytes(*state.split_off(..8)?.first_chunk()?);
    }
    Some((name, numbers))
}

#[cfg(test)]
mod tests {
    use super::Known;
    use crate::testing::backend;

    fn known(names: &[&str]) -> Known {
        let backends: Vec<_> = names.iter().map(|name| backend(name, 1)).collect();
        Known::of(&backends)
    }

    fn restored(known: &Known, state: &[u8]) -> Vec<(usize, [u64; 2])> {
        let mut all = Vec::new();
        known.restore(state, |index, numbers| all.push((index, numbers)));
        all
    }

    #[test]
    fn what_is_known_follows_the_name() {
        let state = known(&["a:1", "b:1", "c:1"]).save([[1, u64::MAX], [2, 20], [3, 30]]);
        let next = known(&["c:1", "new:1", "a:1"]);
        assert_eq!(restored(&next, &state), [(2, [1, u64::MAX]), (0, [3, 30])]);
    }

    #[test]
    fn what_does_not_fit_is_ignored() {
        let one = known(&["a:1"]);
        let state = one.save([[7, 8]]);
        for cut in 0..state.len() {
            assert_eq!(restored(&one, &state[..cut]), []);
        }
        assert_eq!(restored(&one, &[255; 100]), []);
    }

    #[test]
    fn the_state_stays_within_what_the_gateway_takes() {
        let names: Vec<String> = (0..20_000).map(|number| format!("{number:>060}")).collect();
        let all = known(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let state = all.save((0..20_000).map(|number| [number, number]));
        assert!(state.len() <= 1 << 20);
        assert!(restored(&all, &state).len() > 10_000);
    }
}
