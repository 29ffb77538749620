//! Cells of earlier frames, and earlier runs.

use std::{
    fmt,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use serde::{Serialize, Serializer};

use crate::page::{
    limits::{MAX_PAGE_CELLS_KEPT, MAX_PAGE_CELLS_SENT, MAX_PAGE_RUN_FRAMES, MAX_PAGE_RUNS},
    since::Since,
};
use bloodseg_clock::utc;
use bloodseg_records::store::read::Records;
use bloodseg_vision::{
    cells::{Cell, Kind},
    placement::Scaled,
};

/// One cell or platelet, in pixels of the sensor's frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CellDetails {
    /// Number of its frame.
    pub frame: u64,
    /// Its number in that frame.
    pub label: u16,
    /// Centroid from the left.
    pub x_px: f32,
    /// Centroid from the top.
    pub y_px: f32,
    /// Diameter of the disk of the same area.
    pub diameter_px: f32,
    /// The same in the specimen, if the pitch is known.
    pub diameter_um: Option<f32>,
    /// 1 is a disk.
    pub circularity: f32,
    /// Mean foreground probability.
    pub confidence: f32,
    /// Whether the border cuts it.
    pub touches_border: bool,
    /// Whether the input supports it.
    pub supported: bool,
    /// Its kind.
    pub kind: Kind,
    /// Confidence in the kind in thousandths, 500 to 1000, and 0 if unknown; 0.5 to 1 or null for clients.
    #[serde(rename = "kind_confidence", serialize_with = "confidence")]
    pub kind_thousandths: u16,
}

fn confidence<S: Serializer>(thousandths: &u16, to: S) -> Result<S::Ok, S::Error> {
    Some(f64::from(*thousandths) / 1000.0).filter(|sure| *sure > 0.0).serialize(to)
}

impl CellDetails {
    fn place(&self) -> Since {
        Since::cell(self.frame, self.label)
    }
}

/// Cells after a given frame.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cells {
    /// Ordered by frame and label. The frame that exceeds [`MAX_PAGE_CELLS_SENT`] cells is the last, and continues in the
    /// next response if there would be more than twice as many.
    pub cells: Vec<CellDetails>,
    /// The value of `since` for the next request.
    pub next_since: Since,
    /// Whether the last frame continues in the next response.
    pub cut: bool,
    /// The oldest frame with cells in memory; earlier ones are gone.
    pub oldest: Option<u64>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Start, UTC.
    pub started_utc: String,
    /// Its source.
    pub source: String,
    /// Frames analysed; for an earlier run, those in the records.
    pub frames: u64,
    /// Cells counted; `None` for an earlier run with more than [`MAX_PAGE_RUN_FRAMES`] frames.
    pub cells: Option<u64>,
    /// Whether it is active.
    pub active: bool,
}

/// The latest runs in the records of a folder, at most [`MAX_PAGE_RUNS`], in order.
///
/// # Errors
/// Those of [`Records`].
pub fn earlier_runs(folder: &Path) -> crate::error::Result<Vec<RunSummary>> {
    let records = Records::open(folder)?;
    let (numbers, _) = records.latest_runs(MAX_PAGE_RUNS)?;
    let sent = numbers.into_iter().filter_map(|number| {
        let run = records.run(number).transpose()?;
        Some(run.and_then(|run| {
            let (frames, cells) = records.counted(number, MAX_PAGE_RUN_FRAMES)?;
            Ok(RunSummary {
                started_utc: utc::stamp_ms(run.started_utc_ms),
                source: run.source,
                frames,
                cells,
                active: false,
            })
        }))
    });
    Ok(sent.collect::<bloodseg_records::error::Result<_>>()?)
}

/// A source of earlier cells.
pub trait History: Send + Sync + fmt::Debug {
    /// Cells after those that a client has: following `next_since` returns each of them once.
    ///
    /// # Errors
    /// A message for the client if they cannot be read.
    fn cells_since(&self, since: Since) -> Result<Cells, String>;
}

#[derive(Debug)]
struct Ring {
    cells: Box<[Option<CellDetails>]>,
    next: usize,
    latest: u64,
}

