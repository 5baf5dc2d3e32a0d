//! Fuzz targets: every parser of ours under inputs that nobody would write.
//!
//! A target is a unit test beside its parser. It begins with the files of its corpus,
//! `tests/corpora/TARGET/`, and goes on with mutations of them, the same ones on each run. To look
//! further, run it longer and from another start:
//!
//! ```text
//! FUZZ_ROUNDS=10000000 FUZZ_SEED=7 cargo test --release -p pointsman --lib fuzz_
//! ```
//!
//! An input that fails is printed; once the parser is mended it belongs in the corpus.

use std::fs;

const CORPORA: &str = "../tests/corpora/";
/// Inputs a target, when nobody asks for more: a second or so.
const ROUNDS: u64 = 20_000;
/// Longest input, bytes.
const LONGEST: usize = 4 * 1024;

/// Calls `check` with each input; `check` panics when it has found something. `words` are what
/// the grammar is made of: they make mutations that mean something likely.
pub(crate) fn fuzz(target: &str, words: &[&str], check: impl FnMut(&[u8])) {
    fuzz_times(ROUNDS, target, words, check);
}

/// The same for a parser that takes its time: so many inputs, when nobody asks for more.
pub(crate) fn fuzz_times(rounds: u64, target: &str, words: &[&str], mut check: impl FnMut(&[u8])) {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "the corpus {CORPORA}{target} is empty");
    let mut dice = Dice(number("FUZZ_SEED", 1));
    let mut run = |input: &[u8]| {
        let shown = Shown { target, input };
        check(input);
        std::mem::forget(shown);
    };
    corpus.iter().for_each(|input| run(input));
    for _ in 0..number("FUZZ_ROUNDS", rounds) {
        run(&mutation(&corpus, words, &mut dice));
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = fs::read_dir(format!("{CORPORA}{target}")).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One of the corpus after a few changes.
fn mutation(corpus: &[Vec<u8>], words: &[&str], dice: &mut Dice) -> Vec<u8> {
    let mut input = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(input.len() + 1);
        let end = (at + dice.below(16)).min(input.len());
        match dice.below(7) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 => drop(input.drain(at..end)),
            2 => input.truncate(at),
            3 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            4 => {
                let other = &corpus[dice.below(corpus.len())];
                let from = dice.below(other.len() + 1);
                input.splice(at..end, other[from..].iter().copied());
            }
            5 if !words.is_empty() => {
                input.splice(at..at, words[dice.below(words.len())].bytes());
            }
            _ => input.insert(at, dice.below(256) as u8),
        }
    }
    input.truncate(LONGEST);
    input
}

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

/// Shows the input when the check of it panics.
struct Shown<'a> {
    target: &'a str,
    input: &'a [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        eprintln!("the target {} fails for: \"{}\"", self.target, self.input.escape_ascii());
    }
}
