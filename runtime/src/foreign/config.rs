//! A config file.

use crate::config::Config;
use bloodseg_vision::pipeline::limits::MAX_WORKERS;

/// The bytes are a config file.
///
/// # Panics
/// If a fault is not reported as one of the config, or an invalid value is accepted.
pub fn meet(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let config = match Config::parse(text, "foreign") {
        Ok(config) => config,
        Err(error) => {
            assert_eq!(error.exit_code(), 6, "{error}");
            return false;
        }
    };
    let of_sources = config.source.values().flat_map(|source| [source.fps, source.um_per_px]);
    let above_zero = [config.optics.um_per_px, config.budget.total_mib].into_iter().chain(of_sources).flatten();
    assert!(above_zero.into_iter().all(|value| value.is_finite() && value > 0.0));
    assert!(config.budget.threads.is_none_or(|threads| (1..=MAX_WORKERS).contains(&threads)));
    assert!(config.source.values().all(|source| source.width_px != Some(0) && source.height_px != Some(0)));
    true
}
