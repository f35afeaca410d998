//! Random numbers that depend only on a seed and a name.
//!
//! Parameters are initialized on the host, each from a separate random stream. The same recipe therefore gives the same factors
//! on every backend, in any order of creation, and after any refactoring that keeps their names.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The random stream of the parameter `name` for this seed.
///
/// The seed is the key of ChaCha8. The 64-bit FNV-1a hash of the name selects one of its 2⁶⁴ independent streams.
pub fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(fnv1a(name.as_bytes()));
    rng
}

/// A seed that is derived from `seed`, a name and an index, such as the index of an epoch or of an example.
pub fn derive_seed(seed: u64, name: &str, index: u64) -> u64 {
    use rand::Rng;
    let mut rng = stream(seed, name);
    // Each index reads two different words of the stream.
    rng.set_word_pos(u128::from(index) * 2);
    rng.next_u64()
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_depend_only_on_seed_and_name() {
        let first = |seed, name| stream(seed, name).next_u64();
        assert_eq!(first(1, "query"), first(1, "query"));
        assert_ne!(first(1, "query"), first(1, "value"));
        assert_ne!(first(1, "query"), first(2, "query"));
    }

    #[test]
    fn derived_seeds_differ_and_do_not_depend_on_order() {
        let seeds: Vec<u64> = (0..100).map(|i| derive_seed(7, "step", i)).collect();
        let mut sorted = seeds.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 100);
        assert_eq!(derive_seed(7, "step", 42), seeds[42]);
    }

    #[test]
    fn fnv1a_matches_the_published_test_vectors() {
        // These are test vectors of the FNV reference (draft-eastlake-fnv, 64 bit).
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
