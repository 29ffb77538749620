//! Power-of-two quantization: grids chosen by least squared error on real data, then trained through.
//!
//! After Jain et al. (2019), "Trained Quantization Thresholds", with thresholds calibrated instead of
//! trained.

pub mod calibrate;
