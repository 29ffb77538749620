//! What a run is in: the states, and what they mean to a person who looks at the box.
//!
//! ```text
//!              every stage has moved
//!   Starting ─────────────────────────▶ Running ◀───────────────┐
//!      │                                 │    ▲                 │ the restarted stage
//!      │              something is amiss │    │ nothing is      │ moved, and nothing
//!      │                                 ▼    │ any more        │ is amiss
//!      │                               Degraded(reason) ◀───────┤
//!      │                                 │                      │
//!      └──────────── a stage died or stalled, in any of them ──▶ Recovering(stage)
//!
//!   Stopping is reached from all of them, by a stop, the end of the source, or enough frames, and is never left.
//! ```

use std::fmt;

/// The threads of a run, in the order of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Brings frames from the source.
    Capture,
    /// Frames to cells.
    Analysis,
    /// Cells to the disk.
    Records,
}

impl Stage {
    /// All of them, in the order of the data.
    pub const ALL: [Self; 3] = [Self::Capture, Self::Analysis, Self::Records];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Analysis => "analysis",
            Self::Records => "records",
        }
    }
}

/// What is amiss although every stage moves; the one that weighs most is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Frames cannot be analysed, several in a row.
    FramesRefused,
    /// The camera is away or gives no usable frames; it is tried again and again.
    CameraAway,
    /// Records cannot be written; the frames are counted as not kept.
    RecordsNotKept,
    /// The thread of the records does not come back from the disk.
    RecordsStand,
}

impl Reason {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FramesRefused => "frames are refused",
            Self::CameraAway => "the camera is away",
            Self::RecordsNotKept => "records are not kept",
            Self::RecordsStand => "the disk does not answer",
        }
    }
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not every stage has moved yet.
    Starting,
    /// All is well.
    Running,
    /// It goes on, but not as it should.
    Degraded(Reason),
    /// A stage died or stalled, and is started again.
    Recovering(Stage),
    /// It ends.
    Stopping,
}

impl State {
    /// The word for the kind of state, for metrics and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Degraded(_) => "degraded",
            Self::Recovering(_) => "recovering",
            Self::Stopping => "stopping",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Degraded(reason) => write!(f, ": {}", reason.name()),
            Self::Recovering(stage) => write!(f, ": {}", stage.name()),
            Self::Starting | Self::Running | Self::Stopping => Ok(()),
        }
    }
}
