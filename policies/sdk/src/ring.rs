//! The ring of nginx's `hash … consistent`, which is ketama as Cache::Memcached::Fast has it.

use crate::upstream::Member;
use crate::{CRC32_START, Choice, crc32_update, log};

/// Points of the whole ring, at most: 16 MiB.
const POINTS_MAX: u64 = 1 << 21;
/// After so many steps nginx gives up and takes turns.
const STEPS_MAX: usize = 20;

/// Points in order, and an index into them.
#[derive(Clone, Debug)]
pub struct Ring {
    /// A point in the upper half, the number of its member in the lower.
    points: Vec<u64>,
    /// For each value that the upper bits of a point can have, the first point that is not below.
    index: Vec<u32>,
    /// How far to shift a hash to get at these bits.
    shift: u32,
    /// The candidate behind each member; none while it is down.
    candidates: Vec<Option<u32>>,
    /// How many are not down.
    fit: usize,
}

impl Ring {
    /// Points that nginx gives a backend, times its weight.
    pub const POINTS: u32 = 160;

    /// The ring of these members, each with `share` points for a unit of its weight. One that is
    /// down keeps its points.
    #[must_use]
    pub fn new(members: &[Member], share: u32) -> Self {
        let mut points = points(members, u64::from(share));
        points.sort_unstable();
        // Where two members have the same point, the first one has it.
        points.dedup_by_key(|point| *point >> 32);
        let bits = points.len().max(2).ilog2();
        let first = |top: u64| points.partition_point(|point| *point >> (64 - bits) < top) as u32;
        let index = (0..1 << bits).map(first).collect();
        let candidates: Vec<_> = members.iter().map(|member| member.candidate).collect();
        let fit = candidates.iter().flatten().count();
        Self { points, index, shift: 32 - bits, candidates, fit }
    }

    /// The owner of the first point at or after `hash` that is fit and was not tried. After 20
    /// steps the gateway's round robin decides, as in nginx.
    #[must_use]
    pub fn pick(&self, hash: u32, tried: &[u32]) -> Choice {
        let fit = self.walk(hash, 1 + STEPS_MAX).find(|candidate| !tried.contains(candidate));
        fit.map_or(Choice::Abstain, Choice::Backend)
    }

    /// The owner of the first point at or after `hash` that was not tried and of which `free` is
    /// true, asked once for each that the walk meets. When nobody is free: as [`Ring::pick`].
    pub fn pick_free(&self, hash: u32, tried: &[u32], mut free: impl FnMut(u32) -> bool) -> Choice {
        let mut passed = tried.to_vec();
        for candidate in self.walk(hash, self.points.len()) {
            if passed.contains(&candidate) {
                continue;
            }
            if free(candidate) {
                return Choice::Backend(candidate);
            }
            passed.push(candidate);
            if passed.len() >= self.fit {
                break;
            }
        }
        self.pick(hash, tried)
    }

    /// The owners of `steps` points from `hash` on, without those that are down.
    fn walk(&self, hash: u32, steps: usize) -> impl Iterator<Item = u32> {
        let near = self.index.get((hash >> self.shift) as usize).map_or(0, |near| *near as usize);
        let ahead = self.points.get(near..).unwrap_or(&[]).iter();
        let at_or_after = ahead.skip_while(move |point| *point >> 32 < u64::from(hash));
        let owner = |point: &u64| self.candidates.get(*point as u32 as usize).copied().flatten();
        at_or_after.chain(&self.points).take(steps).filter_map(owner)
    }
}

/// The points of all members, in no order.
fn points(members: &[Member], share: u64) -> Vec<u64> {
    let weights = members.iter().map(|member| u64::from(member.backend.weight));
    let wanted = share * weights.sum::<u64>();
    if wanted > POINTS_MAX {
        log::warn(&format!(
            "the weights ask for {wanted} points on the ring, {POINTS_MAX} is the most: each \
             backend gets fewer in proportion, and keys map otherwise than in nginx; divide the \
             weights by a common number"
        ));
    }
    let mut points = Vec::with_capacity(wanted.min(POINTS_MAX) as usize);
    for (index, member) in (0..).zip(members) {
        let mine = share * u64::from(member.backend.weight);
        let count = if wanted > POINTS_MAX { (mine * POINTS_MAX / wanted).max(1) } else { mine };
        points.extend(
            walk(&member.backend.name).take(count as usize).map(|hash| u64::from(hash) << 32 | index),
        );
    }
    points
}

/// The points of one backend: each the checksum of host, 0, port and the point before.
fn walk(name: &str) -> impl Iterator<Item = u32> {
    let (host, port) = host_and_port(name);
    let start = crc32_update(CRC32_START, host.as_bytes());
    let base = crc32_update(crc32_update(start, &[0]), port.as_bytes());
    let mut last = 0u32;
    std::iter::repeat_with(move || {
        last = !crc32_update(base, &last.to_le_bytes());
        last
    })
}

/// A name as nginx takes it apart: `unix:` goes, the rest is a path without a port; a port is
/// what digits follow the last colon.
fn host_and_port(name: &str) -> (&str, &str) {
    let is_unix = name.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("unix:"));
    if is_unix {
        return (name.get(5..).unwrap_or(""), "");
    }
    let split = name.rsplit_once(':');
    split.filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())).unwrap_or((name, ""))
}

