//! The pictures of a call, one after the other.

use std::{path::Path, thread};

use indicatif::ProgressBar;

use super::{
    SegmentArgs,
    beside::Beside,
    lines::{doubt, summary},
    picture::{Grid, How, Picture, write},
    scales::{self, Scales},
    tables::Tables,
};
use crate::error::{Error, ErrorKind, Result};
use crate::{
    cli::{inputs::Input, print, session::Session},
    run::stop::Stop,
};
use bloodseg_records::frames::Scaled;
use bloodseg_vision::{frame::quality::Verdict, overlay::Base, pipeline::Pipeline, placement::PitchSource};

/// A call at work, and what became of its pictures.
pub(super) struct Work {
    pipeline: Pipeline,
    how: How,
    any_quality: bool,
    um_per_px: Option<f64>,
    /// Where pictures are brought to the scale of the nets.
    scales: Option<Scales>,
    /// Whether pictures are read and written beside the analysis.
    with_threads: bool,
    bar: ProgressBar,
    /// A single picture that fails is reported once, by the end of the command.
    is_single: bool,
    /// Pictures that are in the tables now.
    pub(super) done: usize,
    /// What was said of pictures that could not be used.
    pub(super) refused: Vec<Error>,
    /// What was said of results that could not be written.
    unwritten: Vec<Error>,
}

impl Work {
    /// Loads the models, for `count` pictures in all.
    ///
    /// # Errors
    /// Those of the models.
    pub(super) fn begin(session: &Session, args: &SegmentArgs, um_per_px: Option<f64>, count: usize) -> Result<Self> {
        Ok(Self {
            pipeline: session.pipeline()?,
            how: args.how(),
            any_quality: args.any_quality,
            um_per_px,
            scales: None,
            with_threads: session.threads() > 1,
            bar: print::progress(count, "pictures", session.quiet),
            is_single: count == 1,
            done: 0,
            refused: Vec::new(),
            unwritten: Vec::new(),
        })
    }

    /// Finds the scale that `inputs` share, all those of the call: each shard of it finds the same.
    ///
    /// # Errors
    /// Those of the models.
    pub(super) fn find_scale(&mut self, inputs: &[Input], stop: &Stop) -> Result<()> {
        if self.how.grid == Grid::Scaled {
            let Self { pipeline, how, any_quality, um_per_px, .. } = self;
            self.scales = Some(Scales::begin(pipeline, inputs, *how, *um_per_px, *any_quality, stop)?);
        }
        Ok(())
    }

    /// A picture that cannot be used.
    pub(super) fn left_out(&mut self, error: Error) {
        self.report(&error);
        self.refused.push(error);
        self.bar.inc(1);
    }

    fn not_written(&mut self, errors: impl IntoIterator<Item = Error>) {
        for error in errors {
            self.report(&error);
            self.unwritten.push(error);
        }
    }

    fn report(&self, error: &Error) {
        if !self.is_single {
            self.bar.suspend(|| print::problem(error));
        }
    }

