//! The fixed pool of pictures that live frames are made in: allocated once, lent, given back.
//!
//! A frame gives its picture back when it is dropped, wherever that happens. When all are lent there is none, and the
//! camera's frame is left out and counted: memory never grows with a slow consumer.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use heapless::Vec as BoundedVec;
use image::RgbImage;

use crate::frame::limits::FRAME_POOL_LEN;

type Free = Mutex<BoundedVec<RgbImage, FRAME_POOL_LEN>>;

// A thread that panicked while holding the lock left no half-done change: every change is one step.
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
            // No room for one is what "at most" means.
            let _ = free.push(RgbImage::new(width_px, height_px));
        }
        Self { free: Arc::new(Mutex::new(free)) }
    }

    /// A picture with the pixels of its last use; none when all are lent.
    pub fn lend(&self) -> Option<Picture> {
        let picture = lock(&self.free).pop()?;
        Some(Picture { picture, home: Some(Arc::clone(&self.free)) })
    }

    /// How many pictures can be lent now.
    pub fn free(&self) -> usize {
        lock(&self.free).len()
    }
}

/// A picture that goes back to its pool when it is dropped; one without a pool is simply freed.
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
            // There is room: this picture was taken out of it.
            let _ = lock(home).push(std::mem::take(&mut self.picture));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn pictures_are_lent_given_back_and_never_more_than_there_are() {
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
    fn a_copy_and_a_picture_of_ones_own_go_to_no_pool() {
        let pool = FramePool::new(2, 2, 1);
        let lent = pool.lend().unwrap();
        drop(lent.clone());
        drop(Picture::from(RgbImage::new(2, 2)));
        assert_eq!(pool.free(), 0);
        // A pool may end before what it lent.
        drop(pool);
        drop(lent);
    }
}
