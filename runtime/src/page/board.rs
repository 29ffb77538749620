//! The contents of the page, as last published by the analysis.
//!
//! The analysis copies into memory that is allocated with its first frame, and only if the lock is free: while a reader
//! is copying, the page skips a frame (counted), and the run is not delayed.

use std::{
    collections::VecDeque,
    fmt::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use super::{
    diameters::{self, Diameters},
    facts::ModelCard,
    history::RecentCells,
    stage_times::StageHistograms,
};
use crate::page::limits::{MAX_PAGE_PICTURE_SIDE_PX, MAX_PAGE_TREND_LEN};
use bloodseg_records::frames::Area;
use bloodseg_vision::{
    cells::{Cell, Counts, Kind},
    frame::{
        Frame,
        quality::{Quality, Verdict},
    },
    geometry::SCALE,
    pipeline::{Analysis, StageTimes},
    placement::Scaled,
};

/// Bit of a copied label that marks its cell as unsupported.
pub const UNSUPPORTED_BIT: u16 = 1 << 15;

/// Bit of a copied label that marks its cell as white.
pub const WHITE_BIT: u16 = 1 << 14;

/// Bit of a copied label that marks a platelet.
pub const PLATELET_BIT: u16 = 1 << 13;

/// The look bits. The bits below are the label.
const LOOK_BITS: u16 = UNSUPPORTED_BIT | WHITE_BIT | PLATELET_BIT;

/// The look bits of a cell.
fn look_bits(cell: &Cell) -> u16 {
    let kind = match cell.kind {
        Kind::White => WHITE_BIT,
        Kind::Platelet => PLATELET_BIT,
        Kind::Red | Kind::Unknown => 0,
    };
    kind | if cell.consistency.supported() { 0 } else { UNSUPPORTED_BIT }
}

/// A picture for the page: every `step`-th pixel of the original.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thinned {
    /// RGB, rows from the top.
    pub rgb: Vec<u8>,
    /// Width and height in pixels.
    pub size_px: (u32, u32),
}

/// The pictures of one frame.
#[derive(Debug, Clone, Default)]
pub struct Pictures {
    /// Number of the frame; 0 before the first.
    pub frame: u64,
    /// The input.
    pub lr: Thinned,
    /// Super-resolved.
    pub sr: Thinned,
    /// Labels of `sr`, modulo the lowest look bit, with the look bits [`UNSUPPORTED_BIT`], [`WHITE_BIT`],
    /// [`PLATELET_BIT`].
    pub labels: Vec<u16>,
}

/// A frame in the trend.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct TrendPoint {
    /// Number of the frame.
    pub frame: u64,
    /// Its cells; `None` if not counted.
    pub cells: Option<u32>,
}

/// The numbers of one frame.
#[derive(Debug, Clone)]
pub struct Numbers {
    /// Number of the frame.
    pub frame: u64,
    /// Its name.
    pub name: String,
    /// When it was analysed, by the wall clock.
    pub at: SystemTime,
    /// The same on the monotonic clock.
    pub at_elapsed: Duration,
    /// Time since the previously shown frame; `None` for the first.
    pub interval: Option<Duration>,
    /// Width and height of the sensor's frame.
    pub size_px: (u32, u32),
    /// Width and height of the super-resolved picture.
    pub sr_size_px: (u32, u32),
    /// Where the analysed picture lies on the input, and its pitch.
    pub scaled: Scaled,
    /// Pixels of the analysed picture that are specimen.
    pub analysed_px: u64,
    /// Its quality.
    pub quality: Quality,
    /// Whether its cells were counted.
    pub counted: bool,
    /// The counts.
    pub counts: Counts,
    /// Tiles of each model.
    pub tiles: u32,
    /// Milliseconds of each stage.
    pub times: StageTimes,
}

impl Numbers {
    /// The analysed specimen area.
    pub fn area(&self) -> Area {
        Area::of(&self.scaled, self.analysed_px as f64)
    }

    /// Cells per square millimetre, if counted and the pitch is known.
    pub fn cells_per_mm2(&self) -> Option<f64> {
        let um2 = self.area().um2.filter(|um2| *um2 > 0.0)?;
        self.counted.then(|| f64::from(self.counts.cells) / um2 * 1e6)
    }
}

