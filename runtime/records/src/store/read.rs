//! Reads records frame by frame, in memory that does not grow with their number.
//!
//! Reads are short: the consumer may pause (`| less`) for as long as it likes, and meanwhile no read is open that would
//! keep the log from being merged into the database.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row, params, types::ValueRef};

use super::{
    FILE, Fault,
    damage::{self, Damage},
    log_check::log_damage,
    log_of, open_to_read, salvage,
};
use crate::{
    error::{Error, Result},
    field::{Field, FieldState, Seen},
    frames::Area,
    store::limits::RECORDS_READ_FRAMES,
};
use bloodseg_vision::{
    cells::{Counts, Kind},
    pictures,
    placement::{PitchSource, Placement, Scaled},
};

/// Which frames are wanted; all by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this run.
    pub run: Option<i64>,
    /// With this number in its run.
    pub frame: Option<i64>,
    /// Not before this time, milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Before this time.
    pub until_ms: Option<i64>,
    /// Only of the sample with this name.
    pub sample: Option<String>,
}

/// A frame as it was recorded, with data of its run. Measures that were not numbers are NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameRow {
    /// Number in the database.
    pub id: i64,
    /// Number of its run.
    pub run: i64,
    /// When the run started, milliseconds since 1970.
    pub started_utc_ms: i64,
    /// Name of the source.
    pub source: String,
    /// How it is known.
    pub pitch_from: String,
    /// Pixels of the super-resolved grid per pixel of the frame, along one axis.
    pub scale: u32,
    /// Number in its run.
    pub number: i64,
    /// When it was analysed, milliseconds since 1970.
    pub at_utc_ms: i64,
    /// The same in running time.
    pub box_ms: i64,
    /// Its name.
    pub image: String,
    /// Its quality verdict.
    pub verdict: String,
    /// Sharpness, if anything is visible.
    pub sharpness: Option<f64>,
    /// `contrast_levels`, `clipped_share`, `depth_levels`, `brightness_levels`.
    pub quality: [f64; 4],
    /// Whether its cells were counted.
    pub counted: bool,
    /// Its cells, without platelets.
    pub cells: i64,
    /// Red cells; none if kinds are unknown, like the two below.
    pub red: Option<i64>,
    /// White cells.
    pub white: Option<i64>,
    /// Platelets, counted separately.
    pub platelets: Option<i64>,
    /// Unsupported cells.
    pub unsupported: i64,
    /// Tiles.
    pub tiles: i64,
    /// Frames of the run dropped before it.
    pub dropped: i64,
    /// `ssr_ms`, `unet_ms`, `tiling_ms`, `cells_ms`, `total_ms`.
    pub ms: [f64; 5],
    /// Width and height of the super-resolved grid; zeros in records of version 1.
    pub size_px: [u32; 2],
    /// How the analysed picture lies on the input, and its size in the specimen.
    pub scaled: Scaled,
    /// Pixels of the analysed picture that are specimen.
    pub analysed_px: i64,
    /// Base name of its pictures; empty in records before version 4.
    pub stem: String,
    /// Name of its sample, or empty.
    pub sample: String,
    /// What it shows that earlier frames of its run did not; none if frames were not compared.
    pub field: Option<Field>,
}

impl FrameRow {
    /// Cells of each kind, if they were counted and the kinds are known: red, white, platelets.
    pub fn kinds(&self) -> [Option<i64>; 3] {
        [self.red, self.white, self.platelets].map(|count| count.filter(|_| self.counted))
    }

    /// Base name of its pictures.
    pub fn stem(&self) -> &str {
        if self.stem.is_empty() { pictures::stem(&self.image) } else { &self.stem }
    }

    /// Size of a pixel of the input in the specimen, if known.
    pub fn um_per_px(&self) -> Option<f64> {
        self.scaled.um_per_px
    }

    /// Size of a pixel of the super-resolved grid in the specimen.
    pub fn um_per_sr_px(&self) -> Option<f64> {
        self.scaled.um_per_sr_px()
    }

    /// How much specimen was analysed.
    pub fn area(&self) -> Area {
        Area::of(&self.scaled, self.analysed_px as f64)
    }
}

