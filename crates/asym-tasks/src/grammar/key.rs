//! Keys of scenes and sentences, which determine what is held out.

/// A key, which consists of the event and the fillers, regardless of their roles.
pub(crate) fn scene_key(event: &str, mut fillers: Vec<&str>) -> String {
    fillers.sort_unstable();
    format!("{event}:{}", fillers.join(","))
}

/// Whether the scene with this key is held out for development sets. About one key in ten is held out.
pub(crate) fn held_out(key: &str) -> bool {
    let hash = fnv1a(key.as_bytes());
    ((hash ^ (hash >> 29)) >> 8).is_multiple_of(10)
}

/// The FNV-1a hash, implemented here because the hash of the standard library may change.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
