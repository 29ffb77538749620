//! Labels of a teacher: models of a finer pitch on the undegraded pictures of laboratories. They label what people did not, and
//! give half of the depth, so that a student learns where a better model separates cells (distillation: Hinton et al., 2015).

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use image::{GrayImage, RgbImage, imageops::rotate90};
use indicatif::ParallelProgressIterator;
use rayon::prelude::*;

use super::{
    field::{Field, class},
    pitch::RED_CELL_UM,
};
use crate::progress;
use bloodseg_vision::{
    analyser::{Analyser, Known, Options},
    frame::resize::resize_gray,
    geometry::REFERENCE_LR_PX,
    model::store::Models,
};

/// Probability from which a label of the teacher counts.
const SURE: f64 = 0.9;

/// Levels of a logit, and the level of 0.
const LEVELS: (f64, f64) = (16.0, 128.0);

/// Orientations of a picture whose mean is the answer.
const ORIENTATIONS: usize = 4;

/// Models that label pictures.
#[derive(Debug)]
pub struct Teacher(Models);

/// What the teacher says of each pixel of a picture, as probabilities.
struct Answer {
    foreground: Vec<f64>,
    core: Vec<f64>,
    white: Vec<f64>,
    platelet: Vec<f64>,
}

impl Teacher {
    /// Loads a teacher for models of red cells of `red_cell_lr_px` on a 64x64 frame.
    ///
    /// # Errors
    /// Models that cannot be loaded, that are no finer, that report no kinds, or that were trained on the laboratory that is
    /// left out.
    pub fn load(folder: &Path, red_cell_lr_px: f64, left_out: Option<&str>) -> Result<Self> {
        Self::of(Models::load(folder)?, red_cell_lr_px, left_out).with_context(|| folder.display().to_string())
    }

    fn of(models: Models, red_cell_lr_px: f64, left_out: Option<&str>) -> Result<Self> {
        let manifest = &models.unet.manifest;
        let (own, students) = (manifest.pitch.um_per_px, RED_CELL_UM / red_cell_lr_px);
        ensure!(own < students, "a teacher of {own} um per pixel; expected one of a finer pitch than {students:.3}");
        ensure!(models.has_kinds(), "a teacher without kinds; expected one trained on laboratories");
        if let Some(name) = left_out {
            let mut words = manifest.training.command.split(' ').skip_while(|word| *word != "--leave-out-laboratory");
            ensure!(
                words.nth(1) == Some(name),
                "a teacher that was trained on {name}, which is left out; expected one trained with --leave-out-laboratory {name}"
            );
        }
        Ok(Self(models))
    }

    /// The hash of its segmenter, which identifies it.
    pub fn sha256(&self) -> &str {
        &self.0.unet.manifest.sha256
    }

    /// Labels the fields of laboratories; others are returned as they are, because their labels are exact.
    ///
    /// # Errors
    /// Those of the analysis.
    pub fn label(&self, fields: Vec<Field>, red_cell_lr_px: f64) -> Result<Vec<Field>> {
        let bar = progress::bar(fields.len() as u64, "teacher");
        let of_thread = || Analyser::new(&self.0, Options::default().any_quality());
        let label = |analyser: &mut bloodseg_vision::error::Result<Analyser>, mut field: Field| {
            if !field.marks.is_empty() {
                let analyser = analyser.as_mut().map_err(|e| anyhow!("{e}"))?;
                let red_cell_px = field.frame_edge_px / f64::from(REFERENCE_LR_PX) * red_cell_lr_px;
                let answer = answer(analyser, &field.picture, RED_CELL_UM / red_cell_px)
                    .with_context(|| format!("{}: the teacher", field.name))?;
                adopt(&mut field, &answer);
            }
            Ok(field)
        };
        fields.into_par_iter().progress_with(bar).map_init(of_thread, label).collect()
    }
}

