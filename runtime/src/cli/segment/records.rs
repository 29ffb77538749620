//! The records of a call, beside its tables: `export` and `report` read them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::SegmentArgs;
use crate::{
    cli::{inputs::Input, session::Session},
    error::{Error, Result},
};
use bloodseg_clock::{Clock, SystemClock};
use bloodseg_records::{
    export::{ExportError, Format, export},
    field::{Field, Seen},
    frame_record::FrameRecord,
    keeper::{Keeper, Kept},
    run_info::{ModelInfo, RunInfo},
    sample::Sample,
    store::{
        self,
        read::{Filter, Records},
        retention::Retention,
    },
};
use bloodseg_vision::{error::Cause, frame::name::FrameName, model::store::Models, pipeline::Analysis};

/// The source name in such records.
const SOURCE: &str = "segment";

/// All pictures of a call are kept, however many and however old.
const EVERYTHING: Retention = Retention { most_bytes: i64::MAX as u64, most_age_ms: None, oldest_make_room: false };

/// The records of a call in progress.
pub(super) struct CallRecords {
    keeper: Keeper,
    out: PathBuf,
    clock: Arc<dyn Clock>,
    number: u64,
    spare: Option<FrameRecord>,
    /// The sample of all pictures of the call.
    sample: Option<Arc<Sample>>,
    /// Pictures that could not be recorded.
    lost: u64,
}

impl CallRecords {
    /// Starts a run in the records of `out`, which are created.
    ///
    /// # Errors
    /// Those of the models and of the records.
    pub(super) fn begin(
        session: &Session,
        models: &Models,
        args: &SegmentArgs,
        um_per_px: Option<f64>,
        out: &Path,
    ) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let names: Vec<String> = args.inputs.iter().map(|input| input.display().to_string()).collect();
        let flags = [
            (args.any_quality, "--any-quality"),
            (args.whole_field, "--whole-field"),
            (args.as_is, "--as-is"),
            (args.recursive, "--recursive"),
        ];
        let notes: Vec<&str> = flags.into_iter().filter_map(|(given, flag)| given.then_some(flag)).collect();
        let run = RunInfo {
            mark: RunInfo::new_mark(),
            source: SOURCE.to_owned(),
            description: format!("pictures: {}", names.join(", ")),
            started: clock.wall(),
            um_per_px,
            pitch_from: match (args.um_per_px, um_per_px) {
                (Some(_), _) => "--um-per-px",
                (None, Some(_)) => "the config",
                (None, None) => "",
            }
            .to_owned(),
            software: env!("CARGO_PKG_VERSION").to_owned(),
            models: vec![ModelInfo::of("ssr", &models.ssr.manifest), ModelInfo::of("unet", &models.unet.manifest)],
            notes: notes.join(" "),
        };
        let keeper = Keeper::open(out, &run, &EVERYTHING, Arc::clone(&clock))?;
        let sample = args.sample.sample()?.or_else(|| session.config.sample.clone()).map(Arc::new);
        Ok(Self { keeper, out: out.to_owned(), clock, number: 0, spare: None, sample, lost: 0 })
    }

    /// Records a picture and its cells.
    pub(super) fn add(
        &mut self,
        input: &Input,
        analysis: &Analysis,
        counted: bool,
        field: Option<Field>,
        seen: &[Seen],
    ) {
        self.number += 1;
        let name = FrameName::Whole(input.name.clone());
        let mut record =
            FrameRecord::of(self.number, &name, analysis, counted, 0, self.clock.wall(), self.spare.take());
        record.stem.clone_from(&input.stem);
        record.sample.clone_from(&self.sample);
        record.field = field;
        record.seen.extend_from_slice(seen);
        self.lost += u64::from(self.keeper.keep(&record) != Kept::Durable);
        self.spare = Some(record);
    }

    /// The last picture as in `export --format jsonl`, without a line break; `None` if it could not be recorded.
    ///
    /// # Errors
    /// Those of the records.
    pub(super) fn latest_json(&self) -> Result<Option<String>> {
        let records = Records::open(&self.out)?;
        // The folder is held: the last run is this call.
        let run = records.runs()?.map(|(_, last)| last);
        let filter = Filter { run, frame: i64::try_from(self.number).ok(), ..Filter::default() };
        let mut line = Vec::new();
        export(&records, &filter, Format::Jsonl, &mut line, &mut || ()).map_err(|error| match error {
            ExportError::Records(error) => error.into(),
            ExportError::Write(error) => Error::internal("json", error),
        })?;
        let line = String::from_utf8(line).map_err(|error| Error::internal("json", Cause::of(error)))?;
        Ok(Some(line.trim_end().to_owned()).filter(|line| !line.is_empty()))
    }

    /// Ends the run; `how` says how.
    ///
    /// # Errors
    /// [`ErrorKind::Output`](crate::error::ErrorKind::Output) if pictures could not be recorded.
    pub(super) fn end(mut self, how: &str, out: &Path) -> Result<()> {
        self.keeper.end(how, self.lost);
        if self.lost > 0 {
            let found = format!("{} of {} pictures are not in the records", self.lost, self.number);
            return Err(Error::output(&out.join(store::FILE), found));
        }
        Ok(())
    }
}

/// Whether the records in a folder come only from calls of `segment`, and not from a run.
///
/// # Errors
/// Those of the records.
pub(super) fn are_of_calls(out: &Path) -> Result<bool> {
    let records = Records::open(out)?;
    let Some((first, last)) = records.runs()? else { return Ok(true) };
    for run in first..=last {
        if records.run(run)?.is_some_and(|run| run.source != SOURCE) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Deletes the records of a folder.
///
/// # Errors
/// [`ErrorKind::Output`](crate::error::ErrorKind::Output) if one cannot be deleted.
pub(super) fn remove(out: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let path = out.join(format!("{}{ending}", store::FILE));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::output(&path, error)),
            _ => {}
        }
    }
    Ok(())
}
