//! `bloodseg run`: analyses the frames of a source as they arrive.

mod analyst;
mod control;
mod drift;
mod info;
mod lines;
mod makers;
mod measured;
mod page;
mod recorder;
mod scale;
mod small_file;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use clap::Args;

use super::{
    budget::{self, Heap, fit},
    sample::SampleArgs,
    seen::Goal,
    segment::{above_zero, pitch_um},
    session::Session,
    signals::stop_on_signals,
    supervise,
    voice::Voice,
};
use crate::{
    camera::open::{Wish, open},
    config::address::Address,
    error::{Error, Result},
    memory::counting,
    outbox::{Outbox, access::Access},
    page::facts::cards,
    run::{Counts, Ended, Run, crew::Threads, shared::Shared},
};
use bloodseg_clock::{Clock, SystemClock, utc};
use bloodseg_records::{
    lock::FolderLock,
    run_log::{self, RunEnd, Tables},
    sample::SampleFile,
    store,
    validation::Validation,
};
use bloodseg_vision::error::Cause;
use makers::CliMakers;
use page::Page;

/// Frames of the demo when --frames is not given: enough for a first look, not a load test.
const DEMO_FRAMES: u64 = 50;

/// Arguments of `run`.
///
/// Prints one line per frame. The line ends in `ack N` once frame N and its cells are safely on disk, in records.sqlite
/// in the results folder; `bloodseg export` reads them, even while the run continues. At the end cells.csv (one row per
/// cell) and frames.csv (one row per frame) are written from everything in the folder. A run ends with its source, after
/// --frames, or on Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A source of the config, a folder of pictures, a camera (`camera0` is /dev/video0), or `demo`
    #[arg(value_name = "SOURCE")]
    source: String,

    /// Results folder; continued if it already holds results [default: results/SOURCE-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// End after this many frames [default: 50 for demo, unlimited for others]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,

    /// Frames per second; a folder then no longer waits for the analysis but drops frames that come too fast
    #[arg(long, value_name = "F", value_parser = above_zero)]
    fps: Option<f64>,

    /// Size of one pixel of the frames in the specimen, in micrometres. Frames are resized to the scale of the models
    /// accordingly; without it, by what their files say, or by the size of their red cells
    #[arg(long, value_name = "UM", value_parser = pitch_um)]
    um_per_px: Option<f64>,

    /// Seed of the simulated camera
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,

    /// Save the pictures of every N-th frame; those of the last frame are always saved. With a camera the oldest pictures
    /// are deleted beyond `[output] most_pictures_mib`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    save_every: Option<u64>,

    /// Start a folder again when it ends
    #[arg(long)]
    repeat: bool,

    /// First shrink the pictures of a folder or camera: the centre square to 64x64, for fields at full resolution
    #[arg(long)]
    whole_field: bool,

    /// Use the frames unchanged: the camera or folder is already at the scale of the models
    #[arg(long, conflicts_with = "whole_field")]
    as_is: bool,

    /// Bits used in the 16-bit samples of a folder of pictures, for cameras with 10, 12 or 14 bits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=16))]
    bits: Option<u32>,

    /// Serve the page at this address and port, or `off` [default: from the config, else 127.0.0.1:8571]
    #[arg(long, value_name = "ADDR")]
    http: Option<Address>,

    /// Also count cells in frames that are out of focus, empty, or badly exposed
    #[arg(long)]
    any_quality: bool,

    #[command(flatten)]
    sample: SampleArgs,

    /// A file of `bloodseg validate`: the count per field is also given as a person would have counted it
    #[arg(long, value_name = "FILE")]
    correct: Option<PathBuf>,

    /// A sample that is a control slide, may be repeated: its figures are compared with those of its first session, and do
    /// not count as drift
    #[arg(long = "control-slide", value_name = "ID")]
    control_slides: Vec<String>,

    /// End when this many cells were counted, each once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    until_cells: Option<u64>,

    /// End when the 95 % interval of the cells a field is this narrow: half its width in percent of the mean, such as 5%
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    until_interval: Option<f64>,
}

/// A fraction, given in percent.
fn percent(text: &str) -> std::result::Result<f64, String> {
    match text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value < 100.0 => Ok(value / 100.0),
        _ => Err("expected a percentage above 0 and below 100, such as 5%".into()),
    }
}