/// A cell or a platelet as it was recorded. Lengths are in pixels of the super-resolved grid.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CellRow {
    /// Number in its frame.
    pub label: i64,
    /// Centroid.
    pub x_px: f64,
    /// Centroid.
    pub y_px: f64,
    /// Pixels.
    pub area_px: i64,
    /// Length of the outline, by Crofton's formula.
    pub perimeter_px: f64,
    /// Eccentricity of the ellipse of the same moments.
    pub eccentricity: f64,
    /// Whether the frame's border cuts or touches it.
    pub touches_border: bool,
    /// Mean foreground probability.
    pub confidence: f64,
    /// Mean difference from the input, in levels.
    pub consistency_levels: f64,
    /// Whether the input supports it.
    pub supported: bool,
    /// Its outline, as [`bloodseg_vision::cells::outline`] writes it.
    pub outline: Vec<u8>,
    /// Its kind.
    pub kind: Kind,
    /// Confidence of the kind, 0.5 to 1; none if unknown.
    pub kind_confidence: Option<f64>,
    /// Whether it was counted before.
    pub seen: Seen,
}

impl CellRow {
    /// Diameter of a disk of the same area, `sqrt(4 A / pi)`.
    pub fn equivalent_diameter_px(&self) -> f64 {
        (4.0 * self.area_px as f64 / std::f64::consts::PI).sqrt()
    }

    /// Whether it is counted and measured as a cell.
    pub fn is_cell(&self) -> bool {
        self.kind.is_cell()
    }

    /// `4 pi A / P^2`, at most 1.
    pub fn circularity(&self) -> f64 {
        (4.0 * std::f64::consts::PI * self.area_px as f64 / (self.perimeter_px * self.perimeter_px)).min(1.0)
    }
}

/// Records opened for reading: the frames that existed at that time, whatever a run adds meanwhile. Frames that it
/// deletes for space before their turn are missing.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    pub(super) connection: Connection,
    /// Number of the newest frame when they were opened.
    newest: i64,
    damage: Damage,
    /// Of pooled records, the folder of the runs up to a number.
    folders: Vec<(i64, PathBuf)>,
}

pub(super) const COLUMNS: &str = "f.id, f.run, r.started_utc_ms, r.source, f.um_per_px, r.pitch_from, r.scale, f.number, f.at_utc_ms, \
                       f.box_ms, f.image, f.verdict, f.sharpness, f.contrast_levels, f.clipped_share, f.depth_levels, \
                       f.brightness_levels, f.counted, f.cells, f.unsupported, f.tiles, f.dropped, f.ssr_ms, f.unet_ms, \
                       f.tiling_ms, f.cells_ms, f.total_ms, f.width_px, f.height_px, f.um_per_px_low, f.um_per_px_high, \
                       f.pitch_source, f.input_scale, f.input_x_px, f.input_y_px, f.analysed_px, f.stem, f.red, f.white, f.platelets, \
                       (SELECT name FROM samples WHERE id = f.sample), f.field, f.earlier, f.shift_x_px, f.shift_y_px, \
                       f.new_part, f.fresh, f.fresh_red, f.fresh_white, f.fresh_platelets";

/// Number of [`COLUMNS`].
pub(super) const COLUMN_COUNT: usize = 50;

/// The planner keeps the order of a cross join: frames come by number, starting at the requested one.
const WANTED: &str = "FROM frames f CROSS JOIN runs r ON r.id = f.run WHERE f.id > ?5 AND f.id <= ?6 AND (?1 IS NULL OR \
                      f.run = ?1) AND (?2 IS NULL OR f.number = ?2) AND (?3 IS NULL OR f.at_utc_ms >= ?3) AND (?4 IS NULL OR \
                      f.at_utc_ms < ?4) AND (?7 IS NULL OR f.sample IN (SELECT id FROM samples WHERE name = ?7))";

/// Before every frame.
const FIRST: i64 = i64::MIN;

