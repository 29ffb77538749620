//! The system's allocator, counted.
//!
//! Wrapping the allocator is the only way to know the heap's true peak and its traffic on every platform; what is
//! counted costs a few relaxed atomic additions an allocation. A binary installs it:
//!
//! ```ignore
//! #[global_allocator]
//! static HEAP: bloodseg::memory::counting::Counting = bloodseg::memory::counting::Counting;
//! ```

// The one place of the crate with unsafe code: `GlobalAlloc` is an unsafe trait. Every method hands its arguments
// unchanged to `System`, whose contract is therefore kept by whoever keeps ours.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counted; see the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting;

/// The heap of the process, in bytes that were asked for: what the allocator adds to them is not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Heap {
    /// Allocated and not yet freed.
    pub live_bytes: usize,
    /// Greatest `live_bytes` since the start, or since [`restart_peak`].
    pub peak_bytes: usize,
    /// Allocations since the start; growing or shrinking one counts as another.
    pub allocations: u64,
}

/// The heap now; `None` where [`Counting`] is not the allocator of the process.
pub fn heap() -> Option<Heap> {
    // No program comes here without having allocated.
    let allocations = ALLOCATIONS.load(Relaxed);
    (allocations > 0).then(|| Heap {
        live_bytes: LIVE_BYTES.load(Relaxed),
        peak_bytes: PEAK_BYTES.load(Relaxed),
        allocations,
    })
}

/// Forgets the peak so far: it starts again from what is live.
pub fn restart_peak() {
    PEAK_BYTES.store(LIVE_BYTES.load(Relaxed), Relaxed);
}

fn grow(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    let live = LIVE_BYTES.fetch_add(bytes, Relaxed) + bytes;
    PEAK_BYTES.fetch_max(live, Relaxed);
}

// SAFETY: all memory comes from `System` with the caller's own layout; counting touches atomics alone.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` are passed on.
        let at = unsafe { System.alloc(layout) };
        if !at.is_null() {
            grow(layout.size());
        }
        at
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let at = unsafe { System.alloc_zeroed(layout) };
        if !at.is_null() {
            grow(layout.size());
        }
        at
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `System` with this layout, since all of ours do.
        unsafe { System.dealloc(at, layout) };
        LIVE_BYTES.fetch_sub(layout.size(), Relaxed);
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`; the caller promises that `size` is not 0 and fits the layout.
        let moved = unsafe { System.realloc(at, layout, size) };
        if !moved.is_null() {
            grow(size);
            LIVE_BYTES.fetch_sub(layout.size(), Relaxed);
        }
        moved
    }
}
