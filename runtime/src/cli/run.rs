//! `bloodseg run`: a source of frames, analysed as they come.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Instant, SystemTime},
};

use clap::Args;

use super::{
    budget, print,
    segment::{above_zero, unsupported},
    session::Session,
    supervise,
};
use crate::{
    camera::{
        FrameSource,
        open::{Wish, open},
    },
    clock::{Clock, SystemClock},
    error::{Error, Result},
    frame::quality::Verdict,
    limits::TILE_PX,
    pipeline::{
        Analysis,
        run::{self, Counts, Ended, Event, Outcome},
        stop::Stop,
    },
    records::{
        frame_record::FrameRecord,
        frames,
        keeper::{KeeperCounters, Kept},
        kept_pictures::KeptPictures,
        run_info::{ModelInfo, RunInfo},
        run_log::{CELLS_TABLE, RunEnd, RunLog, Tables},
        store, utc,
    },
};

/// Frames of the demo when --frames is not given: a look, not a load.
const DEMO_FRAMES: u64 = 50;

/// Arguments of `run`.
///
/// Prints one line a frame, which ends in `ack N` when frame N and its cells are safe on the disk, in records.sqlite in the
/// results folder; `bloodseg export` reads them, also while the run goes on. At the end cells.csv (a row a cell) and
/// frames.csv (a row a frame) are written from all that the folder holds. Ends with the source, after --frames, or on
/// Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A source of the config, a folder of pictures, a camera (`camera0` is /dev/video0), or `demo`
    #[arg(value_name = "SOURCE")]
    source: String,

    /// Folder for the results, gone on with when it has some [default: results/SOURCE-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// End after this many frames [default: 50 for demo, no end for others]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,

    /// Frames a second; a folder then no longer waits for the analysis but drops what comes too fast
    #[arg(long, value_name = "F", value_parser = above_zero)]
    fps: Option<f64>,

    /// Edge of one pixel of the frames in the specimen, in micrometres; a camera's frames are then resized to the pitch
    /// of the models
    #[arg(long, value_name = "UM", value_parser = above_zero, conflicts_with = "whole_field")]
    um_per_px: Option<f64>,

    /// Seed of the simulated camera
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,

    /// Save the pictures of every N-th frame; those of the last are always saved
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    save_every: Option<u64>,

    /// Begin a folder again at its end
    #[arg(long)]
    repeat: bool,

    /// Shrink the pictures of a folder or camera first: the centre square to 64x64, for fields at full resolution
    #[arg(long)]
    whole_field: bool,

    /// Count cells also in frames that are out of focus, empty, or badly exposed
    #[arg(long)]
    any_quality: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of the source, of the models and of the results; the frames before are kept.