impl Records {
    /// Opens the records of a run's folder, or a database by name.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) if there are none, or they cannot be read.
    pub fn open(from: &Path) -> Result<Self> {
        let path = if from.is_dir() { from.join(FILE) } else { from.to_owned() };
        if !path.is_file() {
            let found = if from.is_dir() { "a folder without records" } else { "no such file or folder" };
            return Err(Error::input(
                from,
                found,
                format!("a folder with {FILE}"),
                "`bloodseg run --out DIR` writes one",
            ));
        }
        let connection = open_to_read(&path).map_err(|fault| fault.to_read(&path))?;
        let newest = connection.query_row("SELECT max(id) FROM frames", [], |row| row.get::<_, Option<i64>>(0));
        let newest = newest.map_err(|e| Fault::from(e).to_read(&path))?.unwrap_or(FIRST);
        Ok(Self { path, connection, newest, damage: Damage::default(), folders: Vec::new() })
    }

    /// The same, and checks all of them: damaged frames are skipped by everything that reads, and [`Records::damage`]
    /// reports them.
    ///
    /// # Errors
    /// As [`Records::open`]; damage is not an error unless the database as a whole cannot be read.
    pub fn open_checked(from: &Path) -> Result<Self> {
        let mut records = Self::open(from)?;
        let mut damage = damage::find(&records.connection, records.newest).map_err(|e| records.fault(e))?;
        if damage.is_of_rows() {
            records.connection =
                salvage::sound_rows(&records.connection, records.newest).map_err(|e| records.fault(e))?;
        }
        damage.log = log_damage(&log_of(&records.path));
        records.damage = damage;
        Ok(records)
    }

    /// Pooled records: those of `sources`, copied to `connection`.
    pub(super) fn of_parts(
        sources: Vec<Self>,
        connection: Connection,
        newest: i64,
        folders: Vec<(i64, PathBuf)>,
    ) -> Self {
        // Messages about damage name a folder that has some.
        let named = sources.iter().find(|source| source.damage.is_any()).or(sources.first());
        let path = named.map_or_else(PathBuf::new, |source| source.path.clone());
        let mut damage = Damage::default();
        sources.into_iter().for_each(|source| damage.add(source.damage));
        Self { path, connection, newest, damage, folders }
    }

    /// Number of the newest frame that is read.
    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    /// The folder of the database.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The folder with the pictures of a run.
    pub fn folder_of(&self, run: i64) -> &Path {
        let folder = self.folders.iter().find(|(last, _)| run <= *last);
        folder.map_or(self.folder(), |(_, folder)| folder)
    }

    /// What is damaged and therefore skipped; nothing if they were not checked.
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Whether a frame and its cells are as they were written.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when it cannot be read.
    pub fn is_sound(&self, frame: i64) -> Result<bool> {
        Ok(damage::is_frame_sound(&self.connection, frame).map_err(|e| self.fault(e))? == Some(true))
    }

