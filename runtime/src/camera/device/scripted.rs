//! A scripted device for tests in virtual time.

#![allow(clippy::unwrap_used)]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    Device, Fault, Format, Offer, OrFault, RawFrame, Settings, SizeOffer,
    layout::{Layout, Range},
};

/// What the device does at the next request for a frame.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// Deliver these bytes.
    Frame(Vec<u8>),
    /// Deliver a frame that is flagged as damaged.
    Damaged,
    /// Unplug; it stays away for this many attempts to open it.
    Unplug(u32),
    /// From the next opening on, offer only this format.
    Becomes(Offer),
}

/// State shared with the test while the camera owns the device.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) deeds: VecDeque<Deed>,
    pub(crate) away: u32,
    pub(crate) offers: Vec<Offer>,
    pub(crate) openings: u32,
    pub(crate) streaming: bool,
    pub(crate) settings: Settings,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scripted(pub(crate) Arc<Mutex<Script>>);

pub(crate) fn offer(fourcc: &[u8; 4], width: u32, height: u32) -> Offer {
    Offer { fourcc: *fourcc, sizes: vec![SizeOffer::Exact(width, height)] }
}

impl Scripted {
    pub(crate) fn new(offer: Offer, deeds: impl IntoIterator<Item = Deed>) -> Self {
        let script = Script { deeds: deeds.into_iter().collect(), offers: vec![offer], ..Script::default() };
        Self(Arc::new(Mutex::new(script)))
    }
}

impl Device for Scripted {
    fn offers(&mut self) -> OrFault<Vec<Offer>> {
        let mut script = self.0.lock().unwrap();
        script.openings += 1;
        script.streaming = false;
        if script.away > 0 {
            script.away -= 1;
            return Err(Fault::Gone("no such device".into()));
        }
        Ok(script.offers.clone())
    }

    fn start(&mut self, layout: Layout, (width_px, height_px): (u32, u32), settings: &Settings) -> OrFault<Format> {
        let mut script = self.0.lock().unwrap();
        script.streaming = true;
        script.settings = *settings;
        let stride = layout.row_bytes(width_px).unwrap_or(0);
        let most = layout.frame_bytes(height_px, stride).unwrap_or(1 << 20);
        Ok(Format {
            layout,
            width_px,
            height_px,
            stride_bytes: stride as u32,
            most_bytes: most as u32,
            range: Range::Full,
        })
    }

    fn next_frame(&mut self, _within: Duration, take: &mut dyn FnMut(RawFrame<'_>)) -> OrFault<bool> {
        let mut script = self.0.lock().unwrap();
        if !script.streaming {
            return Err(Fault::Gone("there is no stream".into()));
        }
        match script.deeds.pop_front() {
            Some(Deed::Frame(bytes)) => take(RawFrame { bytes: &bytes, damaged: false }),
            Some(Deed::Damaged) => take(RawFrame { bytes: &[], damaged: true }),
            Some(Deed::Unplug(away)) => {
                script.away = away;
                script.streaming = false;
                return Err(Fault::Gone("no such device".into()));
            }
            Some(Deed::Becomes(offer)) => {
                script.offers = vec![offer];
                return Ok(false);
            }
            None => return Ok(false),
        }
        Ok(true)
    }

    fn close(&mut self) {
        self.0.lock().unwrap().streaming = false;
    }
}