#[derive(Debug)]
struct Shown {
    pictures: Pictures,
    numbers: Option<Numbers>,
    trend: VecDeque<TrendPoint>,
    diameters: Diameters,
    /// The look of each label, up to the greatest label.
    looks: Vec<u16>,
}

/// A consistent copy of the numbers.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The latest frame.
    pub numbers: Option<Numbers>,
    /// The latest frames, oldest first.
    pub trend: Vec<TrendPoint>,
    /// Diameters of the latest counted frames.
    pub diameters: diameters::Histogram,
}

/// See the module.
#[derive(Debug)]
pub struct Board {
    shown: Mutex<Shown>,
    published: AtomicU64,
    skipped: AtomicU64,
    cells: AtomicU64,
    unsupported: AtomicU64,
    /// Red cells, white cells and platelets.
    kinds: [AtomicU64; 3],
    /// Frames with known kinds.
    with_kinds: AtomicU64,
    verdicts: [AtomicU64; Verdict::ALL.len()],
    /// Cards of the running models; others after a rollback.
    models: Mutex<Vec<ModelCard>>,
    /// Times of the stages, of every frame.
    pub stages: StageHistograms,
    /// Cells of the latest frames.
    pub recent: Arc<RecentCells>,
    /// When the numbers were last requested, milliseconds of the run, plus one; 0 before the first time.
    asked: AtomicU64,
    /// Whether they were requested since the run ended.
    asked_at_end: AtomicBool,
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl Board {
    /// Notes that the numbers are requested, and whether they are those of a run that has ended.
    pub fn ask(&self, now: Duration, has_ended: bool) {
        self.asked.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_add(1), Relaxed);
        self.asked_at_end.fetch_or(has_ended, Relaxed);
    }

    /// Whether a browser that has not seen the end is watching: the numbers were requested within `recent` before
    /// `now`, and not since the run ended.
    pub fn is_watched(&self, now: Duration, recent: Duration) -> bool {
        let asked = self.asked.load(Relaxed).checked_sub(1).map(Duration::from_millis);
        !self.asked_at_end.load(Relaxed) && asked.is_some_and(|asked| now.saturating_sub(asked) <= recent)
    }

    /// Sets the running models.
    pub fn set_models(&self, models: Vec<ModelCard>) {
        *self.models.lock().unwrap_or_else(PoisonError::into_inner) = models;
    }

    /// The running models.
    pub fn models(&self) -> Vec<ModelCard> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An empty board.
    pub fn new() -> Self {
        Self {
            shown: Mutex::new(Shown {
                pictures: Pictures::default(),
                numbers: None,
                trend: VecDeque::with_capacity(MAX_PAGE_TREND_LEN),
                diameters: Diameters::new(),
                looks: Vec::new(),
            }),
            published: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            cells: AtomicU64::new(0),
            unsupported: AtomicU64::new(0),
            kinds: Default::default(),
            with_kinds: AtomicU64::new(0),
            verdicts: Default::default(),
            models: Mutex::default(),
            stages: StageHistograms::default(),
            recent: Arc::new(RecentCells::new()),
            asked: AtomicU64::new(0),
            asked_at_end: AtomicBool::new(false),
        }
    }