    /// The database.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The first and the last recorded run; none if there are none.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn runs(&self) -> Result<Option<(i64, i64)>> {
        let both = |row: &Row<'_>| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?));
        self.connection.query_row("SELECT min(id), max(id) FROM runs", [], both).map_err(|e| self.fault(e))
    }

    /// Whether there is such a run.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn has_run(&self, run: i64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?1)";
        self.connection.query_row(sql, [run], |row| row.get(0)).map_err(|e| self.fault(e))
    }

    /// Number of frames wanted, and whether the pitch of any is known.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read.
    pub fn count(&self, filter: &Filter) -> Result<(u64, bool)> {
        let sql = format!("SELECT count(*), max(f.um_per_px IS NOT NULL) {WANTED}");
        let both =
            |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, Option<bool>>(1)? == Some(true)));
        let [run, frame, since_ms, until_ms, after, newest] = self.bounds(filter, FIRST);
        let values = params![run, frame, since_ms, until_ms, after, newest, filter.sample];
        self.connection.query_row(&sql, values, both).map_err(|e| self.fault(e))
    }

    /// Does several reads on one snapshot of the records. The log grows meanwhile: nothing that may stall belongs in it.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when they cannot be read, and whatever `reads` says.
    pub fn at_one_moment<T, E: From<Error>>(
        &self,
        reads: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        // Rolled back at its end: nothing was written.
        let _moment = self.connection.unchecked_transaction().map_err(|e| E::from(self.fault(e)))?;
        reads()
    }

    /// Passes each wanted frame on, in the order in which they were recorded. No read is open meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when one cannot be read, and whatever `each` says.
    pub fn frames<E: From<Error>>(
        &self,
        filter: &Filter,
        mut each: impl FnMut(&FrameRow) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (mut rows, mut after) = (vec![FrameRow::default(); RECORDS_READ_FRAMES], FIRST);
        loop {
            let read = self.read_frames(filter, after, &mut rows).map_err(|e| E::from(self.fault(e)))?;
            for frame in rows.iter().take(read) {
                each(frame)?;
                after = frame.id;
            }
            if read < rows.len() {
                return Ok(());
            }
        }
    }

    /// Passes each wanted frame on with its cells, in the order of their labels: all of them, whatever a run deletes. No
    /// read is open meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when one cannot be read, and whatever `each` says.
    pub fn whole_frames<E: From<Error>>(
        &self,
        filter: &Filter,
        mut each: impl FnMut(&FrameRow, &[CellRow]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (mut rows, mut cells) = ([FrameRow::default()], Vec::new());
        let mut after = FIRST;
        while self.read_whole_frame(filter, after, &mut rows, &mut cells).map_err(E::from)? {
            let [frame] = &rows;
            each(frame, &cells)?;
            after = frame.id;
        }
        Ok(())
    }

    /// The next frame and its cells; whether there is one.
    fn read_whole_frame(
        &self,
        filter: &Filter,
        after: i64,
        frame: &mut [FrameRow; 1],
        cells: &mut Vec<CellRow>,
    ) -> Result<bool> {
        // Both from one snapshot, unless one is already in use.
        let begun = self.connection.is_autocommit().then(|| self.connection.unchecked_transaction());
        let _moment = begun.transpose().map_err(|e| self.fault(e))?;
        cells.clear();
        if self.read_frames(filter, after, frame).map_err(|e| self.fault(e))? == 0 {
            return Ok(false);
        }
        self.cells(frame[0].id, |cell| {
            cells.push(cell.clone());
            Ok::<_, Error>(())
        })?;
        Ok(true)
    }

    /// Reads the next frames, as many as there are rows for; returns how many.
    fn read_frames(&self, filter: &Filter, after: i64, into: &mut [FrameRow]) -> rusqlite::Result<usize> {
        let sql = format!("SELECT {COLUMNS} {WANTED} ORDER BY f.id LIMIT ?8");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let [run, frame, since_ms, until_ms, after, newest] = self.bounds(filter, after);
        let most = i64::try_from(into.len()).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![run, frame, since_ms, until_ms, after, newest, filter.sample, most])?;
        let mut read = 0;
        for frame in into {
            let Some(row) = rows.next()? else { break };
            frame.read(row)?;
            read += 1;
        }
        Ok(read)
    }

    /// Passes each cell of a frame on, in the order of their labels, while the read is open: for consumers that do not
    /// wait.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) when one cannot be read, and whatever `each` says.
    pub fn cells<E: From<Error>>(
        &self,
        frame: i64,
        mut each: impl FnMut(&CellRow) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let fault = |e| E::from(self.fault(e));
        let sql = "SELECT label, x_px, y_px, area_px, perimeter_px, eccentricity, touches_border, confidence,
                   consistency_levels, supported, outline, kind, kind_confidence, seen FROM cells WHERE frame = ?1 ORDER BY label";
        let mut statement = self.connection.prepare_cached(sql).map_err(fault)?;
        let mut rows = statement.query([frame]).map_err(fault)?;
        let mut cell = CellRow::default();
        while let Some(row) = rows.next().map_err(fault)? {
            cell.read(row).map_err(fault)?;
            each(&cell)?;
        }
        Ok(())
    }

    fn bounds(&self, filter: &Filter, after: i64) -> [Option<i64>; 6] {
        [filter.run, filter.frame, filter.since_ms, filter.until_ms, Some(after), Some(self.newest)]
    }

    pub(super) fn fault(&self, error: rusqlite::Error) -> Error {
        Fault::from(error).to_read(&self.path)
    }
}

