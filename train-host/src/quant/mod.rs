//! Power-of-two quantization: grids chosen by least squared error on real data, then quantization-aware training.
//!
//! After Jain et al. (2019), "Trained Quantization Thresholds", with calibrated instead of trained thresholds.

pub mod calibrate;
