//! Three days of rendered fields through the real pipeline, then growing faults: they are noticed before counts suffer.
//!
//! `cargo test --release -p bloodseg --lib virtual_days -- --ignored --nocapture`, about twenty minutes.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use bloodseg_smear::{SmearSpec, render};
use bloodseg_vision::{
    frame::resize::resize_rgb,
    geometry::TILE_PX,
    model::store::Models,
    pipeline::Pipeline,
    placement::{PitchSource, Scaled},
    scale::{Learning, Scaler},
};

use super::{super::measured::Measuring, DriftWatch, FILE};

/// One field every 10 s.
const FIELDS_AN_HOUR: u32 = 360;
const HOURS: u32 = 72;
/// Twelve hours to learn, and one to settle.
const LEARNED_HOURS: u32 = 13;

/// Rendered pixels per reference pixel, and the edge of a field.
const SMEAR_SCALE: f64 = 0.25;
const FIELD_PX: u32 = 300;
const RED_CELL_UM: f64 = 7.5;

/// Most growth of the count error until a fault is noticed.
const MAX_GROWTH: f64 = 0.02;

/// A fault that grows with the hours since it began.
type Fault = fn(&mut SmearSpec, f64);

fn fade(spec: &mut SmearSpec, hours: f64) {
    spec.optics.lamp = spec.optics.lamp.map(|level| level * 0.98_f64.powf(hours));
}

fn blur(spec: &mut SmearSpec, hours: f64) {
    spec.optics.defocus_px += hours;
}

fn pale(spec: &mut SmearSpec, hours: f64) {
    spec.stain.red_cell = spec.stain.red_cell.map(|density| density * 0.98_f64.powf(hours));
}

fn magnify(spec: &mut SmearSpec, hours: f64) {
    spec.scale *= 1.01_f64.powf(hours);
}

/// A microscope over slides that differ only in their cells.
struct Microscope {
    pipeline: Pipeline,
    scaler: Scaler,
    watch: DriftWatch,
    measuring: Measuring,
    /// Fields so far, which is also the seed of the next.
    fields: u32,
    events: Vec<String>,
}

impl Microscope {
    fn in_folder(folder: &std::path::Path, fields: u32) -> Self {
        let pipeline = Pipeline::load(&Models::embedded().unwrap()).unwrap();
        let watch = DriftWatch::of(folder);
        Self {
            pipeline,
            scaler: Scaler::new(false, Learning::Probed),
            watch,
            measuring: Measuring::default(),
            fields,
            events: Vec::new(),
        }
    }

    /// Cells counted and shown in one field; `None` if it was not counted.
    fn field(&mut self, spec: &SmearSpec) -> Option<(f64, f64)> {
        self.fields += 1;
        let smear = render(spec, self.fields.into());
        let picture = resize_rgb(&smear.picture, TILE_PX, TILE_PX).unwrap();
        let um_per_px = RED_CELL_UM / SmearSpec::field(1, 1).cell_diameter_px * 1200.0 / f64::from(TILE_PX);
        let origin = Scaled::as_it_is(Some(um_per_px), PitchSource::Given);
        self.scaler.as_it_is(&mut self.pipeline, &picture, &origin).unwrap();
        let analysis = self.pipeline.latest().unwrap();
        let events = &mut self.events;
        if !analysis.quality.verdict.is_counted(false) {
            return None;
        }
        self.watch.see(self.measuring.values(analysis), |event| events.push(event));
        Some((analysis.counts().cells.into(), smear.kinds.len() as f64))
    }

    /// An hour of fields; returns the relative count error of all of them together.
    fn hour(&mut self, spec: impl Fn(f64) -> SmearSpec) -> f64 {
        let (mut counted, mut shown) = (0.0, 0.0);
        for field in 0..FIELDS_AN_HOUR {
            let spec = spec(f64::from(field) / f64::from(FIELDS_AN_HOUR));
            if let Some((found, of)) = self.field(&spec) {
                (counted, shown) = (counted + found, shown + of);
            }
        }
        counted / shown - 1.0
    }
}

fn steady() -> SmearSpec {
    let mut spec = SmearSpec::field(FIELD_PX, FIELD_PX);
    (spec.scale, spec.heaping) = (SMEAR_SCALE, 0.3);
    spec
}

#[test]
#[ignore = "about twenty minutes in release; scripts/test --long runs it"]
fn faults_are_noticed_early_and_without_false_alarms() {
    let folder = tempfile::tempdir().unwrap();
    let mut microscope = Microscope::in_folder(folder.path(), 0);
    let mut usual = 0.0;
    for _ in 0..LEARNED_HOURS {
        usual = microscope.hour(|_| steady());
    }
    microscope.watch.save();
    let learned = std::fs::read(folder.path().join(FILE)).unwrap();
    for hour in LEARNED_HOURS..HOURS {
        microscope.hour(|_| steady());
        assert!(microscope.events.is_empty(), "hour {hour}: {:?}", microscope.events);
    }
    eprintln!("{HOURS} hours without a fault: no event; count error {usual:+.4}");

    let faults: [(&str, Fault); 4] = [
        ("the lamp fades by 2 % an hour", fade),
        ("the focus wanders by 1 px of 1200 an hour", blur),
        ("the stain fades by 2 % an hour", pale),
        ("the magnification grows by 1 % an hour", magnify),
    ];
    for (name, fault) in faults {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), &learned).unwrap();
        let mut microscope = Microscope::in_folder(folder.path(), LEARNED_HOURS * FIELDS_AN_HOUR);
        let mut hours = 0;
        let mut error = usual;
        while microscope.events.is_empty() && hours < HOURS - LEARNED_HOURS {
            error = microscope.hour(|part| {
                let mut spec = steady();
                fault(&mut spec, f64::from(hours) + part);
                spec
            });
            hours += 1;
        }
        let growth = error.abs() - usual.abs();
        eprintln!("{name}: {:?} within {hours} h; count error {error:+.4}", microscope.events);
        assert!(!microscope.events.is_empty(), "{name} was not noticed in {hours} h");
        assert!(growth < MAX_GROWTH, "{name}: the count error is {error:+.4} after {usual:+.4}");
    }
}