/// SQLite has no NaN: it is stored as null.
fn real(row: &Row<'_>, at: usize) -> rusqlite::Result<f64> {
    Ok(row.get::<_, Option<f64>>(at)?.unwrap_or(f64::NAN))
}

/// Copies a text into reused memory.
pub(super) fn text(row: &Row<'_>, at: usize, into: &mut String) -> rusqlite::Result<()> {
    into.clear();
    if let ValueRef::Text(bytes) = row.get_ref(at)? {
        into.push_str(&String::from_utf8_lossy(bytes));
    }
    Ok(())
}

impl FrameRow {
    /// Takes it from a row of [`COLUMNS`].
    pub(super) fn read(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        self.id = row.get(0)?;
        self.run = row.get(1)?;
        self.started_utc_ms = row.get(2)?;
        text(row, 3, &mut self.source)?;
        text(row, 5, &mut self.pitch_from)?;
        self.scale = row.get(6)?;
        self.number = row.get(7)?;
        self.at_utc_ms = row.get(8)?;
        self.box_ms = row.get(9)?;
        text(row, 10, &mut self.image)?;
        text(row, 11, &mut self.verdict)?;
        self.sharpness = row.get(12)?;
        for (at, value) in (13..).zip(&mut self.quality) {
            *value = real(row, at)?;
        }
        self.counted = row.get(17)?;
        self.cells = row.get(18)?;
        self.unsupported = row.get(19)?;
        self.tiles = row.get(20)?;
        self.dropped = row.get(21)?;
        for (at, value) in (22..).zip(&mut self.ms) {
            *value = real(row, at)?;
        }
        self.size_px = [row.get(27)?, row.get(28)?];
        let range: (Option<f64>, Option<f64>) = (row.get(29)?, row.get(30)?);
        self.scaled = Scaled {
            placement: Placement { scale: real(row, 32)?, start_px: [real(row, 33)?, real(row, 34)?] },
            um_per_px: row.get(4)?,
            um_per_px_range: range.0.zip(range.1).map(|(low, high)| [low, high]),
            source: row.get_ref(31)?.as_str().ok().and_then(PitchSource::of_name).unwrap_or_default(),
        };
        self.analysed_px = row.get(35)?;
        text(row, 36, &mut self.stem)?;
        [self.red, self.white, self.platelets] = [row.get(37)?, row.get(38)?, row.get(39)?];
        text(row, 40, &mut self.sample)?;
        self.field = match row.get_ref(41)?.as_str().ok().and_then(FieldState::from_name) {
            None => None,
            Some(state) => Some(Field {
                state,
                earlier: row.get::<_, Option<i64>>(42)?.map(i64::cast_unsigned),
                shift_px: row.get::<_, Option<f64>>(43)?.zip(row.get(44)?).map(|(x, y)| [x, y]),
                new_part: row.get::<_, Option<f64>>(45)?.unwrap_or(1.0),
                fresh: Counts {
                    cells: row.get::<_, Option<u32>>(46)?.unwrap_or(0),
                    red: row.get(47)?,
                    white: row.get(48)?,
                    platelets: row.get(49)?,
                    unsupported: 0,
                },
            }),
        };
        Ok(())
    }
}

impl CellRow {
    fn read(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        self.label = row.get(0)?;
        self.x_px = real(row, 1)?;
        self.y_px = real(row, 2)?;
        self.area_px = row.get(3)?;
        self.perimeter_px = real(row, 4)?;
        self.eccentricity = real(row, 5)?;
        self.touches_border = row.get(6)?;
        self.confidence = real(row, 7)?;
        self.consistency_levels = real(row, 8)?;
        self.supported = row.get(9)?;
        self.outline.clear();
        if let ValueRef::Blob(bytes) = row.get_ref(10)? {
            self.outline.extend_from_slice(bytes);
        }
        self.kind = row.get_ref(11)?.as_str().ok().and_then(Kind::from_name).unwrap_or_default();
        self.kind_confidence = row.get(12)?;
        self.seen = Seen::from_number(row.get(13)?);
        Ok(())
    }
}
