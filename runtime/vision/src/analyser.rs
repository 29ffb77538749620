//! The entry point of this library: pictures in, cells out, as `bloodseg segment` finds them.
//!
//! [`Options`] say how pictures are analysed, an [`Analyser`] analyses one after another in the same memory, and a
//! [`Found`] is what it found in the latest one.

mod found;
mod known;
mod options;

use std::{borrow::Borrow, collections::BTreeMap};

use image::RgbImage;

use crate::{
    engine::Setup,
    error::{Error, Result},
    frame::limits::{MAX_PICTURE_SIDE_PX, MAX_WHOLE_FIELD_PX},
    geometry::MAX_TILED_PX,
    model::store::Models,
    pipeline::{Analysis, Pipeline},
    placement::{PitchSource, Scaled, size_at},
    scale::{LOOK_PX, Learning, Note, Outcome, Pooled, Scaler, least_factor, measuring_bytes},
};
pub use found::Found;
pub use known::Known;
pub use options::Options;

/// Finds the cells of one picture after another, in the same memory.
///
/// It is [`Send`] and has no global state: a program may have several, on as many threads. [`Self::another`] makes one
/// that shares the weights of the models.
#[derive(Debug)]
pub struct Analyser {
    pipeline: Pipeline,
    scaler: Scaler,
    options: Options,
    /// What the scaler reported about the latest picture.
    note: Option<Note>,
}

/// The result of [`Analyser::share_scale`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shared {
    /// The common scale; `None` if the pictures do not agree on one, or none was needed.
    pub pooled: Option<Pooled>,
    /// Measurements of single pictures, by their number, for [`Known::measured`].
    pub measured: BTreeMap<usize, Outcome>,
}

impl Analyser {
    /// Loads models and checks them: built-in models by a short check, others by their golden outputs.
    ///
    /// ```
    /// use bloodseg_vision::{analyser::{Analyser, Options}, model::store::Models};
    ///
    /// let analyser = Analyser::new(&Models::embedded()?, Options::default())?;
    /// # Ok::<(), bloodseg_vision::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Model`] if a model cannot run or computes something else than it should; [`Error::Input`] with the name of
    /// an option that is out of range; [`Error::Picture`] for a memory limit that not even a small picture fits into.
    pub fn new(models: &Models, options: Options) -> Result<Self> {
        options.check()?;
        Self::over(Pipeline::start_with(models, &Setup::default(), options.threads)?, options)
    }

    /// The same with a pipeline that was already loaded; the number of threads is the pipeline's.
    ///
    /// # Errors
    /// [`Error::Input`] and [`Error::Picture`] as for [`Self::new`].
    pub fn over(pipeline: Pipeline, options: Options) -> Result<Self> {
        options.check()?;
        let scaler = Scaler::new(options.any_quality, Learning::Probed);
        let this = Self { pipeline, scaler, options, note: None };
        // A limit that is too low for any picture is an error of the options.
        this.most_px((1, 1))?;
        Ok(this)
    }