#[cfg(test)]
mod tests {
    use super::{POINTS_MAX, Ring, host_and_port, points, walk};
    use crate::testing::{assert_shares, backend, backends, gateway, members};
    use crate::{Choice, crc32};

    #[test]
    fn has_the_points_of_nginx() {
        let mut first: Vec<u32> = walk("127.0.0.1:18100").take(160).collect();
        first.sort_unstable();
        assert_eq!(first[..3], [5_254_271, 26_675_135, 85_118_504]);
    }

    #[test]
    fn a_name_is_taken_apart_as_in_nginx() {
        for (name, expected) in [
            ("10.0.0.7:8001", ("10.0.0.7", "8001")),
            ("[::1]:8001", ("[::1]", "8001")),
            ("example.org", ("example.org", "")),
            ("example.org:http", ("example.org:http", "")),
            ("unix:/run/a.sock:7", ("/run/a.sock:7", "")),
            ("host:", ("host", "")),
            ("", ("", "")),
        ] {
            assert_eq!(host_and_port(name), expected, "{name}");
        }
    }

    #[test]
    fn the_index_leads_to_the_first_point_at_or_after() {
        for weights in [&[1][..], &[1, 2, 3], &[7; 40]] {
            let members = members(&backends(weights), &[]);
            let (ring, mut plain) = (Ring::new(&members, Ring::POINTS), points(&members, 160));
            plain.sort_unstable();
            let hashes = plain.iter().map(|point| (point >> 32) as u32);
            let around = hashes.flat_map(|hash| [hash.wrapping_sub(1), hash, hash.wrapping_add(1)]);
            for hash in around.chain([0, u32::MAX]) {
                let next = plain.partition_point(|point| point >> 32 < u64::from(hash));
                let owner = plain.get(next).unwrap_or(&plain[0]);
                assert_eq!(ring.pick(hash, &[]), Choice::Backend(*owner as u32), "{hash}");
            }
        }
    }

    #[test]
    fn one_that_goes_takes_only_its_own_keys_along() {
        let all = Ring::new(&members(&backends(&[1; 10]), &[]), 160);
        let down = Ring::new(&members(&backends(&[1; 10]), &[9]), 160);
        let stayed = (0..10_000u32).map(|key| crc32(&[&key.to_le_bytes()])).all(|hash| {
            let (before, after) = (all.pick(hash, &[]), down.pick(hash, &[]));
            before == Choice::Backend(9) || after == before
        });
        assert!(stayed);
    }

    #[test]
    fn weights_beyond_measure_get_fewer_points_and_a_warning() {
        let heavy = [backend("a:1", 65535), backend("b:1", 65535), backend("c:1", 1)];
        let count = points(&members(&heavy, &[]), 160).len() as u64;
        assert!((POINTS_MAX - 3..=POINTS_MAX + 3).contains(&count), "{count}");
        assert!(gateway(|gateway| gateway.log[0].1.contains("divide the weights")));
    }

    #[test]
    fn nobody_is_picked_from_an_empty_ring() {
        let empty = Ring::new(&[], Ring::POINTS);
        assert_eq!(empty.pick(7, &[]), Choice::Abstain);
        assert_eq!(empty.pick_free(7, &[], |_| true), Choice::Abstain);
    }

    #[test]
    fn who_is_not_free_is_passed_over_in_the_order_of_the_ring() {
        let ring = Ring::new(&members(&backends(&[1; 5]), &[]), Ring::POINTS);
        let hash = crc32(&[b"/u/0"]);
        assert_eq!(ring.pick_free(hash, &[], |_| true), Choice::Backend(3));
        assert_eq!(ring.pick_free(hash, &[], |candidate| candidate != 3), Choice::Backend(4));
        assert_eq!(ring.pick_free(hash, &[3], |candidate| candidate != 4), Choice::Backend(0));
        assert_eq!(ring.pick_free(hash, &[], |candidate| candidate == 1), Choice::Backend(1), "the last");
        let mut asked = Vec::new();
        let nobody = ring.pick_free(hash, &[3], |candidate| {
            asked.push(candidate);
            false
        });
        assert_eq!(nobody, Choice::Backend(4), "when all are full, who would have it anyway");
        assert_eq!(asked, [4, 0, 2, 1]);
    }

    #[test]
    fn shares_follow_the_arcs() {
        let ring = Ring::new(&members(&backends(&[1, 2, 3]), &[]), Ring::POINTS);
        let mut arcs = [0.0; 3];
        let mut last = (ring.points[ring.points.len() - 1] >> 32) as f64 - 2f64.powi(32);
        for point in &ring.points {
            let at = (point >> 32) as f64;
            arcs[*point as u32 as usize] += at - last;
            last = at;
        }
        let mut found = [0; 3];
        for number in 0..60_000u32 {
            let Choice::Backend(index) = ring.pick(number.wrapping_mul(0x9e37_79b9).rotate_left(7), &[])
            else {
                panic!("nobody");
            };
            found[index as usize] += 1;
        }
        assert_shares(&found, &arcs);
    }
}
