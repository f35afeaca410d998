//! Damaged files. proptest chooses changes of bytes, and it shrinks the changes that break a reader.
//!
//! Each crate that reads files has a test `damaged.rs` with this module. A test tries a few hundred files, or the number in
//! `ASYM_FUZZ_CASES`. The reader must return a value or an error. For each file that once broke a reader, the test creates such a
//! file from an intact file.
#![allow(dead_code, reason = "each test file is a separate program")]

use proptest::prelude::*;
use proptest::sample::Index;

/// A change of a file.
#[derive(Clone, Debug)]
pub enum Damage {
    /// A byte is replaced. Most of these bytes are near the beginning, in the headers.
    Byte(Index, bool, u8),
    /// The file ends earlier.
    Cut(Index),
    /// Some bytes are left out.
    Gap(Index, usize),
    /// Some bytes are repeated.
    Repeat(Index, usize),
}

/// The ends of ranges of bytes, and arbitrary bytes.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![Just(0), Just(1), Just(0x7f), Just(0x80), Just(0xff), any::<u8>()]
}

/// Several changes.
pub fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let index = any::<Index>;
    let one = prop_oneof![
        12 => (index(), any::<bool>(), byte()).prop_map(|(at, early, byte)| Damage::Byte(at, early, byte)),
        1 => index().prop_map(Damage::Cut),
        1 => (index(), 1..200_usize).prop_map(|(at, length)| Damage::Gap(at, length)),
        1 => (index(), 1..200_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
    ];
    prop::collection::vec(one, 1..6)
}

/// The file with these changes. `early` is the length of its header or of another first part.
pub fn damaged(whole: &[u8], changes: &[Damage], early: usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        match change {
            Damage::Byte(at, is_early, byte) => {
                let length = if *is_early { early.clamp(1, bytes.len()) } else { bytes.len() };
                bytes[at.index(length)] = *byte;
            }
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Gap(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Damage::Repeat(at, length) => {
                let at = at.index(bytes.len());
                let piece = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

/// `usual` cases with a fixed seed. If `ASYM_FUZZ_CASES` is set, it gives the number of cases, and the seed is random.
pub fn config(usual: u32) -> ProptestConfig {
    let asked = std::env::var("ASYM_FUZZ_CASES").ok().and_then(|text| text.parse().ok());
    let seed = if asked.is_some() { prop::test_runner::RngSeed::Random } else { prop::test_runner::RngSeed::Fixed(19) };
    ProptestConfig {
        cases: asked.unwrap_or(usual),
        rng_seed: seed,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