    /// An analyser with the same options and the same shared scale, for another thread. The weights of the models are
    /// shared, buffers are not.
    ///
    /// ```
    /// use bloodseg_vision::{analyser::{Analyser, Options}, model::store::Models};
    /// use image::RgbImage;
    ///
    /// let mut one = Analyser::new(&Models::embedded()?, Options::default().as_is())?;
    /// let mut other = one.another()?;
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| one.analyse(&RgbImage::new(64, 64)).map(|found| found.counts()));
    ///     scope.spawn(|| other.analyse(&RgbImage::new(96, 64)).map(|found| found.counts()));
    /// });
    /// # Ok::<(), bloodseg_vision::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Model`] if the engine cannot be set up again.
    pub fn another(&self) -> Result<Self> {
        self.another_with(self.options.threads)
    }

    /// The same with another number of threads for the tiles of a picture: one, where several analysers share the cores.
    ///
    /// # Errors
    /// As [`Self::another`], and [`Error::Picture`] for a number of threads that makes no sense.
    pub fn another_with(&self, threads: usize) -> Result<Self> {
        let options = Options { threads, ..self.options };
        options.check()?;
        let (pipeline, scaler) = (self.pipeline.another(threads)?, self.scaler.another());
        Ok(Self { pipeline, scaler, options, note: None })
    }

    /// Finds the scale that `count` pictures of one microscope share, as `bloodseg segment` does for a folder: up to nine
    /// of them, spread over all, are measured until they agree. Later pictures are analysed at that scale if it fits them.
    /// `picture` returns a picture by its number, or `None` for one that cannot be read or has a pitch of its own.
    ///
    /// With a given pitch, or for pictures that are analysed as they are, nothing is measured.
    ///
    /// ```
    /// use bloodseg_vision::{analyser::{Analyser, Known, Options}, model::store::Models};
    /// use image::RgbImage;
    ///
    /// let pictures = [RgbImage::new(320, 240), RgbImage::new(320, 240)];
    /// let mut analyser = Analyser::new(&Models::embedded()?, Options::default())?;
    /// let shared = analyser.share_scale(pictures.len(), |at| Ok(pictures.get(at)))?;
    /// for (at, picture) in pictures.iter().enumerate() {
    ///     let known = Known { measured: shared.measured.get(&at).copied(), ..Known::default() };
    ///     println!("{}", analyser.analyse_known(picture, &known)?.reason());
    /// }
    /// # Ok::<(), bloodseg_vision::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the models, and of `picture`.
    pub fn share_scale<P: Borrow<RgbImage>>(
        &mut self,
        count: usize,
        picture: impl FnMut(usize) -> Result<Option<P>>,
    ) -> Result<Shared> {
        let is_known = self.options.as_is || self.options.um_per_px.is_some();
        let (pooled, measured) = self.scaler.share(&mut self.pipeline, if is_known { 0 } else { count }, picture)?;
        Ok(Shared { pooled, measured })
    }

    /// Analyses a picture of any magnification.
    ///
    /// ```
    /// use bloodseg_vision::{analyser::{Analyser, Options}, model::store::Models};
    /// use image::RgbImage;
    ///
    /// let mut analyser = Analyser::new(&Models::embedded()?, Options::default())?;
    /// let found = analyser.analyse(&RgbImage::new(320, 240))?;
    /// // A black picture: it is not counted, which differs from a count of 0.
    /// assert!(found.counts().is_none() && found.reason().starts_with("under-exposed"));
    /// # Ok::<(), bloodseg_vision::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Picture`] for an empty picture, one that is too large at the scale of the models or for the limit on
    /// memory, or one with too many cells.
    pub fn analyse(&mut self, picture: &RgbImage) -> Result<Found<'_>> {
        self.analyse_known(picture, &Known::default())
    }

    /// The same for rows of red, green and blue bytes from the top, without gaps.
    ///
    /// ```
    /// use bloodseg_vision::{analyser::{Analyser, Options}, model::store::Models};
    ///
    /// let mut analyser = Analyser::new(&Models::embedded()?, Options::default().as_is())?;
    /// let found = analyser.analyse_rgb(vec![255; 3 * 64 * 48], 64, 48)?;
    /// assert_eq!(found.picture().dimensions(), (256, 192));
    /// assert!(analyser.analyse_rgb(vec![255; 7], 64, 48).is_err());
    /// # Ok::<(), bloodseg_vision::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::analyse`], and [`Error::Picture`] for another number of bytes.
    pub fn analyse_rgb(&mut self, rgb: Vec<u8>, width: u32, height: u32) -> Result<Found<'_>> {
        self.pipeline.forget();
        let bytes = rgb.len();
        // It also takes longer vectors.
        let picture = RgbImage::from_raw(width, height, rgb);
        let picture =
            picture.filter(|picture| picture.as_raw().len() as u64 == 3 * u64::from(width) * u64::from(height));
        let picture = picture.ok_or_else(|| {
            let expected = format!("3 * {width} * {height} bytes, red, green and blue of each pixel in rows");
            Error::picture(format!("{bytes} bytes"), expected, "Remove padding between rows and an alpha channel")
        })?;
        self.analyse(&picture)
    }

    /// The same for a picture about which more is known than its pixels.
    ///
    /// # Errors
    /// As [`Self::analyse`], and [`Error::Picture`] for a pitch or a placement outside the limits of [`Known`].
    pub fn analyse_known(&mut self, picture: &RgbImage, known: &Known) -> Result<Found<'_>> {
        self.pipeline.forget();
        self.note = None;
        check_size(picture)?;
        known.check(self.options.um_per_px)?;
        let origin = self.origin(known);
        self.scaler.limit(self.most_px(picture.dimensions())?);
        if self.options.as_is {
            self.scaler.as_it_is(&mut self.pipeline, picture, &origin)?;
        } else {
            self.note = self.scaler.analyse(&mut self.pipeline, picture, &origin, known.measured)?;
        }
        self.latest().ok_or_else(|| Error::internal("analyser", "no analysis"))
    }

    /// A given pitch takes precedence over that of the file.
    fn origin(&self, known: &Known) -> Scaled {
        let given = self.options.um_per_px;
        let source = if given.is_some() { PitchSource::Given } else { PitchSource::Metadata };
        let scaled = Scaled::as_it_is(given.or(known.um_per_px), source);
        Scaled { placement: known.placement, ..scaled }
    }

    /// What was found in the latest picture; `None` before the first, after a failed one, and after [`Self::exchange`].
    pub fn latest(&self) -> Option<Found<'_>> {
        self.pipeline.latest().map(|analysis| Found::new(analysis, self.options.any_quality, self.note))
    }

    /// Swaps the latest analysis with an earlier one, whose memory is used again, or with `Analysis::default()`: for
    /// results that are kept while the next picture is analysed.
    ///
    /// ```
    /// use bloodseg_vision::{analyser::{Analyser, Options}, model::store::Models, pipeline::Analysis};
    /// use image::RgbImage;
    ///
    /// let mut analyser = Analyser::new(&Models::embedded()?, Options::default().as_is())?;
    /// analyser.analyse(&RgbImage::new(64, 64))?;
    /// let labels = analyser.exchange(Analysis::default()).labels.into_raw();
    /// assert_eq!(labels.len(), 256 * 256);
    /// # Ok::<(), bloodseg_vision::error::Error>(())
    /// ```
    pub fn exchange(&mut self, memory: Analysis) -> Analysis {
        self.pipeline.exchange(memory)
    }

    /// The options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The steps and the models behind it.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Most heap bytes that the analysis of a picture of `width` x `height` takes, including the models and the results,
    /// without the picture itself. Pictures that are no larger need no more, however many there are.
    ///
    /// A picture whose scale is measured may be analysed enlarged, which the figure allows for; with a pitch, or as it is,
    /// the figure is several times smaller. It assumes the pitch of the options; for the pitch of a file see
    /// [`Self::memory_bytes_known`]. It never exceeds the limit, even for a picture that will be rejected.
    ///
    /// ```
    /// use bloodseg_vision::{analyser::{Analyser, Options}, model::store::Models};
    ///
    /// let models = Models::embedded()?;
    /// let bytes = |options| Ok::<_, bloodseg_vision::error::Error>(Analyser::new(&models, options)?.memory_bytes(320, 240));
    /// assert!(bytes(Options::default().as_is())? < bytes(Options::default())?);
    /// assert!(bytes(Options::default().um_per_px(0.1))? < bytes(Options::default().as_is())?);
    /// # Ok::<(), bloodseg_vision::error::Error>(())
    /// ```
    pub fn memory_bytes(&self, width: u32, height: u32) -> u64 {
        self.memory_bytes_known(width, height, &Known::default())
    }

    /// The same for [`Self::analyse_known`]. A coarse pitch enlarges a picture: at 6 um per pixel it takes twenty times the
    /// memory that it takes at the pitch of the models.
    ///
    /// ```
    /// use bloodseg_vision::{analyser::{Analyser, Known, Options}, model::store::Models};
    ///
    /// let analyser = Analyser::new(&Models::embedded()?, Options::default())?;
    /// let bytes = |um| analyser.memory_bytes_known(320, 240, &Known { um_per_px: Some(um), ..Known::default() });
    /// assert!(bytes(0.2) < bytes(6.0));
    /// # Ok::<(), bloodseg_vision::error::Error>(())
    /// ```
    pub fn memory_bytes_known(&self, width: u32, height: u32, known: &Known) -> u64 {
        let most_px = self.most_px((width, height)).unwrap_or(0);
        let (to_width, to_height) = match (self.options.as_is, self.origin(known).um_per_analysed_px()) {
            (true, _) => (width, height),
            (false, Some(um)) => size_at((width, height), self.pipeline.pitch().um_per_px / um),
            (false, None) => size_at((width, height), least_factor(&self.pipeline)),
        };
        let shrink = (most_px as f64 / (f64::from(to_width) * f64::from(to_height))).sqrt().min(1.0);
        let bytes = self.bytes_at((width, height), shape((to_width, to_height), shrink));
        // The sides of the largest picture that is not refused are rounded up above.
        bytes.min(self.options.most_bytes.unwrap_or(u64::MAX))
    }

    /// Most bytes for a picture that is analysed at this size.
    fn bytes_at(&self, (width, height): (u32, u32), (to_width, to_height): (u32, u32)) -> u64 {
        let is_measured = !self.options.as_is && self.options.um_per_px.is_none();
        // A picture of unknown scale is shown at a size of its own.
        let (measuring, looking) =
            if is_measured { (measuring_bytes(width, height), self.look_bytes()) } else { (0, 0) };
        let analysed = self.pipeline.frame_bytes(to_width, to_height).max(looking);
        let rescaled = 3 * u64::from(to_width) * u64::from(to_height)
            + RESCALING_BYTES_PER_SIDE_PX * u64::from(width.max(to_width) + height.max(to_height));
        self.pipeline.model_bytes() + measuring + if self.options.as_is { 0 } else { rescaled } + analysed
    }

    /// Bytes for showing a picture of unknown scale.
    fn look_bytes(&self) -> u64 {
        self.pipeline.frame_bytes(LOOK_PX as u32, LOOK_PX as u32)
    }

    /// Most pixels at which a picture of this shape is analysed, within the limit on memory.
    ///
    /// # Errors
    /// [`Error::Picture`] if the limit is too low for any.
    fn most_px(&self, size: (u32, u32)) -> Result<u64> {
        let Some(most_bytes) = self.options.most_bytes else { return Ok(MAX_TILED_PX) };
        let longer = f64::from(size.0.max(size.1).max(1));
        let of_side = |side: u32| shape(size, f64::from(side) / longer);
        let fits = |side: u32| self.bytes_at(size, of_side(side)) <= most_bytes;
        if !fits(1) {
            let found = format!("a limit of {most_bytes} bytes of memory");
            let least = self.bytes_at(size, of_side(1));
            let expected = format!("at least {least} bytes for a picture of {}x{} pixels", size.0, size.1);
            return Err(Error::picture(found, expected, "Raise the limit, or pass a smaller picture"));
        }
        let (mut low, mut high) = (1, MAX_PICTURE_SIDE_PX + 1);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if fits(middle) { low = middle } else { high = middle }
        }
        let (width, height) = of_side(low);
        Ok((u64::from(width) * u64::from(height)).min(MAX_TILED_PX))
    }
}

/// Refuses pictures that no decoder would return, before anything is computed from their size.
fn check_size(picture: &RgbImage) -> Result<()> {
    let (width, height) = picture.dimensions();
    if width.max(height) <= MAX_PICTURE_SIDE_PX && u64::from(width) * u64::from(height) <= MAX_WHOLE_FIELD_PX {
        return Ok(());
    }
    let expected = format!("at most {MAX_PICTURE_SIDE_PX} pixels a side, and {MAX_WHOLE_FIELD_PX} in total");
    Err(Error::picture(format!("{width}x{height} pixels"), expected, "Crop the picture"))
}

/// Bytes per pixel of the longer sides for rescaling: weights, and rows that are kept.
const RESCALING_BYTES_PER_SIDE_PX: u64 = 256;

/// A size times a factor.
fn shape((width, height): (u32, u32), factor: f64) -> (u32, u32) {
    let side = |px: u32| ((f64::from(px) * factor).ceil() as u32).max(1);
    (side(width), side(height))
}

#[cfg(test)]
mod tests;
