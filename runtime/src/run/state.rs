//! The states of a run, and what they mean to its operator.
//!
//! ```text
//!              every stage has moved
//!   Starting ─────────────────────────▶ Running ◀───────────────┐
//!      │                                 │    ▲                 │ the restarted stage
//!      │              something is wrong │    │ nothing is      │ moved, and nothing
//!      │                                 ▼    │ any more        │ is wrong
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
    /// Gets frames from the source.
    Capture,
    /// Frames to cells.
    Analysis,
    /// Cells to the disk.
    Records,
}

impl Stage {
    /// All of them, in the order of the data.
    pub const ALL: [Self; 3] = [Self::Capture, Self::Analysis, Self::Records];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Analysis => "analysis",
            Self::Records => "records",
        }
    }
}

/// What is wrong although every stage makes progress; only the most serious is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Frames cannot be analysed, several in a row.
    FramesRefused,
    /// The camera is missing or delivers no usable frames; the program keeps retrying.
    CameraAway,
    /// Records cannot be written; the frames are counted as not kept.
    RecordsNotKept,
    /// The recording thread hangs on the disk.
    RecordsStand,
}

impl Reason {
    /// Its text.
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
    /// Not every stage has made progress yet.
    Starting,
    /// Everything is well.
    Running,
    /// Running with a problem.
    Degraded(Reason),
    /// A stage failed or stalled, and is being restarted.
    Recovering(Stage),
    /// Ending.
    Stopping,
}

impl State {
    /// The name of the kind of state, for metrics and records.
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
