//! Shape of a map of levels.

/// Height, width and channels of a map; one byte per level, channels innermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Levels of a pixel.
    pub channels: usize,
}

impl Shape {
    /// A shape; none may be 0 in a program.
    pub const fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// Bytes of a whole map.
    pub const fn bytes(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Bytes of a row.
    pub const fn row_bytes(self) -> usize {
        self.width * self.channels
    }
}
