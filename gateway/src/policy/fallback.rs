//! The gateway's own choice, for when no policy can be asked or none has an opinion.

use crate::upstream::Candidates;

/// Smooth weighted round robin over the candidates, as nginx does it
/// (`ngx_http_upstream_get_peer`): each candidate gains its weight, the richest is chosen and
/// pays the sum of all weights. Weights 5, 1, 1 give `a a b a c a a`, not five in a row.
///
/// One for each worker, beside the instance of the policy; it lives as long as the candidates do.
#[derive(Debug)]
pub struct Fallback {
    /// Weight and credit of each candidate.
    peers: Box<[Peer]>,
}

/// Most steps into the round that a fallback starts with.
const LONGEST_START: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Peer {
    weight: i64,
    credit: i64,
}

impl Fallback {
    /// Starts somewhere in the round that `random` decides, so that workers which were started
    /// together do not all send their first requests to the same backend.
    #[must_use]
    pub fn new(candidates: &Candidates, random: u32) -> Self {
        Self::of(candidates.weights.iter().map(|weight| i64::from((*weight).max(1))), random)
    }

    fn of(weights: impl Iterator<Item = i64>, random: u32) -> Self {
        let mut fallback = Self { peers: weights.map(|weight| Peer { weight, credit: 0 }).collect() };
        if !fallback.peers.is_empty() {
            // Each step costs a scan: with many candidates a few steps are spread enough.
            for _ in 0..random as usize % fallback.peers.len().min(LONGEST_START) {
                let _ = fallback.pick(&[]);
            }
        }
        fallback
    }

    /// Chooses a candidate that is not among `tried`; none when all were.
    ///
    /// As in nginx, a candidate that is skipped neither gains nor pays.
    pub fn pick(&mut self, tried: &[u32]) -> Option<u32> {
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, peer) in self.peers.iter_mut().enumerate() {
            if tried.contains(&(index as u32)) {
                continue;
            }
            peer.credit += peer.weight;
            total += peer.weight;
            if best.is_none_or(|(_, credit)| peer.credit > credit) {
                best = Some((index, peer.credit));
            }
        }
        let (index, _) = best?;
        self.peers[index].credit -= total;
        Some(index as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::Fallback;

    fn round(weights: &[i64], picks: usize) -> Vec<u32> {
        let mut fallback = Fallback::of(weights.iter().copied(), 0);
        (0..picks).map(|_| fallback.pick(&[]).unwrap()).collect()
    }

    #[test]
    fn the_order_is_that_of_nginx() {
        assert_eq!(round(&[5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(round(&[4, 3, 2, 1], 10), [0, 1, 2, 0, 1, 3, 0, 2, 1, 0]);
        assert_eq!(round(&[2, 2, 5], 9), [2, 0, 1, 2, 2, 0, 2, 1, 2]);
    }

    #[test]
    fn what_was_tried_is_skipped() {
        let mut fallback = Fallback::of([1, 1, 1].into_iter(), 0);
        assert_eq!(fallback.pick(&[0]), Some(1));
        assert_eq!(fallback.pick(&[0, 1]), Some(2));
        assert_eq!(fallback.pick(&[0, 1, 2]), None);
    }

    #[test]
    fn the_random_number_decides_where_the_round_starts() {
        let first = |random| Fallback::of([1, 1, 1].into_iter(), random).pick(&[]);
        assert_eq!([first(0), first(1), first(2), first(3)], [Some(0), Some(1), Some(2), Some(0)]);
    }

    #[test]
    fn without_candidates_there_is_no_choice() {
        assert_eq!(Fallback::of(std::iter::empty(), 7).pick(&[]), None);
    }
}
