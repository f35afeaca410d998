//! Bytes on the heap, counted exactly.
//!
//! To record its peak memory in its results, a program installs the allocator:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: asym_train::memory::Counting = asym_train::memory::Counting;
//! # fn main() {
//! let before = asym_train::memory::current();
//! let kept = vec![0u8; 1000];
//! assert!(asym_train::memory::current() >= before + kept.len());
//! # }
//! ```
//!
//! On the CPU, tensors use no other memory. The memory of a GPU is not counted.
//!
//! With the feature `huge-pages` on Linux, the allocator is mimalloc. It requests huge pages, which many systems provide only on
//! request, and keeps freed pages, so the kernel does not clear them again in each training step. A matrix product touches a new
//! page for each row of a transposed operand. Pages of 2 MiB need fewer address translations than pages of 4 KiB.
//! `docs/benchmarks.md` contains measurements. A program needs no code other than the declaration above.

use std::alloc::{GlobalAlloc, Layout};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[cfg(all(target_os = "linux", feature = "huge-pages"))]
use mimalloc::MiMalloc as Inner;
#[cfg(not(all(target_os = "linux", feature = "huge-pages")))]
use std::alloc::System as Inner;

static CURRENT: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// An allocator that counts bytes: mimalloc on Linux with the feature `huge-pages`, otherwise the system's allocator.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting;

/// Configure mimalloc before its first allocation: keep freed pages until [`give_back`]. It requests huge pages by default.
#[cfg(all(target_os = "linux", feature = "huge-pages"))]
fn configure() {
    use libmimalloc_sys::{mi_option_set, mi_option_t};
    use std::sync::atomic::AtomicBool;

    /// `mi_option_purge_delay` of mimalloc 3, which the crate does not declare: the time in milliseconds after which freed pages
    /// are returned.
    const PURGE_DELAY: mi_option_t = 15;
    /// The longest time that fits into a `c_long` on every system, 24 days. With -1, freed pages could not be returned at all.
    const LONGEST: std::ffi::c_long = i32::MAX as std::ffi::c_long;
    static CONFIGURED: AtomicBool = AtomicBool::new(false);

    if CONFIGURED.load(Relaxed) || CONFIGURED.swap(true, Relaxed) {
        return;
    }
    // SAFETY: the function changes an entry of a table of integers. The first allocation of a program happens before it starts
    // threads.
    unsafe {
        mi_option_set(PURGE_DELAY, LONGEST);
    }
}

/// The system's allocator needs no configuration.
#[cfg(not(all(target_os = "linux", feature = "huge-pages")))]
fn configure() {}

fn grow(bytes: usize) {
    let current = CURRENT.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(current, Relaxed);
}

fn shrink(bytes: usize) {
    CURRENT.fetch_sub(bytes, Relaxed);
}

// SAFETY: every call is forwarded to the inner allocator with the same arguments; counting only updates two atomics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        configure();
        // SAFETY: the caller guarantees the contract of `GlobalAlloc`, which `Inner` requires.
        let pointer = unsafe { Inner.alloc(layout) };
        if !pointer.is_null() {
            grow(layout.size());
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        configure();
        // SAFETY: as above.
        let pointer = unsafe { Inner.alloc_zeroed(layout) };
        if !pointer.is_null() {
            grow(layout.size());
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: as above.
        unsafe { Inner.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        let moved = unsafe { Inner.realloc(pointer, layout, new_size) };
        if !moved.is_null() {
            grow(new_size);
            shrink(layout.size());
        }
        moved
    }
}

/// Bytes that are allocated now; 0 if [`Counting`] is not the allocator of the program.
pub fn current() -> usize {
    CURRENT.load(Relaxed)
}

/// The largest number of bytes that were allocated at the same time since the last [`reset_peak`].
pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

/// Start a new measurement of the peak from the bytes that are allocated now.
pub fn reset_peak() {
    PEAK.store(current(), Relaxed);
}

/// Configure glibc's allocator to keep freed pages. On other systems, and with the feature `huge-pages`, this does nothing.
///
/// Each training step frees and allocates the same large blocks. By default, glibc maps each block again, and the kernel clears
/// it. Call this function before the first large allocation. The process then keeps its peak memory until [`give_back`].
pub fn keep_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(feature = "huge-pages")))]
    {
        const LARGEST: libc::c_int = 1 << 30;
        // SAFETY: mallopt takes two integers and changes how glibc's own allocator behaves.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
            libc::mallopt(libc::M_TOP_PAD, 1 << 28);
        }
    }
}

/// Return the freed pages that the allocator keeps to the system, if the allocator supports this.
pub fn give_back() {
    #[cfg(all(target_os = "linux", feature = "huge-pages"))]
    // SAFETY: mi_collect takes a flag, which makes it return all freed pages now, and releases only free memory.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
    #[cfg(all(target_os = "linux", target_env = "gnu", not(feature = "huge-pages")))]
    // SAFETY: malloc_trim takes an integer and releases free memory of glibc's own allocator.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// How this program gets huge pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HugePages {
    /// The system provides them to every program.
    Always,
    /// The system provides them on request, and this program requests them if [`Counting`] is its allocator.
    Asked,
    /// The system provides them on request, and this program does not request them.
    NotAsked,
    /// They are turned off in the system.
    Never,
    /// The setting cannot be read, for example because the system is not Linux.
    Unknown,
}

impl HugePages {
    /// Read the setting from the kernel and from the features of this build.
    pub fn get() -> Self {
        let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
        let chosen = setting.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
        match chosen {
            Some("always") => Self::Always,
            Some("madvise") if cfg!(feature = "huge-pages") => Self::Asked,
            Some("madvise") => Self::NotAsked,
            Some("never") => Self::Never,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for HugePages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "given always",
            Self::Asked => "given on request, and requested",
            Self::NotAsked => "given on request, and not requested",
            Self::Never => "turned off",
            Self::Unknown => "unknown",
        })
    }
}