/// The mean logits over the orientations, as probabilities.
fn answer(analyser: &mut Analyser, picture: &RgbImage, um_per_px: f64) -> Result<Answer> {
    let mut logits: [Vec<f64>; 4] = std::array::from_fn(|_| vec![0.0; picture.pixels().len()]);
    let mut turned = picture.clone();
    for turns in 0..ORIENTATIONS {
        if turns > 0 {
            turned = rotate90(&turned);
        }
        let found = analyser.analyse_known(&turned, &Known { um_per_px: Some(um_per_px), ..Known::default() })?;
        let maps = found.maps();
        let kinds = maps.kinds.as_ref().context("no maps of kinds")?;
        for (sums, map) in logits.iter_mut().zip([&maps.foreground, &maps.core, &kinds.white, &kinds.platelet]) {
            let mut map: GrayImage = resize_gray(map, turned.width(), turned.height())?;
            for _ in 0..(ORIENTATIONS - turns) % ORIENTATIONS {
                map = rotate90(&map);
            }
            for (sum, level) in sums.iter_mut().zip(map.iter()) {
                *sum += (f64::from(*level) - LEVELS.1) / LEVELS.0 / ORIENTATIONS as f64;
            }
        }
    }
    let [foreground, core, white, platelet] = logits;
    let sigmoid = |logits: Vec<f64>| logits.into_iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
    let of_kind = |own: f64, other: f64| own.exp() / (1.0 + own.exp() + other.exp());
    let both = || white.iter().zip(&platelet);
    Ok(Answer {
        white: both().map(|(white, platelet)| of_kind(*white, *platelet)).collect(),
        platelet: both().map(|(white, platelet)| of_kind(*platelet, *white)).collect(),
        foreground: sigmoid(foreground),
        core: sigmoid(core),
    })
}