    /// Publishes the analysis of a frame. Never waits.
    pub fn publish(&self, frame: &Frame, analysis: &Analysis, counted: bool, at: SystemTime, at_elapsed: Duration) {
        let counts = analysis.counts();
        self.stages.add(&analysis.times);
        self.cells.fetch_add(u64::from(counts.cells), Relaxed);
        self.unsupported.fetch_add(u64::from(counts.unsupported), Relaxed);
        if counts.has_kinds() {
            for (sum, count) in self.kinds.iter().zip([counts.red, counts.white, counts.platelets]) {
                sum.fetch_add(u64::from(count.unwrap_or_default()), Relaxed);
            }
            self.with_kinds.fetch_add(1, Relaxed);
        }
        if let Some(at) = Verdict::ALL.iter().position(|verdict| *verdict == analysis.quality.verdict) {
            self.verdicts[at].fetch_add(1, Relaxed);
        }
        self.recent.note(frame.number, &analysis.cells, &analysis.scaled);
        let Ok(mut shown) = self.shown.try_lock() else {
            self.skipped.fetch_add(1, Relaxed);
            return;
        };
        let shown = &mut *shown;
        let before = shown.numbers.take();
        let interval = before.as_ref().map(|before| at_elapsed.saturating_sub(before.at_elapsed));
        let mut name = before.map_or_else(|| String::with_capacity(256), |numbers| numbers.name);
        name.clear();
        // Writing to a string cannot fail.
        let _ = write!(name, "{}", frame.name);
        let (times, tiles, quality) = (analysis.times, analysis.tiles, analysis.quality);
        let size_px = frame.picture.dimensions();
        let number = frame.number;
        shown.numbers = Some(Numbers {
            frame: number,
            name,
            at,
            at_elapsed,
            interval,
            size_px,
            sr_size_px: analysis.sr.dimensions(),
            scaled: analysis.scaled,
            analysed_px: analysis.outside.analysed_px(),
            quality,
            counted,
            counts,
            tiles,
            times,
        });
        while shown.trend.len() >= MAX_PAGE_TREND_LEN {
            shown.trend.pop_front();
        }
        shown.trend.push_back(TrendPoint { frame: number, cells: counted.then_some(counts.cells) });
        if counted {
            shown.diameters.add(&analysis.cells, &analysis.scaled);
        }
        shown.show(frame, analysis);
        self.published.store(number, Relaxed);
    }

    /// Number of the displayed frame; 0 before the first.
    pub fn published(&self) -> u64 {
        self.published.load(Relaxed)
    }

    /// Frames that were not published because a reader held the lock.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed) + self.recent.skipped()
    }

    /// Cells so far, and the unsupported ones among them.
    pub fn cells(&self) -> (u64, u64) {
        (self.cells.load(Relaxed), self.unsupported.load(Relaxed))
    }

    /// Red cells, white cells and platelets so far; `None` until a model reports kinds.
    pub fn kinds(&self) -> Option<[u64; 3]> {
        let has_kinds = self.with_kinds.load(Relaxed) > 0;
        has_kinds.then(|| self.kinds.each_ref().map(|count| count.load(Relaxed)))
    }

    /// Frames by verdict so far.
    pub fn verdicts(&self) -> impl Iterator<Item = (Verdict, u64)> {
        Verdict::ALL.into_iter().zip(&self.verdicts).map(|(verdict, count)| (verdict, count.load(Relaxed)))
    }

    /// A copy of the numbers.
    pub fn read(&self) -> Reading {
        self.lock().read()
    }

    /// The pictures, copied into reused memory, and the numbers of the same frame.
    pub fn copy(&self, to: &mut Pictures) -> Reading {
        let shown = self.lock();
        let from = &shown.pictures;
        to.frame = from.frame;
        for (to, from) in [(&mut to.lr, &from.lr), (&mut to.sr, &from.sr)] {
            to.size_px = from.size_px;
            to.rgb.clear();
            to.rgb.extend_from_slice(&from.rgb);
        }
        to.labels.clear();
        to.labels.extend_from_slice(&from.labels);
        shown.read()
    }

    /// Bytes of the board's pictures for frames of a size: red, green and blue of both, and labels.
    pub fn picture_bytes(width: u32, height: u32) -> u64 {
        let px = |width: u32, height: u32| {
            let step = step(width.max(height));
            u64::from(width.div_ceil(step)) * u64::from(height.div_ceil(step))
        };
        3 * px(width, height) + 5 * px(width * SCALE, height * SCALE)
    }

    // A panic while the lock was held comes from the analysis: the contents may mix two frames until the next one.
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The subsampling step for a picture with this longer side.
fn step(side_px: u32) -> u32 {
    side_px.div_ceil(MAX_PAGE_PICTURE_SIDE_PX).max(1)
}