pub(super) fn run(session: &Session, args: &RunArgs) -> Result<()> {
    let wish = Wish {
        fps: args.fps,
        seed: args.seed,
        repeat: args.repeat,
        whole_field: args.whole_field,
        um_per_px: args.um_per_px,
        as_is: false,
    };
    let mut source = open(&args.source, &session.config, wish)?;
    let mut pipeline = session.pipeline()?;
    source.resample_to(pipeline.pitch().um_per_px)?;
    if session.config.budget.total_mib.is_some() {
        // A folder does not know the size of its pictures: it is reckoned with single tiles.
        let size_px = source.usual_size_px().unwrap_or((TILE_PX, TILE_PX));
        budget::check(session, &budget::of_pipeline(&mut pipeline, size_px.into())?)?;
    }
    let started = SystemTime::now();
    let started_utc = utc::stamp(started);
    let out = args.out.clone().unwrap_or_else(|| {
        let results = session.config.output.dir.clone().unwrap_or_else(|| PathBuf::from("results"));
        results.join(format!("{}-{started_utc}", source.name()))
    });
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (run_info, records) = (run_info(session, args, source.as_ref(), started)?, &session.config.records);
    let mut log = RunLog::open(&out, &run_info, &records.retention(), records.tables, Arc::clone(&clock))?;
    let mut pictures = KeptPictures::new(&out, args.save_every);
    let (mut last, mut spare) = (None, None);
    let stop = stop_on_signals()?;

    print::line(format_args!("source   {}: {}", source.name(), source.describe()));
    print::line(format_args!("results  {}", out.display()));
    let most_frames = args.frames.or((args.source == "demo").then_some(DEMO_FRAMES));
    let (start, mut cells, mut unsupported) = (Instant::now(), 0_u64, 0_u64);
    let mut verdicts: BTreeMap<Verdict, u64> = BTreeMap::new();
    supervise::ready();
    let outcome = run::run(
        source.as_mut(),
        most_frames,
        &stop,
        |picture| if args.any_quality { pipeline.analyse_any(picture) } else { pipeline.analyse(picture) },
        |event| {
            supervise::alive();
            match event {
                Event::Analysed(frame, analysis, dropped) => {
                    cells += analysis.cells.len() as u64;
                    unsupported += analysis.unsupported_cells() as u64;
                    *verdicts.entry(analysis.quality.verdict).or_default() += 1;
                    let counted = args.any_quality || analysis.quality.verdict.is_good();
                    // A line is printed when its frame is on the disk.
                    let record = FrameRecord::of(&frame, &analysis, counted, dropped, clock.wall(), spare.take());
                    let kept = acknowledged(log.record(&record), frame.number);
                    spare = Some(record);
                    pictures.see(&frame, &analysis);
                    if !session.quiet && counted {
                        print::line(format_args!("{}  {kept}", frame_line(frame.number, &analysis, dropped)));
                    } else if !session.quiet {
                        let (number, reason) = (frame.number, analysis.quality.reason());
                        print::line(format_args!(
                            "frame {number:>6}  {reason}: no cells counted  dropped {dropped}  {kept}"
                        ));
                    }
                    last = Some(analysis);
                    Ok(())
                }
                Event::Failed(frame, error) => {
                    print::problem(format_args!("frame {} ({}): {error}", frame.number, frame.name));
                    Ok(())
                }
                Event::Idle => Ok(()),
            }
        },
    );
    supervise::stopping();
    // What was recorded is kept even when the run broke.
    let end = log.end(why(&outcome.ended));
    let overlay = last.and_then(|analysis| pictures.end(&analysis));
    print::line(summary(&outcome, [cells, unsupported], start.elapsed().as_secs_f64()));
    if let Some(counters) = source.counters() {
        print::line(format_args!("camera   {counters}"));
    }
    if let Some(quality) = quality_line(&verdicts, args.any_quality) {
        print::line(quality);
    }
    print::line(format_args!("records  {}: {}", out.join(store::FILE).display(), records_line(&end)));
    match &end.tables {
        Tables::Written => {
            let [cells, frames] = [CELLS_TABLE, frames::TABLE].map(|table| out.join(table));
            print::line(format_args!("tables   {} and {}", cells.display(), frames.display()));
        }
        Tables::TooMany(frames) => print::line(format_args!(
            "tables   {frames} frames are many for a table: bloodseg export --from {} --format csv --out FILE",
            out.display()
        )),
        Tables::NotWanted | Tables::Failed(_) => {}
    }
    if let Some(overlay) = overlay {
        print::line(format_args!("look at  {}", overlay.display()));
    }
    if args.source == "demo" {
        print::line("next     bloodseg run FOLDER for frames of your own, bloodseg segment PICTURE --out DIR for one");
    }
    match outcome.ended {
        Ended::Broke(error) => Err(error),
        _ => all_kept(end, &out).and_then(|()| some_frame(source.name(), outcome.counts)),
    }
}

