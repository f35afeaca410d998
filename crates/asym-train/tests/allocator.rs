//! The allocator requests huge pages, and keeps freed pages until they are given back.
#![cfg(all(target_os = "linux", feature = "huge-pages"))]
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs::read_to_string;
use std::time::Duration;

use asym_train::memory::{Counting, give_back};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

/// The physical memory of this process, in MiB.
fn resident() -> usize {
    let status = read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// The flags of the mapping that contains `address`, two letters each.
fn flags(address: usize) -> String {
    let maps = read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in maps.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        if let Some((start, end)) = range
            && let (Ok(start), Ok(end)) = (usize::from_str_radix(start, 16), usize::from_str_radix(end, 16))
        {
            inside = (start..end).contains(&address);
        }
        if let (true, Some(flags)) = (inside, line.strip_prefix("VmFlags:")) {
            return flags.to_string();
        }
    }
    String::new()
}

#[test]
fn freed_huge_pages_are_kept_until_they_are_given_back() {
    let mut block = vec![0u8; 256 * MIB];
    block.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    if std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
        let flags = flags(block.as_ptr() as usize);
        assert!(flags.split_whitespace().any(|flag| flag == "hg"), "no huge pages were requested: {flags}");
    }
    let used = resident();
    assert!(used >= 256, "{used} MiB");
    drop(block);
    // By default, mimalloc returns freed pages after a second, at one of the next allocations or frees.
    std::thread::sleep(Duration::from_millis(1500));
    (0..100).for_each(|_| drop(std::hint::black_box(vec![1u8; 2 * MIB])));
    let kept = resident();
    assert!(kept + 16 >= used, "{kept} of {used} MiB were kept");
    give_back();
    let left = resident();
    assert!(left + 240 < used, "{left} of {used} MiB are left");
}
