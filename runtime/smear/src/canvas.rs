//! The contents of the glass: optical density, and the cell that owns each pixel.

use super::{
    outline::{At, Outline},
    stain::Density,
    texture::smooth_step,
};

/// The glass of one field.
#[derive(Debug)]
pub(crate) struct Canvas {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Optical density in R, G, B, row by row.
    pub(crate) density: Vec<[f32; 3]>,
    /// Number of the cell that owns the pixel, 0 for none.
    pub(crate) owner: Vec<u32>,
    /// Depth of the pixel inside its owner, in pixels.
    depth_px: Vec<f32>,
}

impl Canvas {
    /// Empty glass.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let pixels = width as usize * height as usize;
        Self { width, height, density: vec![[0.0; 3]; pixels], owner: vec![0; pixels], depth_px: vec![0.0; pixels] }
    }

    /// Empty glass without owners, for a picture without its truth: takes less than half of the memory.
    pub(crate) fn without_owners(width: u32, height: u32) -> Self {
        let density = vec![[0.0; 3]; width as usize * height as usize];
        Self { width, height, density, owner: Vec::new(), depth_px: Vec::new() }
    }

    /// Adds an object to the glass. Its density adds to what is there.
    ///
    /// With a `number` it is a cell: it owns the pixels inside its outline. Where two cells overlap, a pixel belongs to
    /// the one in which it lies deeper, so that the cut runs along the middle of the overlap, as annotators draw it.
    pub(crate) fn lay(&mut self, outline: &Outline, number: Option<u32>, density: impl Fn(&At) -> Density) {
        let reach_px = outline.reach_px();
        let columns = span(outline.x_px, reach_px, self.width);
        let rows = span(outline.y_px, reach_px, self.height);
        for y in rows {
            for x in columns.clone() {
                let at = outline.at(f64::from(x) + 0.5, f64::from(y) + 0.5);
                let half = outline.softness_px / 2.0;
                let cover = smooth_step(-half, half, at.depth_px);
                if cover <= 0.0 {
                    continue;
                }
                let place = y as usize * self.width as usize + x as usize;
                let laid = density(&at);
                for (sum, channel) in self.density[place].iter_mut().zip(laid) {
                    *sum += (channel * cover) as f32;
                }
                let depth_px = at.depth_px as f32;
                if let Some(number) = number
                    && let Some(deepest_px) = self.depth_px.get_mut(place).filter(|deepest_px| depth_px > **deepest_px)
                {
                    self.owner[place] = number;
                    *deepest_px = depth_px;
                }
            }
        }
    }
}

/// Pixels from `centre - reach` to `centre + reach` that lie on the glass.
fn span(centre_px: f64, reach_px: f64, size: u32) -> std::ops::Range<u32> {
    let low = (centre_px - reach_px).floor().clamp(0.0, f64::from(size)) as u32;
    let high = (centre_px + reach_px).ceil().clamp(0.0, f64::from(size)) as u32;
    low..high
}