    /// Does all the pictures, or those that there is time for until `stop`.
    ///
    /// # Errors
    /// Those of the tables, and faults of the software; pictures and results only count.
    pub(super) fn through(&mut self, inputs: &[&Input], out: &Path, tables: &mut Tables, stop: &Stop) -> Result<()> {
        // A single picture has nothing that it could be read or written beside.
        let is_beside = self.with_threads && inputs.len() > 1;
        let how = self.how;
        thread::scope(|scope| {
            let mut beside = is_beside.then(|| Beside::start(scope, inputs, how, out)).transpose()?;
            for input in inputs {
                if stop.is_raised() {
                    break;
                }
                let read = beside.as_ref().map_or_else(|| Picture::read(input, how), |beside| beside.next(input, how));
                match read.and_then(|picture| self.analyse(input, picture, tables)) {
                    Ok(base) => self.keep(input, out, base, beside.as_mut())?,
                    Err(error) if error.kind() == ErrorKind::Input => {
                        self.left_out(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
                self.done += 1;
                self.bar.inc(1);
            }
            let failed = beside.map(Beside::end).transpose()?;
            self.not_written(failed.unwrap_or_default());
            Ok(())
        })?;
        self.bar.finish_and_clear();
        Ok(())
    }

    /// Analyses one, adds it to the tables, and says so; gives what its overlay is drawn on.
    fn analyse(&mut self, input: &Input, picture: Picture, tables: &mut Tables) -> Result<Base> {
        let scaled = match &mut self.scales {
            Some(scales) => scales.analyse(&mut self.pipeline, input, &picture)?,
            None => self.as_it_is(input, &picture)?,
        };
        let analysis = self.pipeline.latest().ok_or_else(scales::no_analysis)?;
        let (name, verdict) = (&input.name, analysis.quality.verdict);
        let good = verdict.is_good();
        let counted = (self.any_quality && verdict != Verdict::ScaleUnknown) || verdict.is_counted();
        tables.add(name, analysis, counted, &scaled)?;
        let line = if counted {
            format!("{}{}", summary(name, analysis), scales::words(&scaled))
        } else {
            format!("{name}: {}: no cells counted", analysis.quality.reason())
        };
        self.bar.suspend(|| print::line(line));
        if !good && counted {
            log::warn!("{}: {}; counted all the same", input.path.display(), analysis.quality.reason());
        }
        picture.into_base(&scaled)
    }

    /// Analyses a picture that is at the scale of the nets, or was brought there while it was read.
    fn as_it_is(&mut self, input: &Input, picture: &Picture) -> Result<Scaled> {
        let pitch = self.pipeline.pitch().clone();
        let rgb = &picture.rgb;
        let analysis = if self.any_quality { self.pipeline.analyse_any(rgb) } else { self.pipeline.analyse(rgb) };
        let analysis = analysis.map_err(|e| e.at(&input.path))?;
        let of_file = picture.metadata.um_per_px;
        let um_per_px = self.um_per_px.or(of_file);
        let source = match (self.um_per_px, of_file) {
            (Some(_), _) => PitchSource::Given,
            (None, Some(_)) => PitchSource::Metadata,
            (None, None) => PitchSource::None,
        };
        let scaled = Scaled { placement: picture.placement, um_per_px, um_per_px_range: None, source };
        if let Some(doubt) = doubt(&pitch, analysis, scaled.um_per_sr_px()) {
            log::warn!("{}: {doubt}", input.path.display());
        }
        Ok(scaled)
    }

    /// Writes the pictures of the latest analysis, or hands them on.
    fn keep<'a>(&mut self, input: &'a Input, out: &Path, base: Base, beside: Option<&mut Beside<'a>>) -> Result<()> {
        let failed = match beside {
            Some(beside) => {
                beside.write(&input.stem, &mut self.pipeline, base)?;
                beside.failed()
            }
            None => {
                let latest = self.pipeline.latest().ok_or_else(scales::no_analysis)?;
                Vec::from_iter(write(out, &input.stem, latest, base).err())
            }
        };
        self.not_written(failed);
        Ok(())
    }

    /// Whether all of `count` pictures were done.
    ///
    /// # Errors
    /// The one error of a single picture; else [`ErrorKind::Output`] where results are missing, or [`ErrorKind::Input`] where
    /// pictures were left out.
    pub(super) fn outcome(mut self, out: &Path, count: usize) -> Result<()> {
        if self.is_single
            && let Some(error) = self.unwritten.pop().or_else(|| self.refused.pop())
        {
            return Err(error);
        }
        if !self.unwritten.is_empty() {
            let missing = self.unwritten.len();
            return Err(Error::output(out, format!("pictures of {missing} of {count} results, as said above")));
        }
        if !self.refused.is_empty() {
            let found = format!("{} of {count} pictures could not be used, as said above", self.refused.len());
            return Err(Error::input(out, found, "pictures alone", "The others are done"));
        }
        Ok(())
    }
}
