//! The pictures of a call: their results in order, however many are analysed at once.

use std::{path::Path, thread};

use indicatif::ProgressBar;

use super::{
    SegmentArgs,
    lanes::{Ahead, Lanes, Task},
    lines::{doubt, summary},
    picture::{Grid, How, Picture, write},
    records::CallRecords,
    scales::{self, Measured},
    tables::Tables,
    warnings::{Kind, Warnings},
};
use crate::error::{Error, ErrorKind, Result};
use crate::{
    cli::{
        inputs::Input,
        print,
        seen::{Goal, SeenFields},
        session::Session,
    },
    run::stop::Stop,
};
use bloodseg_vision::{
    analyser::{Analyser, Found, Options},
    model::store::Models,
    pipeline::Analysis,
    scale::{self, Note},
};

/// A call in progress, and the results of its pictures.
pub(super) struct Work {
    analyser: Analyser,
    how: How,
    no_pictures: bool,
    /// Whether pictures are printed as JSON.
    pub(super) json: bool,
    /// Measurements of pictures whose scale is shared.
    measured: Measured,
    /// Pictures analysed at once.
    lanes: usize,
    /// Records that `export` and `report` read; shards have none.
    pub(super) records: Option<CallRecords>,
    /// The totals of the pictures.
    pub(super) seen: SeenFields,
    bar: ProgressBar,
    pub(super) warnings: Warnings,
    /// If a single picture fails, it is reported only once, at the end of the command.
    is_single: bool,
    /// Pictures in the tables so far.
    pub(super) done: usize,
    /// Errors of pictures that could not be used.
    pub(super) refused: Vec<Error>,
    /// Errors of results that could not be written.
    unwritten: Vec<Error>,
}

impl Work {
    /// Loads the models, for `count` pictures in all.
    ///
    /// # Errors
    /// Those of the models.
    pub(super) fn begin(
        session: &Session,
        models: &Models,
        args: &SegmentArgs,
        um_per_px: Option<f64>,
        count: usize,
    ) -> Result<Self> {
        let how = args.how();
        let (as_is, any_quality) = (how.grid != Grid::Scaled, args.any_quality);
        let options = Options { um_per_px, as_is, any_quality, threads: session.threads(), ..Options::default() };
        Ok(Self {
            no_pictures: args.no_pictures,
            json: args.json,
            analyser: Analyser::over(session.load(models)?, options)?,
            how,
            measured: Measured::new(),
            lanes: session.threads(),
            records: None,
            seen: SeenFields::new(Path::new(""), Goal::default()),
            bar: print::progress(count, "pictures", session.quiet),
            warnings: Warnings::default(),
            is_single: count == 1,
            done: 0,
            refused: Vec::new(),
            unwritten: Vec::new(),
        })
    }

    /// Finds the scale that `inputs` share. These are all pictures of the call, so that each shard finds the same scale.
    ///
    /// # Errors
    /// Those of the models.
    pub(super) fn find_scale(&mut self, inputs: &[Input], stop: &Stop) -> Result<()> {
        self.measured = scales::share(&mut self.analyser, inputs, self.how, stop)?;
        Ok(())
    }