impl Shown {
    fn read(&self) -> Reading {
        Reading {
            numbers: self.numbers.clone(),
            trend: self.trend.iter().copied().collect(),
            diameters: self.diameters.histogram(),
        }
    }

    fn show(&mut self, frame: &Frame, analysis: &Analysis) {
        self.looks.clear();
        for cell in &analysis.cells {
            let at = usize::from(cell.label);
            if self.looks.len() <= at {
                self.looks.resize(at + 1, 0);
            }
            self.looks[at] = look_bits(cell);
        }
        let pictures = &mut self.pictures;
        pictures.frame = frame.number;
        thin(&mut pictures.lr, frame.picture.as_raw(), frame.picture.dimensions());
        let (width, height) = analysis.sr.dimensions();
        thin(&mut pictures.sr, analysis.sr.as_raw(), (width, height));
        let step = step(width.max(height)) as usize;
        pictures.labels.clear();
        for row in analysis.labels.as_raw().chunks_exact(width.max(1) as usize).step_by(step) {
            let look = |label: u16| self.looks.get(usize::from(label)).copied().unwrap_or_default();
            pictures.labels.extend(row.iter().step_by(step).map(|&label| match label {
                0 => 0,
                // Neighbours keep different numbers: cells that share one are 8191 apart.
                _ => (label & !LOOK_BITS).max(1) | look(label),
            }));
        }
    }
}