/// The latest cells of this run, in preallocated memory.
#[derive(Debug)]
pub struct RecentCells {
    ring: Mutex<Ring>,
    skipped: AtomicU64,
}

impl Default for RecentCells {
    fn default() -> Self {
        Self::new()
    }
}

impl RecentCells {
    /// No cells yet.
    pub fn new() -> Self {
        let ring = Ring { cells: vec![None; MAX_PAGE_CELLS_KEPT].into(), next: 0, latest: 0 };
        Self { ring: Mutex::new(ring), skipped: AtomicU64::new(0) }
    }

    /// Adds the cells of a frame. Never waits; skips them while a reader holds the lock.
    pub fn note(&self, frame: u64, cells: &[Cell], scaled: &Scaled) {
        let Ok(mut ring) = self.ring.try_lock() else {
            self.skipped.fetch_add(1, Relaxed);
            return;
        };
        let placement = &scaled.placement;
        for cell in cells {
            let [x_px, y_px] = placement.on_input_px([cell.x_px, cell.y_px]);
            let diameter_px = cell.equivalent_diameter_px * placement.input_px_per_sr_px();
            let sent = CellDetails {
                frame,
                label: cell.label,
                x_px: x_px as f32,
                y_px: y_px as f32,
                diameter_px: diameter_px as f32,
                diameter_um: scaled.um_per_px.map(|um| (diameter_px * um) as f32),
                circularity: cell.circularity as f32,
                confidence: cell.confidence as f32,
                touches_border: cell.touches_border,
                supported: cell.consistency.supported(),
                kind: cell.kind,
                kind_thousandths: cell.kind_thousandths,
            };
            let at = ring.next;
            ring.cells[at] = Some(sent);
            ring.next = (at + 1) % MAX_PAGE_CELLS_KEPT;
        }
        ring.latest = frame;
    }

    /// Frames whose cells were skipped.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }

    /// Its size in bytes.
    pub fn bytes() -> u64 {
        (MAX_PAGE_CELLS_KEPT * size_of::<Option<CellDetails>>()) as u64
    }
}

