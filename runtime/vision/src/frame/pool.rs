//! A fixed pool of pictures for live frames, allocated once.
//!
//! A frame returns its picture to the pool when it is dropped. If all are in use, the camera's frame is discarded and
//! counted: a slow consumer never makes memory grow.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use heapless::Vec as BoundedVec;
use image::RgbImage;

use crate::frame::limits::FRAME_POOL_LEN;

type Free = Mutex<BoundedVec<RgbImage, FRAME_POOL_LEN>>;

// Every change is a single step, so a thread that panicked while holding the lock left nothing half done.
fn lock(free: &Free) -> MutexGuard<'_, BoundedVec<RgbImage, FRAME_POOL_LEN>> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pictures of one size.
#[derive(Debug)]
pub struct FramePool {
    free: Arc<Free>,
}

impl FramePool {
    /// Allocates `count` pictures of `width_px` x `height_px`, [`FRAME_POOL_LEN`] at most.
    pub fn new(width_px: u32, height_px: u32, count: usize) -> Self {
        let mut free = BoundedVec::new();
        for _ in 0..count {
            // Exceeding the capacity is not an error: "at most".
            let _ = free.push(RgbImage::new(width_px, height_px));
        }
        Self { free: Arc::new(Mutex::new(free)) }
    }

    /// A picture with the contents of its last use; `None` if all are in use.
    pub fn lend(&self) -> Option<Picture> {
        let picture = lock(&self.free).pop()?;
        Some(Picture { picture, home: Some(Arc::clone(&self.free)) })
    }

    /// Number of pictures available.
    pub fn free(&self) -> usize {
        lock(&self.free).len()
    }
}

/// A picture that returns to its pool when dropped; one without a pool is freed.
#[derive(Debug)]
pub struct Picture {
    picture: RgbImage,
    home: Option<Arc<Free>>,
}

impl From<RgbImage> for Picture {
    fn from(picture: RgbImage) -> Self {
        Self { picture, home: None }
    }
}

/// A copy belongs to no pool.
impl Clone for Picture {
    fn clone(&self) -> Self {
        self.picture.clone().into()
    }
}

impl Deref for Picture {
    type Target = RgbImage;

    fn deref(&self) -> &RgbImage {
        &self.picture
    }
}

impl DerefMut for Picture {
    fn deref_mut(&mut self) -> &mut RgbImage {
        &mut self.picture
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            // There is room: this picture was taken from it.
            let _ = lock(home).push(std::mem::take(&mut self.picture));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn pool_lends_and_reuses_pictures_up_to_its_size() {
        let pool = FramePool::new(8, 4, 2);
        let (one, two) = (pool.lend().unwrap(), pool.lend().unwrap());
        let places = [one.as_raw().as_ptr(), two.as_raw().as_ptr()];
        assert!(pool.lend().is_none() && one.dimensions() == (8, 4));
        drop(one);
        assert_eq!(pool.lend().unwrap().as_raw().as_ptr(), places[0], "the same memory again");
        drop(two);
        assert_eq!(pool.free(), 2);
        assert_eq!(FramePool::new(1, 1, 1000).free(), FRAME_POOL_LEN);
    }

    #[test]
    fn copies_and_unpooled_pictures_do_not_enter_the_pool() {
        let pool = FramePool::new(2, 2, 1);
        let lent = pool.lend().unwrap();
        drop(lent.clone());
        drop(Picture::from(RgbImage::new(2, 2)));
        assert_eq!(pool.free(), 0);
        // A pool may be dropped before the pictures it lent.
        drop(pool);
        drop(lent);
    }
}
