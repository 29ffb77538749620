//! A counting wrapper around the system allocator.
//!
//! Wrapping the allocator is the only way to know the true peak and traffic of the heap on every platform, and costs a
//! few relaxed atomic additions per allocation. A binary installs it:
//!
//! ```ignore
//! #[global_allocator]
//! static HEAP: crate::memory::counting::Counting = crate::memory::counting::Counting;
//! ```
//!
//! A process may set a [`limit`]. An allocation that would exceed it is refused with one line on stderr, written without
//! allocating; Rust then ends the process (SIGABRT), and its supervisor restarts it. This way the process that takes too
//! much ends itself with a message, before the kernel selects one to kill.

// `GlobalAlloc` is an unsafe trait. Every method passes its arguments unchanged to `System`, so callers that keep our
// contract keep its contract, or refuses, which the trait allows.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIMIT_BYTES: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The system allocator with counters; see the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting;

/// The heap of the process, in requested bytes, without the allocator's overhead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Heap {
    /// Allocated and not yet freed.
    pub live_bytes: usize,
    /// Greatest `live_bytes` since the start, or since [`restart_peak`].
    pub peak_bytes: usize,
    /// Allocations since the start; growing or shrinking one counts as another.
    pub allocations: u64,
}

/// The current heap; `None` if [`Counting`] is not the allocator of the process.
pub fn heap() -> Option<Heap> {
    // Every program has allocated by the time it gets here.
    let allocations = ALLOCATIONS.load(Relaxed);
    (allocations > 0).then(|| Heap {
        live_bytes: LIVE_BYTES.load(Relaxed),
        peak_bytes: PEAK_BYTES.load(Relaxed),
        allocations,
    })
}

/// Resets the peak to the live bytes.
pub fn restart_peak() {
    PEAK_BYTES.store(LIVE_BYTES.load(Relaxed), Relaxed);
}

/// Limits the heap to `bytes` from now on; see the module. Live allocations are not affected.
pub fn limit(bytes: usize) {
    LIMIT_BYTES.store(bytes, Relaxed);
}

/// Adds `bytes` to the count; returns false, with a message on stderr, if that would exceed the limit.
fn grow(bytes: usize) -> bool {
    let before = LIVE_BYTES.fetch_add(bytes, Relaxed);
    let limit = LIMIT_BYTES.load(Relaxed);
    let live = before.saturating_add(bytes);
    if live > limit {
        LIVE_BYTES.fetch_sub(bytes, Relaxed);
        report(limit, before, bytes);
        return false;
    }
    ALLOCATIONS.fetch_add(1, Relaxed);
    PEAK_BYTES.fetch_max(live, Relaxed);
    true
}

/// Records a successful allocation, or undoes the count of a failed one.
fn given(at: *mut u8, bytes: usize) -> *mut u8 {
    if at.is_null() {
        LIVE_BYTES.fetch_sub(bytes, Relaxed);
    }
    at
}

/// Writes one line to stderr without an allocation or a lock: the caller may hold any lock.
#[cfg(unix)]
fn report(limit_bytes: usize, live_bytes: usize, wanted_bytes: usize) {
    use std::{fs::File, io::Write, mem::ManuallyDrop, os::fd::FromRawFd};

    let mut line = [0_u8; 200];
    let mut rest = line.as_mut_slice();
    // What does not fit is cut.
    let _ = writeln!(
        rest,
        "bloodseg: out of memory: {wanted_bytes} bytes wanted, {live_bytes} of the heap limit of {limit_bytes} bytes \
         in use; raise budget.total_mib, or choose smaller frames"
    );
    let left = rest.len();
    let written = line.len() - left;
    // SAFETY: the descriptor is not closed, because the file is never dropped. If it is already closed, the write fails
    // without effect.
    let mut stderr = ManuallyDrop::new(unsafe { File::from_raw_fd(2) });
    let _ = stderr.write_all(&line[..written]);
}

#[cfg(not(unix))]
fn report(_: usize, _: usize, _: usize) {}

// SAFETY: all memory comes from `System` with the caller's own layout; counting only touches atomics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's guarantees about `layout` are passed on.
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
        // SAFETY: `at` came from `System` with this layout, like all of ours.
        unsafe { System.dealloc(at, layout) };
        LIVE_BYTES.fetch_sub(layout.size(), Relaxed);
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may exist at the same time.
        if !grow(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: as in `dealloc`; the caller guarantees that `size` is not 0 and fits the layout.
        let moved = given(unsafe { System.realloc(at, layout, size) }, size);
        if !moved.is_null() {
            LIVE_BYTES.fetch_sub(layout.size(), Relaxed);
        }
        moved
    }
}
