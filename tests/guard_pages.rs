//! Kernels read and write nothing beside what they are given: every buffer ends, and in a second turn begins, where memory ends
//! that may be touched. For processors on which AddressSanitizer doesn't run, and for assembly, which it doesn't see into.
//!
//! What is not covered: buffers inside others (weights of one layer beside those of the next, a stream's lines) and on the stack.
#![cfg(all(feature = "std", feature = "native", target_os = "linux"))]
#![allow(unsafe_code, reason = "an allocator")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking, their helpers too")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_int, c_long, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use harmonynet::classify::native::{
    Kernel, LANES, Layers, MAX_CHANNELS, MAX_HIDDEN, Model, Parts, ReadOut, Shape,
};
use harmonynet::spec::MEL_BANDS;

/// A multiple of every page size that these processors are run with.
const PAGE: usize = 16 << 10;
/// Address space for guarded buffers, none of which is ever given back.
const REGION: usize = 512 << 20;

/// Where buffers lie: 0 anywhere, 1 before an untouchable page, 2 behind one.
static SIDE: AtomicUsize = AtomicUsize::new(0);
/// Bytes of the region that are used.
static USED: AtomicUsize = AtomicUsize::new(0);
static BASE: OnceLock<usize> = OnceLock::new();

// Every program that uses `std` here is linked with the C library. Constants are Linux's, the same for all of its processors.
unsafe extern "C" {
    fn mmap(
        at: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: c_long,
    ) -> *mut c_void;
    fn mprotect(at: *mut c_void, length: usize, protection: c_int) -> c_int;
    fn pipe(ends: *mut c_int) -> c_int;
    fn write(file: c_int, from: *const c_void, length: usize) -> isize;
}
const NONE: c_int = 0;
const READ_WRITE: c_int = 3;
const PRIVATE_ANONYMOUS_NORESERVE: c_int = 0x02 | 0x20 | 0x4000;

struct Guarded;

#[global_allocator]
static ALLOCATOR: Guarded = Guarded;

fn is_guarded(at: *mut u8) -> bool {
    BASE.get().is_some_and(|base| (*base..base + REGION).contains(&(at as usize)))
}

/// Pages of its own between two that cannot be touched; null where none are left.
fn guarded(layout: Layout, side: usize) -> *mut u8 {
    let Some(base) = BASE.get() else { return std::ptr::null_mut() };
    let pages = layout.size().next_multiple_of(PAGE);
    let place = USED.fetch_add(pages + PAGE, Ordering::Relaxed);
    if place + pages + 2 * PAGE > REGION {
        return std::ptr::null_mut();
    }
    let first = base + place + PAGE;
    // SAFETY: within the region, which nobody else uses.
    if unsafe { mprotect(first as *mut c_void, pages, READ_WRITE) } != 0 {
        return std::ptr::null_mut();
    }
    // Sizes are multiples of alignments in all that kernels are given; elsewhere a few bytes are left.
    let last = (first + pages - layout.size()) & !(layout.align() - 1);
    (if side == 1 { last } else { first }) as *mut u8
}

// SAFETY: what the system's allocator gave is given back to it; what the region gave is never given back.
unsafe impl GlobalAlloc for Guarded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match SIDE.load(Ordering::Relaxed) {
            // SAFETY: as the caller promises.
            0 => unsafe { System.alloc(layout) },
            side => guarded(layout, side),
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if !is_guarded(at) {
            // SAFETY: it came from there.
            unsafe { System.dealloc(at, layout) }
        }
    }
}

/// Whether the kernel finds a byte readable.
fn is_readable(at: *const u8) -> bool {
    let mut ends = [0; 2];
    // SAFETY: a pipe has two ends; the kernel answers EFAULT where it cannot read.
    unsafe {
        assert_eq!(pipe(ends.as_mut_ptr()), 0);
        write(ends[1], at.cast(), 1) == 1
    }
}

fn bands(seed: usize) -> [i16; MEL_BANDS] {
    std::array::from_fn(|band| ((band * 7919 + seed * 104_729) % 4096) as i16 - 2048)
}

/// Runs every layer of a model in buffers at a boundary; what came out.
fn run(file: &[u8], kernel: Kernel) -> (Vec<Vec<i8>>, Vec<i32>) {
    let model = Model::new(file.to_vec().into_boxed_slice()).unwrap();
    let layers = Layers::new(&model, kernel);
    let frames: Vec<i8> = (0..4).flat_map(|frame| layers.input(&bands(frame))).collect();
    let mut lines = vec![layers.pooled(0, &frames).unwrap()];
    for conv in 1..=2 {
        let four = lines[conv - 1].repeat(4);
        lines.push(layers.pooled(conv, &four).unwrap());
    }
    // Of its own size, unlike a vector that grew.
    let features = lines[2].clone().into_boxed_slice();
    let gates = layers.projected(&features).unwrap();
    let window = gates.repeat(model.shape().steps);
    let _ = layers.logits(&window);
    (lines, gates)
}

#[test]
fn kernels_touch_nothing_beside_their_buffers() {
    // SAFETY: a fresh region of its own.
    let base =
        unsafe { mmap(std::ptr::null_mut(), REGION, NONE, PRIVATE_ANONYMOUS_NORESERVE, -1, 0) } as usize;
    assert_ne!(base, usize::MAX, "no address space");
    // The region begins where a page does; the first that is used begins with a multiple of ours.
    USED.store(base.next_multiple_of(PAGE) - base, Ordering::Relaxed);
    BASE.set(base).unwrap();

    // The guard itself: one byte further is out of reach.
    for side in [1, 2] {
        let layout = Layout::from_size_align(100, 1).unwrap();
        let buffer = guarded(layout, side);
        let beside = if side == 1 { buffer.wrapping_add(100) } else { buffer.wrapping_sub(1) };
        assert!(is_readable(buffer) && is_readable(buffer.wrapping_add(99)) && !is_readable(beside));
    }

    let shape =
        |channels, hidden, labels| Shape { steps: 2, channels, hidden, labels, read_out: ReadOut::Mean };
    let shapes = [
        shape([LANES; 3], LANES, 2),
        shape([32, 16, 48], 48, 3),
        shape([16, 48, 16], 32, 10),
        shape(MAX_CHANNELS, MAX_HIDDEN, 32),
    ];
    for shape in shapes {
        let file = Parts::random(&shape, 11).to_file().unwrap();
        let expected = run(&file, Kernel::PORTABLE);
        for kernel in Kernel::available() {
            for side in [1, 2] {
                SIDE.store(side, Ordering::Relaxed);
                let found = run(&file, kernel);
                SIDE.store(0, Ordering::Relaxed);
                assert!(found == expected, "{kernel:?}, {shape:?}, side {side}");
            }
        }
    }
    assert!(USED.load(Ordering::Relaxed) < REGION, "the region is too small");
    println!(
        "{:?}: {} MiB of guarded buffers",
        Kernel::available().collect::<Vec<_>>(),
        USED.load(Ordering::Relaxed) >> 20
    );
}