fn thin(to: &mut Thinned, rgb: &[u8], (width, height): (u32, u32)) {
    let step = step(width.max(height));
    to.size_px = (width.div_ceil(step), height.div_ceil(step));
    to.rgb.clear();
    if step == 1 {
        to.rgb.extend_from_slice(rgb);
        return;
    }
    for row in rgb.chunks_exact(3 * width.max(1) as usize).step_by(step as usize) {
        for pixel in row.chunks_exact(3).step_by(step as usize) {
            to.rgb.extend_from_slice(pixel);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use image::{Luma, Rgb, RgbImage};

    use super::*;
    use crate::page::history::tests::cell;
    use bloodseg_vision::{cells::Labels, segmentation::CellMaps};

    pub(in crate::page) fn frame(number: u64, width: u32, height: u32) -> (Frame, Analysis) {
        let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, number as u8]));
        let (w, h) = (width * SCALE, height * SCALE);
        let analysis = Analysis {
            quality: Quality::default(),
            sr: RgbImage::from_fn(w, h, |x, y| Rgb([x as u8, y as u8, 7])),
            maps: CellMaps::empty(w, h),
            labels: Labels::from_fn(w, h, |x, y| Luma([u16::from(x < 8 && y < 8) + 2 * u16::from(x >= 16)])),
            cells: {
                let mut cells = vec![cell(1, 9.0, false), cell(2, 12.0, true)];
                cells[1].consistency.offset_levels = 200.0;
                cells
            },
            outside: Default::default(),
            scaled: Default::default(),
            times: StageTimes { total_ms: 12.0, ..StageTimes::default() },
            tiles: 1,
        };
        let name = format!("f{number}.png").into();
        (Frame { number, name, picture: picture.into(), origin: Default::default() }, analysis)
    }

    pub(in crate::page) fn publish(board: &Board, number: u64, width: u32, height: u32) {
        let (frame, analysis) = frame(number, width, height);
        board.publish(&frame, &analysis, true, SystemTime::UNIX_EPOCH, Duration::from_secs(number));
    }

    #[test]
    fn published_frame_is_read_back() {
        let board = Board::new();
        assert!(board.read().numbers.is_none() && board.published() == 0);
        publish(&board, 7, 64, 32);
        let numbers = board.read().numbers.unwrap();
        assert_eq!(
            (numbers.frame, numbers.name.as_str(), numbers.counts.cells, numbers.counts.unsupported),
            (7, "f7.png", 2, 1)
        );
        assert_eq!((board.published(), board.cells(), board.skipped()), (7, (2, 1), 0));
        let mut pictures = Pictures::default();
        board.copy(&mut pictures);
        assert_eq!((pictures.frame, pictures.lr.size_px, pictures.sr.size_px), (7, (64, 32), (256, 128)));
        assert_eq!((pictures.labels[0], pictures.labels[10], pictures.labels[16]), (1, 0, 2 | UNSUPPORTED_BIT));
    }

    #[test]
    fn is_watched_by_recent_requests_until_end_is_seen() {
        let (board, recent, now) = (Board::new(), Duration::from_secs(5), Duration::from_secs(60));
        assert!(!board.is_watched(now, recent), "nobody came");
        board.ask(Duration::from_secs(10), false);
        assert!(!board.is_watched(now, recent), "gone for long");
        board.ask(Duration::from_secs(58), false);
        assert!(board.is_watched(now, recent));
        board.ask(Duration::from_secs(61), true);
        assert!(!board.is_watched(Duration::from_secs(61), recent));
    }

    #[test]
    fn known_kinds_are_counted_and_platelets_are_separate() {
        let board = Board::new();
        publish(&board, 1, 64, 32);
        assert_eq!((board.kinds(), board.read().numbers.unwrap().counts.platelets), (None, None));
        let (frame, mut analysis) = frame(2, 64, 32);
        analysis.cells[0].kind = Kind::White;
        analysis.cells[1].kind = Kind::Platelet;
        analysis.maps.kinds = Some(Default::default());
        board.publish(&frame, &analysis, true, SystemTime::UNIX_EPOCH, Duration::from_secs(2));
        // The platelet is the unsupported one.
        assert_eq!((board.kinds(), board.cells()), (Some([0, 1, 1]), (3, 1)));
        let reading = board.read();
        assert_eq!(reading.trend.last().and_then(|point| point.cells), Some(1));
        let mut pictures = Pictures::default();
        board.copy(&mut pictures);
        let labels = [0, 10, 16].map(|at: usize| pictures.labels[at]);
        assert_eq!(labels, [1 | WHITE_BIT, 0, 2 | UNSUPPORTED_BIT | PLATELET_BIT]);
    }

    #[test]
    fn frames_have_interval_since_previous_frame() {
        let board = Board::new();
        let interval = || board.read().numbers.and_then(|numbers| numbers.interval);
        publish(&board, 3, 2, 2);
        assert_eq!(interval(), None);
        publish(&board, 14, 2, 2);
        assert_eq!(interval(), Some(Duration::from_secs(11)));
    }

    #[test]
    fn locked_board_skips_a_frame_without_blocking() {
        let board = Board::new();
        publish(&board, 1, 8, 8);
        let held = board.shown.lock().unwrap();
        publish(&board, 2, 8, 8);
        drop(held);
        assert_eq!((board.published(), board.skipped(), board.cells().0), (1, 1, 4));
        publish(&board, 3, 8, 8);
        assert_eq!(board.published(), 3);
    }

    #[test]
    fn large_pictures_are_subsampled_to_budgeted_size() {
        let board = Board::new();
        for (width, height) in [(64, 64), (640, 480), (193, 5), (1, 1)] {
            publish(&board, 1, width, height);
            let mut pictures = Pictures::default();
            board.copy(&mut pictures);
            let Pictures { lr, sr, labels, .. } = &pictures;
            for picture in [lr, sr] {
                assert!(picture.size_px.0 <= MAX_PAGE_PICTURE_SIDE_PX && picture.size_px.1 <= MAX_PAGE_PICTURE_SIDE_PX);
                assert_eq!(picture.rgb.len() as u32, 3 * picture.size_px.0 * picture.size_px.1);
            }
            assert_eq!(labels.len() as u32, sr.size_px.0 * sr.size_px.1);
            let bytes = lr.rgb.len() + sr.rgb.len() + 2 * labels.len();
            assert_eq!(bytes as u64, Board::picture_bytes(width, height));
        }
    }

    #[test]
    fn trend_drops_oldest_frames() {
        let board = Board::new();
        for number in 1..=MAX_PAGE_TREND_LEN as u64 + 3 {
            publish(&board, number, 2, 2);
        }
        let trend = board.read().trend;
        assert_eq!((trend.len(), trend[0]), (MAX_PAGE_TREND_LEN, TrendPoint { frame: 4, cells: Some(2) }));
    }
}