/// Labels what is ignored where the teacher is sure, gives cells of unknown kind theirs, and takes the mean of both depths
/// elsewhere.
fn adopt(field: &mut Field, answer: &Answer) {
    for at in 0..answer.core.len() {
        let depth = (answer.core[at] * 255.0).round() as u8;
        let kind = match (answer.white[at], answer.platelet[at]) {
            (white, _) if white >= SURE => class::WHITE,
            (_, platelet) if platelet >= SURE => class::PLATELET,
            (white, platelet) if 1.0 - white - platelet >= SURE => class::RED,
            _ => class::CELL,
        };
        let (class, mask, core) =
            (&mut field.classes.as_mut()[at], &mut field.mask.as_mut()[at], &mut field.core.as_mut()[at]);
        match *class {
            class::IGNORED if answer.foreground[at] >= SURE => (*class, *mask, *core) = (kind, 255, depth),
            class::IGNORED if answer.foreground[at] <= 1.0 - SURE => (*class, *mask, *core) = (class::BACKGROUND, 0, 0),
            class::IGNORED => {}
            own => {
                *class = if own == class::CELL { kind } else { own };
                *core = u8::midpoint(*core, depth);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bloodseg_evaluate::marks::{Kind, Mark, Shape};
    use bloodseg_tiny_models::{models, models_with_kinds};
    use image::{Luma, Rgb};

    use super::*;

    /// A red cell of the student on a frame.
    const STUDENT_PX: f64 = 5.0;

    #[test]
    fn teacher_must_be_finer_with_kinds_and_same_laboratory_left_out() {
        let refused = |models, red_cell_lr_px, left_out| {
            Teacher::of(models, red_cell_lr_px, left_out).map(drop).unwrap_err().to_string()
        };
        assert!(Teacher::of(models_with_kinds(), STUDENT_PX, None).is_ok());
        assert!(refused(models_with_kinds(), 7.5, None).contains("finer pitch than 1.000"));
        assert!(refused(models(), STUDENT_PX, None).contains("without kinds"));
        let trained = |command: &str| {
            let mut models = models_with_kinds();
            models.unet.manifest.training.command = command.into();
            models
        };
        for command in ["train-host unet", "train-host unet --leave-out-laboratory other", "--leave-out-laboratory"] {
            assert!(refused(trained(command), STUDENT_PX, Some("one")).contains("trained on one"), "{command}");
        }
        assert!(Teacher::of(trained("unet --leave-out-laboratory one"), STUDENT_PX, Some("one")).is_ok());
    }

    #[test]
    fn answer_is_aligned_with_picture() {
        // A dark square near a corner of a picture that is not square; the tiny models find what is not red.
        let inside = |x: u32, y: u32| (8..24).contains(&x) && (40..56).contains(&y);
        let picture = RgbImage::from_fn(128, 64, |x, y| Rgb(if inside(x, y) { [0, 0, 250] } else { [255, 0, 0] }));
        let mut analyser = Analyser::new(&models_with_kinds(), Options::default().any_quality()).unwrap();
        let answer = answer(&mut analyser, &picture, 1.0).unwrap();
        for (x, y, _) in picture.enumerate_pixels() {
            let at = (y * 128 + x) as usize;
            let near_the_edge =
                inside(x, y) != inside(x + 3, y + 3) || inside(x, y) != inside(x.max(3) - 3, y.max(3) - 3);
            if !near_the_edge {
                assert_eq!(answer.foreground[at] > 0.5, inside(x, y), "{x} {y}");
                assert_eq!(answer.platelet[at] > 0.5, inside(x, y), "{x} {y}");
            }
        }
    }

    #[test]
    fn teacher_fills_unlabelled_pixels_and_half_of_depth() {
        let classes = [class::IGNORED, class::IGNORED, class::IGNORED, class::CELL, class::RED, class::BACKGROUND];
        let picture = RgbImage::new(6, 1);
        let mask = GrayImage::from_raw(6, 1, vec![0, 0, 0, 255, 255, 0]).unwrap();
        let mut field = Field::of_mask("f".into(), picture, mask);
        field.classes = GrayImage::from_raw(6, 1, classes.to_vec()).unwrap();
        field.core = GrayImage::from_raw(6, 1, vec![0, 0, 0, 200, 100, 0]).unwrap();
        let answer = Answer {
            foreground: vec![0.95, 0.05, 0.5, 0.9, 0.9, 0.9],
            core: vec![0.8, 0.4, 0.4, 0.4, 0.4, 0.4],
            white: vec![0.95, 0.0, 0.0, 0.0, 0.95, 0.0],
            platelet: vec![0.0, 0.0, 0.0, 0.95, 0.0, 0.0],
        };
        adopt(&mut field, &answer);
        let wanted = [class::WHITE, class::BACKGROUND, class::IGNORED, class::PLATELET, class::RED, class::BACKGROUND];
        assert_eq!(field.classes.as_raw(), &wanted);
        assert_eq!(field.mask.as_raw(), &[255, 0, 0, 255, 255, 0]);
        assert_eq!(field.core.as_raw(), &[204, 0, 0, 151, 101, 51]);
    }

    #[test]
    fn exactly_labelled_fields_are_unchanged() {
        let mask = GrayImage::from_fn(64, 64, |x, _| Luma([if (20..40).contains(&x) { 255 } else { 0 }]));
        let exact = Field::of_mask("f".into(), RgbImage::from_pixel(64, 64, Rgb([0, 0, 250])), mask);
        let mut marked = exact.clone();
        marked.marks = vec![Mark { kind: Kind::Red, shape: Shape::Point(30.0, 30.0) }];
        let teacher = Teacher::of(models_with_kinds(), STUDENT_PX, None).unwrap();
        let labelled = teacher.label(vec![exact.clone(), marked.clone()], STUDENT_PX).unwrap();
        assert_eq!(labelled[0].core, exact.core);
        assert_ne!(labelled[1].core, marked.core);
    }
}