impl History for RecentCells {
    fn cells_since(&self, since: Since) -> Result<Cells, String> {
        // Cells are written in single steps, so a thread that panicked while holding the lock left complete ones.
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let (newer, older) = ring.cells.split_at(ring.next);
        let in_order = || older.iter().chain(newer).flatten();
        // The oldest frame may have lost some of its cells; the next one is complete.
        let first = in_order().next().map(|cell| cell.frame);
        let is_full = ring.cells[ring.next].is_some();
        let oldest =
            if is_full { in_order().map(|cell| cell.frame).find(|frame| Some(*frame) != first) } else { first };
        let wanted = |cell: &&CellDetails| oldest.is_some_and(|oldest| cell.frame >= oldest) && cell.place() > since;
        let mut cells: Vec<CellDetails> = Vec::new();
        let (mut next_since, mut cut) = (Since::frame(ring.latest).max(since), false);
        for cell in in_order().filter(wanted) {
            if let Some(last) = cells.last() {
                cut = cell.frame == last.frame && cells.len() >= 2 * MAX_PAGE_CELLS_SENT;
                let full = cell.frame != last.frame && cells.len() >= MAX_PAGE_CELLS_SENT;
                if cut || full {
                    next_since = if cut { last.place() } else { Since::frame(last.frame) };
                    break;
                }
            }
            cells.push(*cell);
        }
        Ok(Cells { cells, next_since, cut, oldest })
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use bloodseg_vision::{placement::PitchSource, support::CellConsistency};

    pub(in crate::page) fn cell(label: u16, diameter_px: f64, touches_border: bool) -> Cell {
        Cell {
            label,
            x_px: 8.0,
            y_px: 4.0,
            area_px: 1,
            equivalent_diameter_px: diameter_px,
            perimeter_px: 1.0,
            circularity: 1.0,
            eccentricity: 0.0,
            touches_border,
            confidence: 0.9,
            consistency: CellConsistency { levels: 0.0, offset_levels: 0.0, input_px: 9.0 },
            kind: Kind::Unknown,
            kind_thousandths: 0,
        }
    }

    fn many(count: usize) -> Vec<Cell> {
        (1..=count).map(|label| cell(label as u16, 16.0, false)).collect()
    }

    /// Everything that a client receives by following `next_since`, response by response.
    fn polled(recent: &RecentCells) -> Vec<Cells> {
        let mut since = Since::frame(0);
        let next = || {
            let sent = recent.cells_since(since).unwrap();
            since = sent.next_since;
            (!sent.cells.is_empty()).then_some(sent)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn polling_returns_cells_in_whole_frames() {
        let recent = RecentCells::new();
        for frame in 1..=10 {
            recent.note(frame, &many(100), &Scaled::as_it_is(Some(2.0), PitchSource::Given));
        }
        let answers = polled(&recent);
        assert!(answers.iter().all(|sent| sent.cells.len() < MAX_PAGE_CELLS_SENT + 100 && sent.oldest == Some(1)));
        assert!(answers.iter().all(|sent| !sent.cut));
        assert_eq!(answers.last().unwrap().next_since, Since::frame(10));
        let seen: Vec<CellDetails> = answers.into_iter().flat_map(|sent| sent.cells).collect();
        assert_eq!(seen.len(), 1000);
        assert!(seen.is_sorted_by_key(|cell| (cell.frame, cell.label)));
        assert_eq!((seen[0].diameter_px, seen[0].diameter_um, seen[0].x_px), (4.0, Some(8.0), 2.0));
    }

    #[test]
    fn polling_returns_every_cell_of_crowded_frames_once() {
        for frames in [&[500, 600, 500][..], &[600, 500, 600], &[500, 600, 1, 1024], &[4000], &[1, 4000, 1], &[512; 7]]
        {
            let recent = RecentCells::new();
            for (frame, cells) in (1..).zip(frames) {
                recent.note(frame, &many(*cells), &Scaled::default());
            }
            let wanted: Vec<(u64, u16)> = (1..)
                .zip(frames)
                .flat_map(|(frame, cells)| (1..=*cells as u16).map(move |label| (frame, label)))
                .collect();
            let answers = polled(&recent);
            for sent in &answers {
                assert!(sent.cells.len() <= 2 * MAX_PAGE_CELLS_SENT);
                let text = serde_json::to_vec(&sent).unwrap();
                assert!((text.len() as u64) < crate::page::limits::MAX_PAGE_TEXT_BYTES, "{}", text.len());
            }
            let seen: Vec<(u64, u16)> =
                answers.iter().flat_map(|sent| &sent.cells).map(|cell| (cell.frame, cell.label)).collect();
            assert!(seen == wanted, "{frames:?}: {} of {} cells", seen.len(), wanted.len());
        }
    }

    #[test]
    fn split_frame_is_flagged_as_cut() {
        let recent = RecentCells::new();
        recent.note(1, &many(500), &Scaled::default());
        recent.note(2, &many(600), &Scaled::default());
        let sent = recent.cells_since(Since::frame(0)).unwrap();
        assert_eq!((sent.cells.len(), sent.cut, sent.next_since), (1024, true, Since::cell(2, 524)));
        let sent = recent.cells_since(sent.next_since).unwrap();
        assert_eq!((sent.cells.len(), sent.cut, sent.next_since), (76, false, Since::frame(2)));
    }

    #[test]
    fn full_ring_drops_whole_frames() {
        let recent = RecentCells::new();
        let frames = MAX_PAGE_CELLS_KEPT as u64 / 100 + 5;
        for frame in 1..=frames {
            recent.note(frame, &many(100), &Scaled::default());
        }
        let sent = recent.cells_since(Since::frame(0)).unwrap();
        let oldest = sent.oldest.unwrap();
        assert!(oldest > 1 && sent.cells.iter().filter(|cell| cell.frame == oldest).count() == 100);
        assert_eq!(sent.cells[0].frame, oldest);
        assert_eq!(recent.cells_since(Since::frame(u64::MAX)).unwrap().cells, []);
    }

    #[test]
    fn note_skips_cells_while_reader_holds_lock() {
        let recent = RecentCells::new();
        let held = recent.ring.lock().unwrap();
        recent.note(1, &many(3), &Scaled::default());
        drop(held);
        assert_eq!((recent.skipped(), recent.cells_since(Since::frame(0)).unwrap().cells.len()), (1, 0));
    }
}
