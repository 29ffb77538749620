//! The eight orientations of a square.

use tch::{Kind, Tensor};

/// One of the eight, applied to a whole batch: windows are already randomly oriented within a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(i64);

impl Turn {
    /// Draws from libtorch's generator.
    pub fn draw() -> Self {
        Self(Tensor::randint(8, [1], (Kind::Int64, tch::Device::Cpu)).int64_value(&[0]))
    }

    /// Orients a batch `[N, C, H, W]` of squares.
    pub fn apply(self, batch: &Tensor) -> Tensor {
        let batch = if self.0 & 4 == 0 { batch.shallow_clone() } else { batch.flip([3]) };
        batch.rot90(self.0 & 3, [2, 3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orientations_are_distinct_and_keep_the_sum() {
        let square = Tensor::arange(9, (Kind::Float, tch::Device::Cpu)).view([1, 1, 3, 3]);
        let turned: Vec<Vec<f32>> = (0..8)
            .map(|turn| Vec::try_from(Turn(turn).apply(&square).contiguous().view([-1])).unwrap_or_default())
            .collect();
        for (index, one) in turned.iter().enumerate() {
            assert!(turned[..index].iter().all(|other| other != one), "{index}");
            assert_eq!(one.iter().sum::<f32>(), 36.0);
        }
    }
}