/// What the records of this run begin with.
fn run_info(session: &Session, args: &RunArgs, source: &dyn FrameSource, started: SystemTime) -> Result<RunInfo> {
    let models = session.models()?;
    let um_per_px = source.um_per_px();
    let pitch_from = match um_per_px {
        None => "",
        Some(_) if args.um_per_px.is_some() => "--um-per-px",
        Some(_) if source.sensor().is_none() && args.source == "demo" => "the simulation",
        Some(_) => "the config",
    };
    let notes: Vec<&str> =
        [(args.any_quality, "--any-quality"), (args.whole_field, "--whole-field"), (args.repeat, "--repeat")]
            .into_iter()
            .filter_map(|(given, flag)| given.then_some(flag))
            .collect();
    Ok(RunInfo {
        mark: RunInfo::new_mark(),
        source: source.name().to_owned(),
        description: source.describe(),
        started,
        um_per_px,
        pitch_from: pitch_from.to_owned(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        models: vec![ModelInfo::of("ssr", &models.ssr.manifest), ModelInfo::of("unet", &models.unet.manifest)],
        notes: notes.join(" "),
    })
}

/// What a frame's line ends in.
fn acknowledged(kept: Kept, number: u64) -> String {
    match kept {
        Kept::Durable => format!("ack {number}"),
        Kept::NotKept => "not kept".to_owned(),
    }
}

/// What the records came to.
fn records_line(end: &RunEnd) -> String {
    let KeeperCounters { kept, lost, deleted, bytes, .. } = end.counters;
    let mut line = format!("{kept} frames kept, {:.1} MiB", bytes as f64 / 1_048_576.0);
    for (count, what) in [(lost, "not kept"), (deleted, "old ones deleted")] {
        if count > 0 {
            line += &format!(", {count} {what}");
        }
    }
    line
}

/// A run whose results are not whole is no success.
fn all_kept(end: RunEnd, out: &Path) -> Result<()> {
    match end.tables {
        Tables::Failed(error) => Err(error),
        _ if end.counters.lost > 0 => Err(Error::output(
            &out.join(store::FILE),
            format!("{} frames were not kept, as said above", end.counters.lost),
        )),
        _ => Ok(()),
    }
}

/// How many frames were not good, by what they were; nothing when all were.
fn quality_line(verdicts: &BTreeMap<Verdict, u64>, any_quality: bool) -> Option<String> {
    let bad: Vec<(&Verdict, &u64)> = verdicts.iter().filter(|(verdict, _)| !verdict.is_good()).collect();
    let count: u64 = bad.iter().map(|(_, count)| **count).sum();
    let each: Vec<String> = bad.iter().map(|(verdict, count)| format!("{count} {}", verdict.words())).collect();
    let done = if any_quality { "not good, and counted all the same" } else { "not counted" };
    (count > 0).then(|| format!("quality  {count} frames {done}: {}", each.join(", ")))
}

/// A run in which nothing at all could be read is no success.
fn some_frame(name: &str, counts: Counts) -> Result<()> {
    if counts.captured > 0 || counts.unreadable == 0 {
        return Ok(());
    }
    Err(Error::Source {
        name: name.to_owned(),
        found: format!("none of its {} frames can be used", counts.unreadable),
        todo: "The warnings say why".into(),
    })
}

/// Ctrl-C and SIGTERM ask for a clean end; a second time, the process ends at once.
fn stop_on_signals() -> Result<Arc<Stop>> {
    let stop = Arc::new(Stop::default());
    let raised = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if raised.raise() {
            std::process::exit(130);
        }
    })
    .map_err(|e| Error::internal("signal handler", e))?;
    Ok(stop)
}

fn frame_line(number: u64, analysis: &Analysis, dropped: u64) -> String {
    let times = analysis.times;
    format!(
        "frame {number:>6}  cells {:>4}  ssr {:>6.1} ms  unet {:>6.1} ms  cells {:>5.1} ms  total {:>6.1} ms  dropped {dropped}{}",
        analysis.cells.len(),
        times.ssr_ms,
        times.unet_ms,
        times.cells_ms,
        times.total_ms,
        unsupported(analysis).map_or_else(String::new, |count| format!("  {count}")),
    )
}

fn why(ended: &Ended) -> &'static str {
    match ended {
        Ended::SourceEnded => "the source ended",
        Ended::EnoughFrames => "enough frames",
        Ended::Stopped => "stopped",
        Ended::Broke(_) => "broke off",
    }
}

fn summary(outcome: &Outcome, [cells, unsupported]: [u64; 2], seconds: f64) -> String {
    let Counts { captured, analysed, dropped, failed, unreadable } = outcome.counts;
    let why = why(&outcome.ended);
    let each = if analysed > 0 { cells as f64 / analysed as f64 } else { 0.0 };
    let rate = if seconds > 0.0 { analysed as f64 / seconds } else { 0.0 };
    let unsupported = if unsupported > 0 { format!(" ({unsupported} unsupported)") } else { String::new() };
    format!(
        "end      {why}: {captured} frames captured = {analysed} analysed + {dropped} dropped + {failed} failed; \
         {unreadable} unreadable; {cells} cells{unsupported}, {each:.1} a frame; {seconds:.1} s, {rate:.1} frames/s"
    )
}
