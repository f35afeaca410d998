//! Bytes on the heap, counted exactly.
//!
//! A program that wants its peak memory in its results installs the allocator:
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
//! On the CPU, tensors take no other memory. The memory of a GPU is not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static CURRENT: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counting.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting;

fn grow(bytes: usize) {
    let current = CURRENT.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(current, Relaxed);
}

fn shrink(bytes: usize) {
    CURRENT.fetch_sub(bytes, Relaxed);
}

// SAFETY: every call is passed to the system's allocator as it came; counting touches two atomics and nothing else.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that `System` asks for.
        let pointer = unsafe { System.alloc(layout) };
        if !pointer.is_null() {
            grow(layout.size());
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if !pointer.is_null() {
            grow(layout.size());
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        let moved = unsafe { System.realloc(pointer, layout, new_size) };
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

/// The most bytes that were allocated at once since the last [`reset_peak`].
pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

/// Start a new measurement of the peak from the bytes that are allocated now.
pub fn reset_peak() {
    PEAK.store(current(), Relaxed);
}

/// Tell the allocator of glibc to keep the pages that it gets. On other systems, do nothing.
///
/// Each step of training frees and allocates the same large blocks. By default glibc maps each of them anew, and the kernel
/// zeroes it. Call this before the first large allocation. The memory of the peak is then held until the program ends.
pub fn keep_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
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
