//! The system's allocator, counted.
//!
//! Wrapping the allocator is the only way to know the heap's true peak and its traffic on every platform; what is
//! counted costs a few relaxed atomic additions an allocation. A binary installs it:
//!
//! ```ignore
//! #[global_allocator]
//! static HEAP: crate::memory::counting::Counting = crate::memory::counting::Counting;
//! ```
//!
//! A process may set itself a [`limit`]. An allocation that would pass it is refused with one line on stderr, written
//! without an allocation; Rust then ends the process (SIGABRT), whose supervisor starts it again. So what takes too much is
//! named and ends by itself, before the kernel looks for something to kill.

// The one place of the crate with unsafe code: `GlobalAlloc` is an unsafe trait. Every method hands its arguments
// unchanged to `System`, whose contract is therefore kept by whoever keeps ours, or refuses, which the trait allows.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIMIT_BYTES: AtomicUsize = AtomicUsize::new(usize::MAX);

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

/// No allocation may take the heap beyond `bytes` from now on; see the module. What is live already stays.
pub fn limit(bytes: usize) {
    LIMIT_BYTES.store(bytes, Relaxed);
}

/// Makes room for `bytes` in the count; false, with word on stderr, where that would pass the limit.
fn grow(bytes: usize) -> bool {
    let before = LIVE_BYTES.fetch_add(bytes, Relaxed);
    let limit = LIMIT_BYTES.load(Relaxed);
    let live = before.saturating_add(bytes);
    if live > limit {
        LIVE_BYTES.fetch_sub(bytes, Relaxed);
        tell(limit, before, bytes);
        return false;
    }
    ALLOCATIONS.fetch_add(1, Relaxed);
    PEAK_BYTES.fetch_max(live, Relaxed);
    true
}

/// Counts what the system has given, or takes back what it has not.
fn given(at: *mut u8, bytes: usize) -> *mut u8 {
    if at.is_null() {
        LIVE_BYTES.fetch_sub(bytes, Relaxed);
    }
    at
}

/// One line on stderr without an allocation and without a lock: whoever asked for memory may hold any.
#[cfg(unix)]
fn tell(limit_bytes: usize, live_bytes: usize, wanted_bytes: usize) {
    use std::{fs::File, io::Write, mem::ManuallyDrop, os::fd::FromRawFd};

    let mut line = [0_u8; 200];
    let mut rest = line.as_mut_slice();
    // What does not fit is cut.
    let _ = writeln!(
        rest,
        "bloodseg: out of memory: {wanted_bytes} bytes wanted, {live_bytes} of the heap's limit of {limit_bytes} bytes \
         in use; raise budget.total_mib, or choose smaller frames"
    );
    let left = rest.len();
    let written = line.len() - left;
    // SAFETY: the descriptor is not closed, since the file is never dropped; one that is closed already makes the write
    // fail, which changes nothing.
    let mut stderr = ManuallyDrop::new(unsafe { File::from_raw_fd(2) });
    let _ = stderr.write_all(&line[..written]);
}

#[cfg(not(unix))]
fn tell(_: usize, _: usize, _: usize) {}

// SAFETY: all memory comes from `System` with the caller's own layout; counting touches atomics alone.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` are passed on.
        if grow(layout.size()) { given(unsafe { System.alloc(layout) }, layout.size()) } else { std::ptr::null_mut() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        if grow(layout.size()) {
            given(unsafe { System.alloc_zeroed(layout) }, layout.size())
        } else {
            std::ptr::null_mut()
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `System` with this layout, since all of ours do.
        unsafe { System.dealloc(at, layout) };
        LIVE_BYTES.fetch_sub(layout.size(), Relaxed);
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may be there at the same time.
        if !grow(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: as in `dealloc`; the caller promises that `size` is not 0 and fits the layout.
        let moved = given(unsafe { System.realloc(at, layout, size) }, size);
        if !moved.is_null() {
            LIVE_BYTES.fetch_sub(layout.size(), Relaxed);
        }
        moved
    }
}
