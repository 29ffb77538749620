//! What an analysis found.

use image::RgbImage;

use crate::{
    cells::{Cell, Counts, Labels},
    frame::quality::Verdict,
    pipeline::Analysis,
    placement::{PitchSource, Scaled},
    scale::Note,
    segmentation::CellMaps,
};

/// What an analysis found in a picture; it lies in the memory of the analyser.
///
/// ```
/// use bloodseg_vision::{analyser::{Analyser, Options}, model::store::Models};
/// use image::{Rgb, RgbImage};
///
/// // Dark disks of 6 pixels on a light ground, at the scale of the models.
/// let picture = RgbImage::from_fn(96, 96, |x, y| {
///     let far = f64::from(x % 16).mul_add(1.0, -8.0).hypot(f64::from(y % 16) - 8.0);
///     if far < 3.0 { Rgb([190, 110, 120]) } else { Rgb([230, 225, 220]) }
/// });
/// let mut analyser = Analyser::new(&Models::embedded()?, Options::default().as_is())?;
/// let found = analyser.analyse(&picture)?;
/// match found.counts() {
///     Some(counts) => println!("{} cells, {:?} of them white", counts.cells, counts.white),
///     None => println!("not counted: {}", found.reason()),
/// }
/// for cell in found.cells() {
///     // Cells are measured on the super-resolved picture; these are pixels of the input.
///     let ([x, y], diameter) = (found.input_px(cell), found.input_diameter_px(cell));
///     println!("{} at {x:.1}, {y:.1}, {diameter:.1} px", cell.kind.name());
///     if let Some(um) = found.diameter_um(cell) {
///         println!("{um:.1} um");
///     }
/// }
/// # Ok::<(), bloodseg_vision::error::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    analysis: &'a Analysis,
    is_counted: bool,
    note: Option<Note>,
}

impl<'a> Found<'a> {
    /// What an analysis found that was taken out of its analyser ([`super::Analyser::exchange`]), with the options and
    /// the note of that time.
    pub fn new(analysis: &'a Analysis, any_quality: bool, note: Option<Note>) -> Self {
        Self { analysis, is_counted: analysis.quality.verdict.is_counted(any_quality), note }
    }

    /// Whether cells were counted. If not, [`Self::reason`] says why.
    pub fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// The counts; `None` if cells were not counted, which differs from a count of 0.
    pub fn counts(&self) -> Option<Counts> {
        self.is_counted.then(|| self.analysis.counts())
    }

    /// The cells and platelets, in order of their labels; lengths are in pixels of [`Self::picture`].
    pub fn cells(&self) -> &'a [Cell] {
        &self.analysis.cells
    }

    /// The centre of a cell in pixels of the input.
    pub fn input_px(&self, cell: &Cell) -> [f64; 2] {
        self.scaled().placement.on_input_px([cell.x_px, cell.y_px])
    }

    /// The diameter of the disk of a cell's area, in pixels of the input.
    pub fn input_diameter_px(&self, cell: &Cell) -> f64 {
        cell.equivalent_diameter_px * self.scaled().placement.input_px_per_sr_px()
    }

    /// The same in micrometres, if the pitch is known. If `scaled().source` is [`PitchSource::Measured`], the pitch is an
    /// estimate from red cells of 7.5 um, and so is the diameter.
    pub fn diameter_um(&self, cell: &Cell) -> Option<f64> {
        self.scaled().um_per_sr_px().map(|um| cell.equivalent_diameter_px * um)
    }

    /// One number per pixel of [`Self::picture`]: 0 is background, cells and platelets are 1 and above. A picture that was
    /// not counted has labels of the same size, all 0.
    pub fn labels(&self) -> &'a Labels {
        &self.analysis.labels
    }

    /// The super-resolved picture, four times the analysed one.
    pub fn picture(&self) -> &'a RgbImage {
        &self.analysis.sr
    }

    /// The maps that the cells were extracted from, of the same size.
    pub fn maps(&self) -> &'a CellMaps {
        &self.analysis.maps
    }

    /// Whether the picture shows cells that can be counted, or why not.
    pub fn verdict(&self) -> Verdict {
        self.analysis.quality.verdict
    }

    /// The verdict in words, with the value that decided it.
    pub fn reason(&self) -> String {
        self.analysis.quality.reason()
    }

    /// Where the analysed picture lies on the input, the pitch of the input, and how it is known.
    pub fn scaled(&self) -> &'a Scaled {
        &self.analysis.scaled
    }

    /// Input pixels per analysed pixel; `None` if the scale is unknown.
    pub fn scale(&self) -> Option<f64> {
        let Scaled { placement, um_per_px, source, .. } = self.scaled();
        let is_known = *source != PitchSource::None || um_per_px.is_some() || self.is_counted;
        is_known.then_some(placement.scale)
    }

    /// What was noticed about the scale: [`Note::Outlier`] for a picture that is analysed at its own scale, because its
    /// cells differ in size from those of the other pictures.
    pub fn note(&self) -> Option<Note> {
        self.note
    }

    /// Everything that the analysis consists of.
    pub fn analysis(&self) -> &'a Analysis {
        self.analysis
    }
}
