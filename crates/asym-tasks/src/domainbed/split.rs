//! DomainBed's split of an environment, reproduced exactly.
//!
//! Sources: `seed_hash` and `split_dataset` in `domainbed/lib/misc.py` of DomainBed; `RandomState.shuffle` of NumPy, which NumPy
//! keeps unchanged for compatibility.

use md5::{Digest, Md5};
use rand_mt::Mt;

/// The share of an environment that is held out.
const HOLDOUT: f64 = 0.2;

/// The two parts of an environment, as indices of pictures in shuffled order. The indices refer to the order by class and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The held-out fifth, which DomainBed calls "out".
    pub held_out: Vec<usize>,
    /// The other four fifths, which DomainBed calls "in".
    pub rest: Vec<usize>,
}

/// Split the `count` pictures of an environment. `environment` is its index among all environments, sorted by name, and `trial`
/// is the seed of the trial.
pub fn split(count: usize, trial: u64, environment: usize) -> Split {
    let mut places: Vec<usize> = (0..count).collect();
    shuffle(&mut places, &mut Mt::new(seed_hash(trial, environment)));
    let rest = places.split_off((count as f64 * HOLDOUT) as usize);
    Split { held_out: places, rest }
}

/// The MD5 digest of the Python tuple `(trial, environment)` as text, modulo 2³¹.
fn seed_hash(trial: u64, environment: usize) -> u32 {
    let digest = Md5::digest(format!("({trial}, {environment})"));
    // The digest is a big-endian number, so its lowest bits are in the last bytes.
    digest[12..].iter().fold(0, |number, byte| number << 8 | u32::from(*byte)) & (u32::MAX >> 1)
}

/// `RandomState.shuffle`: each index, from the last to the second, is swapped with a random index up to it. The random index is
/// sampled by rejection: a random number is masked to the bits of the largest index, and discarded if it is still too large.
fn shuffle(places: &mut [usize], rng: &mut Mt) {
    for last in (1..places.len()).rev() {
        let mask = usize::MAX >> last.leading_zeros();
        let place = loop {
            let drawn = rng.next_u32() as usize & mask;
            if drawn <= last {
                break drawn;
            }
        };
        places.swap(last, place);
    }
}
