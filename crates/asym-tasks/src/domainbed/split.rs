//! DomainBed's split of an environment, bit for bit.
//!
//! Sources: `seed_hash` and `split_dataset` in `domainbed/lib/misc.py` of DomainBed; `RandomState.shuffle` of NumPy, which is kept as
//! it is for old programs.

use md5::{Digest, Md5};
use rand_mt::Mt;

/// The share of an environment that is set aside.
const HOLDOUT: f64 = 0.2;

/// The pictures of an environment by their places in the order of class and path, in the order of the shuffle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The fifth that is set aside, DomainBed's "out".
    pub held_out: Vec<usize>,
    /// The rest, DomainBed's "in".
    pub rest: Vec<usize>,
}

/// The split of `count` pictures of the environment with the number `environment` among all, which are sorted by name, in the trial
/// with the seed `trial`.
pub fn split(count: usize, trial: u64, environment: usize) -> Split {
    let mut places: Vec<usize> = (0..count).collect();
    shuffle(&mut places, &mut Mt::new(seed_hash(trial, environment)));
    let rest = places.split_off((count as f64 * HOLDOUT) as usize);
    Split { held_out: places, rest }
}

/// The MD5 of the Python tuple `(trial, environment)` as text, modulo 2³¹.
fn seed_hash(trial: u64, environment: usize) -> u32 {
    let digest = Md5::digest(format!("({trial}, {environment})"));
    // The digest is a number whose last byte is the lowest.
    digest[12..].iter().fold(0, |number, byte| number << 8 | u32::from(*byte)) & (u32::MAX >> 1)
}

/// `RandomState.shuffle`: from the last place down, each is exchanged with one up to it. A place is drawn by discarding numbers that
/// are too large, after all bits above the highest one that is needed are cleared.
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
