//! Damaged files: changes of bytes that proptest chooses and, where one breaks something, shrinks.
//!
//! Each crate that reads files has a test `damaged.rs` with this module. A test tries a few hundred files, or as many as
//! `ASYM_FUZZ_CASES` says. The reader must return a value or an error. A file that once broke a reader stays in the test,
//! made from a whole file.
#![allow(dead_code, reason = "each test file is a program of its own")]

use proptest::prelude::*;
use proptest::sample::Index;

/// A change of a file.
#[derive(Clone, Debug)]
pub enum Damage {
    /// Another byte at a place. Most places are near the beginning, where headers are.
    Byte(Index, bool, u8),
    /// The file ends earlier.
    Cut(Index),
    /// Some bytes are left out.
    Gap(Index, usize),
    /// Some bytes are there twice.
    Repeat(Index, usize),
}

/// Bytes that stand for the ends of ranges, and any.
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

/// A file after its changes. `early` is the length of its header, or of whatever begins it.
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

/// `usual` cases, or as many as `ASYM_FUZZ_CASES` says. Cases are drawn anew each time if it is set.
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
