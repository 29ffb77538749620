//! Measures: one definition each, shared by `bloodseg eval` and the trainer.
//!
//! Everything here is a pure function of 8-bit pictures, masks (foreground is a level above [`FOREGROUND_ABOVE`]) and
//! labels (0 is the background, every other number one instance). Figures are for one field, or sums over several fields;
//! the mean over fields is [`mean`].

pub mod drift;
pub mod foreground;
pub mod inside;
pub mod instances;
pub mod psnr;
pub mod reference_cells;
pub mod ssim;
pub mod truth;

use bloodseg_vision::error::{Error, Result};

/// A mask's pixel is foreground if its level is above this.
pub const FOREGROUND_ABOVE: u8 = 127;

/// Mean of the values; `None` if there are none.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// [`Error::Internal`] unless two pictures have the same size: comparing others is a bug in the caller.
fn same_size(place: &'static str, truth: (u32, u32), predicted: (u32, u32)) -> Result<()> {
    if truth == predicted {
        return Ok(());
    }
    Err(Error::internal(
        place,
        format!("comparing pictures of {}x{} and {}x{}", truth.0, truth.1, predicted.0, predicted.1),
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn mean_of_no_values_is_none() {
        assert_eq!(super::mean([]), None);
        assert_eq!(super::mean([1.0, 4.0]), Some(2.5));
    }
}