    /// Notes a picture that cannot be used.
    pub(super) fn left_out(&mut self, input: &Input, error: Error) {
        self.report(&error);
        if self.json {
            let refused = serde_json::json!({ "image": input.name, "error": error.to_string() });
            self.bar.suspend(|| print::line(refused));
        }
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

    /// Processes the pictures until all are done or `stop` is raised.
    ///
    /// # Errors
    /// Those of the tables, and internal errors; errors of pictures and results are only counted.
    pub(super) fn through(&mut self, inputs: &[&Input], out: &Path, tables: &mut Tables, stop: &Stop) -> Result<()> {
        let measured = std::mem::take(&mut self.measured);
        let task = Task { inputs, how: self.how, measured: &measured, out };
        // A single picture is analysed tile by tile on all threads.
        let count = self.lanes.min(inputs.len());
        thread::scope(|scope| {
            let mut lanes = (count > 1).then(|| Lanes::start(scope, count, &self.analyser, task)).transpose()?;
            for input in inputs {
                if stop.is_raised() {
                    break;
                }
                let ahead = lanes.as_mut().map_or(Ok(Ahead::Left), Lanes::next);
                let done = match ahead {
                    Ok(Ahead::Analysed(picture, analysis, note)) => {
                        let found = Found::new(&analysis, self.any_quality(), note);
                        let taken = self.take_in(input, found, tables);
                        match &lanes {
                            Some(lanes) if taken.is_ok() && !self.no_pictures => lanes.write(picture, analysis),
                            Some(lanes) => lanes.free(analysis),
                            None => {}
                        }
                        taken
                    }
                    Ok(Ahead::Left) => self.alone(input, task, tables),
                    Err(error) => Err(error),
                };
                match done {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::Input => {
                        self.left_out(input, error);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
                self.not_written(lanes.as_ref().map_or(Vec::new(), Lanes::failed));
                self.done += 1;
                self.bar.inc(1);
            }
            self.not_written(lanes.map_or(Vec::new(), Lanes::end));
            Ok(())
        })?;
        self.bar.finish_and_clear();
        Ok(())
    }

    fn any_quality(&self) -> bool {
        self.analyser.options().any_quality
    }

    /// Reads, analyses and writes a picture that is the only one, or large.
    fn alone(&mut self, input: &Input, task: Task<'_>, tables: &mut Tables) -> Result<()> {
        let picture = Picture::read(input, self.how)?;
        let note = scales::analyse(&mut self.analyser, input, &picture, task.measured)?;
        let analysis = self.analyser.exchange(Analysis::default());
        self.take_in(input, Found::new(&analysis, self.any_quality(), note), tables)?;
        if !self.no_pictures {
            let base = picture.into_base(&analysis.scaled)?;
            self.not_written(write(task.out, &input.stem, &analysis, base).err());
        }
        // Its memory is reused.
        self.analyser.exchange(analysis);
        Ok(())
    }

    /// Adds the findings of a picture to the tables, and prints its line.
    fn take_in(&mut self, input: &Input, found: Found<'_>, tables: &mut Tables) -> Result<()> {
        if let Some(Note::Outlier { own_px, pool_px }) = found.note() {
            log::warn!(
                "{}: red cells of {own_px:.1} px, others {pool_px:.1} px; analysed at its own scale",
                input.name
            );
        }
        let is_scaled = self.how.grid == Grid::Scaled;
        let (analysis, verdict, counted) = (found.analysis(), found.verdict(), found.is_counted());
        if !is_scaled && let Some(doubt) = doubt(self.analyser.pipeline().pitch(), analysis) {
            self.warnings.warn(Kind::Magnification, &input.path, doubt);
        }
        tables.add(&input.name, analysis, counted)?;
        let field = self.seen.see(self.done as u64 + 1, analysis, counted);
        if let Some(records) = &mut self.records {
            records.add(input, analysis, counted, field, self.seen.cells());
        }
        if self.json {
            let object = self.records.as_ref().map_or(Ok(None), CallRecords::latest_json)?;
            let unrecorded = || serde_json::json!({ "image": input.name, "error": "not recorded" }).to_string();
            self.bar.suspend(|| print::line(object.unwrap_or_else(unrecorded)));
            return Ok(());
        }
        let name = &print::one_line(&input.name);
        let line = match scale::words(&analysis.scaled) {
            _ if !counted => format!("{name}: {}: no cells counted", analysis.quality.reason()),
            scale if scale.is_empty() || !is_scaled => summary(name, analysis),
            scale => format!("{}, {scale}", summary(name, analysis)),
        };
        self.bar.suspend(|| print::line(line));
        if !verdict.is_good() && counted {
            let reason = analysis.quality.reason();
            self.warnings.warn(Kind::Verdict, &input.path, format_args!("{reason}; counted anyway"));
        }
        Ok(())
    }

    /// Whether all of `count` pictures were processed.
    ///
    /// # Errors
    /// The one error of a single picture; else [`ErrorKind::Output`] if results are missing, or [`ErrorKind::Input`] if
    /// pictures were skipped.
    pub(super) fn outcome(mut self, out: &Path, count: usize) -> Result<()> {
        if self.is_single
            && let Some(error) = self.unwritten.pop().or_else(|| self.refused.pop())
        {
            return Err(error);
        }
        if !self.unwritten.is_empty() {
            let missing = self.unwritten.len();
            return Err(Error::output(
                out,
                format!("pictures of {missing} of {count} results, see the warnings above"),
            ));
        }
        if !self.refused.is_empty() {
            return Err(Error::unusable(out, self.refused.len() as u64, count as u64, "the warnings above"));
        }
        Ok(())
    }
}