impl RunArgs {
    /// When it has counted enough.
    fn goal(&self) -> Goal {
        Goal { cells: self.until_cells, half_width: self.until_interval }
    }

    /// What the arguments say about the source.
    fn wish(&self) -> Wish {
        Wish {
            fps: self.fps,
            seed: self.seed,
            repeat: self.repeat,
            whole_field: self.whole_field,
            um_per_px: self.um_per_px,
            as_is: self.as_is,
            bits: self.bits,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Those of the source, the models and the results; frames recorded before the error are kept.
pub(super) fn run(session: &Session, args: &RunArgs, voice: &Voice) -> Result<()> {
    // Before the models are loaded: a start that is stopped meanwhile must not count against models on trial.
    let stop = stop_on_signals()?;
    let correct = args.correct.as_deref().or(session.config.quality.correct.as_deref());
    let validation = correct.map(Validation::read).transpose()?;
    let before = budget::live_bytes();
    let mut source = open(&args.source, &session.config, args.wish())?;
    let opened = budget::live_bytes();
    counting::restart_peak();
    let mut pipeline = session.tried_pipeline()?;
    let loading_bytes = budget::peak_bytes().saturating_sub(opened);
    let loaded = budget::live_bytes();
    source.resample_to(pipeline.um_per_px())?;
    let source_bytes = (opened + budget::live_bytes()).saturating_sub(before + loaded);
    let heap = Heap { process_bytes: before, source_bytes, loading_bytes };
    let (fit, budget) = fit::of_source(session, pipeline.pipeline()?, source.as_mut(), heap, args.http)?;
    if let Some(budget) = budget {
        budget::enforce(session, &budget)?;
    }
    fit.hold(source.as_mut())?;
    let broker = Access::of(&session.config.mqtt)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let info = info::of(args, source.as_ref(), info::models(pipeline.manifests()), clock.wall());
    let out = args.out.clone().unwrap_or_else(|| {
        let results = session.config.output.dir.clone().unwrap_or_else(|| PathBuf::from("results"));
        results.join(format!("{}-{}", source.name(), utc::stamp(info.started)))
    });
    let _held = FolderLock::take(&out)?;
    let sample_file = SampleFile::of(&out);
    match (args.sample.sample()?, &session.config.sample) {
        (Some(sample), _) => sample_file.write(Some(&sample))?,
        // A sample that was set during an earlier run stays.
        (None, Some(sample)) if !sample_file.path().exists() => sample_file.write(Some(&sample.clone()))?,
        _ => {}
    }
    let (name, of_files) = (source.name().to_owned(), source.is_of_files());
    voice.line(format_args!("source   {name}: {}", source.describe()));
    voice.line(format_args!("results  {}", out.display()));

    let start = Instant::now();
    run_log::sweep(&out);
    let shared = Arc::new(Shared::new(stop, clock, source.pacing()));
    let cards = cards(pipeline.manifests());
    let page = Page::open(session, args.http, source.as_ref(), &shared, &info, cards, &out)?;
    if let Some(page) = page.as_ref().filter(|_| !session.quiet) {
        voice.line(format_args!("page     {}", page.url));
    }
    let scaler = scale::begin(pipeline.pipeline()?, source.as_ref(), args.any_quality, &shared, fit)?;
    let mut makers = CliMakers::new(&shared, session, args, &out, info, (pipeline, fit), voice.clone());
    makers.correct_by(validation);
    makers.scaler = Some(scaler);
    makers.page = page.as_ref().map(|page| Arc::clone(&page.board));
    let most_frames = args.frames.or((args.source == "demo").then_some(DEMO_FRAMES));
    let crew = Threads::new(&shared);
    let run = Run::begin(&shared, source, most_frames, &mut makers, crew)?;
    let outbox = broker.map(|broker| Outbox::begin(broker, &out, &shared)).transpose()?;
    supervise::ready();
    let outcome = run.to_the_end(supervise::signal);
    supervise::stopping();
    let sent = outbox.map(Outbox::end);
    if let Some(page) = &page {
        page.say_goodbye(&shared);
    }

    let tally = makers.tally();
    voice.line(lines::summary(&outcome, &tally, start.elapsed().as_secs_f64()));
    if let Some(reached) = &tally.reached {
        voice.line(format_args!("reached  {reached}"));
    }
    let answer = shared.answer();
    if let Some(sample) = &answer.sample {
        // The lines that follow are about this sample only, not about earlier ones.
        voice.line(format_args!("sample   {sample}"));
    }
    if let Some(summary) = makers.summary() {
        for line in summary.text("frame").lines() {
            voice.line(format_args!("count    {line}"));
        }
    }
    if let Some(corrected) = answer.corrected {
        voice.line(format_args!("count    {}", corrected.text()));
    }
    if let Some(counters) = shared.camera() {
        voice.line(format_args!("camera   {counters}"));
    }
    if let Some(quality) = lines::quality(&tally, args.any_quality) {
        voice.line(quality);
    }
    if let Some(end) = &tally.end {
        voice.line(format_args!("records  {}: {}", out.join(store::FILE).display(), lines::records(end)));
        if let Some(tables) = lines::tables(end, &out) {
            voice.line(tables);
        }
    }
    if let Some(sent) = sent {
        voice.line(format_args!("mqtt     {sent}"));
    }
    if let Some(overlay) = &tally.overlay {
        voice.line(format_args!("look at  {}", overlay.display()));
    }
    if args.source == "demo" {
        voice.line(format_args!("next     bloodseg report latest --from {}", out.display()));
        voice.line("next     bloodseg run FOLDER for frames of your own, bloodseg segment PICTURE --out DIR for one");
    }
    match outcome.ended {
        Ended::Broke(error) => Err(error),
        _ => all_kept(tally.end, outcome.counts, &out).and_then(|()| all_read(&name, of_files, outcome.counts)),
    }
}

/// A run with incomplete results is not a success.
fn all_kept(end: Option<RunEnd>, counts: Counts, out: &Path) -> Result<()> {
    let fault = |found: Cause| Err(Error::output(&out.join(store::FILE), found));
    let Some(RunEnd { counters, tables }) = end else {
        return fault("the records were not finished".into());
    };
    match tables {
        Tables::Failed(error) if error.is_output() => Err(error.into()),
        Tables::Failed(error) => fault(Cause::with_source(format!("no tables: {error}"), error)),
        _ if counts.not_kept > 0 => {
            let found = format!("{} frames were not kept, see the warnings above", counts.not_kept);
            // The others came faster than the disk writes, or while it failed: free space would not have helped.
            let full = counters.lost_for_space > 0;
            fault(if full {
                Cause::with_source(found, io::Error::from(io::ErrorKind::StorageFull))
            } else {
                found.into()
            })
        }
        _ => Ok(()),
    }
}

/// A run on files fails if one of them could not be read; a run on a camera, if no frame could be used.
fn all_read(name: &str, of_files: bool, counts: Counts) -> Result<()> {
    let Counts { captured, unreadable, .. } = counts;
    if unreadable > 0 && of_files {
        return Err(Error::unusable(Path::new(name), unreadable, captured + unreadable, "the warnings above"));
    }
    if captured > 0 || unreadable == 0 {
        return Ok(());
    }
    Err(Error::frames(name, format!("none of its {unreadable} frames can be used"), "See the warnings"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use bloodseg_records::keeper::KeeperCounters;

    #[test]
    fn remedy_asks_for_space_only_if_disk_was_full() {
        let outcome = |lost_for_space, not_kept| {
            let counters = KeeperCounters { lost_for_space, ..KeeperCounters::default() };
            let end = RunEnd { counters, tables: Tables::CutShort };
            all_kept(Some(end), Counts { not_kept, ..Counts::default() }, Path::new("out"))
        };
        let (full, slow) = (outcome(1, 3).unwrap_err(), outcome(0, 3).unwrap_err());
        assert_eq!((full.exit_code(), slow.exit_code()), (5, 5));
        assert!(full.to_string().contains("3 frames were not kept") && full.remedy().contains("free space"), "{full}");
        assert!(slow.to_string().contains("3 frames were not kept") && !slow.remedy().contains("space"), "{slow}");
        outcome(0, 0).unwrap();
        assert!(!all_kept(None, Counts::default(), Path::new("out")).unwrap_err().remedy().contains("space"));
    }
}
