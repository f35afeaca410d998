//! Blocks of 32 × 32 sums over the whole inner dimension with the tiles of AMX.
//!
//! Stable Rust has no intrinsics for AMX (issue 126622 of rust-lang/rust), so this module uses inline assembly. See Intel's
//! Software Developer's Manual, volume 1, chapter 18.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};

use super::avx512;
use super::packed::{Line, STEP, TILE};
use super::product::Blocks;

/// Whether the processor has AMX for bf16, and Linux lets this process use it.
pub(super) fn is_available() -> bool {
    // AVX512-BF16 is needed to round the rows.
    has_tiles() && avx512::is_available() && is_granted()
}

/// Whether CPUID reports tiles and products of bf16 tiles.
fn has_tiles() -> bool {
    const BITS: u32 = 1 << 22 | 1 << 24;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & BITS == BITS
}

/// Request the permission of Linux to use the tiles. Without it, a process that uses a tile receives SIGILL. The permission
/// applies to all threads of the process.
///
/// The request fails on Linux before version 5.16, or if a filter blocks the system call.
fn is_granted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the system call has two numbers as arguments and does not access the memory of the process.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

/// The tile registers of this thread, configured as eight tiles of 16 rows of 64 bytes. They are released when the value is
/// dropped.
pub(super) struct Tiles(());

impl Blocks for Tiles {
    unsafe fn set_up() -> Self {
        #[repr(C, align(64))]
        struct Configuration {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        let mut configuration =
            Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        configuration.row_bytes[..8].fill(64);
        configuration.rows[..8].fill(TILE as u8);
        // SAFETY: the caller guarantees that the processor has AMX, and the configuration has 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &configuration, options(nostack, readonly)) };
        Self(())
    }

    unsafe fn block(&self, rows: &[Line], _: usize, columns: &[Line], start: &[f32], sums: *mut f32, stride: usize) {
        let steps = rows.len() / STEP;
        assert!(steps > 0 && rows.len() == columns.len() && start.len() == 2 * TILE, "operands of a block");
        // SAFETY: the caller guarantees that `sums` is valid, and the lengths of the slices are checked above. All instructions
        // are in one statement, because the compiler does not preserve tiles between two statements.
        unsafe {
            asm!(
                // With a stride of 0, all rows of the tile are equal.
                "tileloadd tmm0, [{start} + {nothing} * 1]",
                "tileloadd tmm1, [{start} + {nothing} * 1 + 64]",
                "tileloadd tmm2, [{start} + {nothing} * 1]",
                "tileloadd tmm3, [{start} + {nothing} * 1 + 64]",
                "2:",
                "tileloadd tmm4, [{rows} + {line} * 1]",
                "tileloadd tmm6, [{columns} + {line} * 1]",
                "tileloadd tmm7, [{columns} + {line} * 1 + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{rows} + {line} * 1 + 1024]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {rows}, 2048",
                "add {columns}, 2048",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{upper} + {stride} * 1], tmm0",
                "tilestored [{upper} + {stride} * 1 + 64], tmm1",
                "tilestored [{lower} + {stride} * 1], tmm2",
                "tilestored [{lower} + {stride} * 1 + 64], tmm3",
                start = in(reg) start.as_ptr(),
                nothing = in(reg) 0usize,
                rows = inout(reg) rows.as_ptr() => _,
                columns = inout(reg) columns.as_ptr() => _,
                steps = inout(reg) steps => _,
                line = in(reg) size_of::<Line>(),
                upper = in(reg) sums,
                lower = in(reg) sums.add(TILE * stride),
                stride = in(reg) stride * size_of::<f32>(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the tiles were configured on this thread.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}
