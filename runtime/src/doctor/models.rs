//! Checks that the models pass the gate, and that this processor computes their golden outputs.

use super::Finding;
use crate::error::Result;
use bloodseg_clock::Clock;
use bloodseg_vision::{engine::Setup, model::store::Models, pipeline::Pipeline};

/// The finding, and both models, loaded, for the budget.
pub fn check(models: Result<Models>, threads: usize, clock: &dyn Clock) -> (Finding, Option<Pipeline>) {
    let begun = clock.elapsed();
    let versions =
        |models: &Models| format!("ssr {}, unet {}", models.ssr.manifest.version, models.unet.manifest.version);
    match models.and_then(|models| Ok((Pipeline::load_with(&models, &Setup::default(), threads)?, versions(&models)))) {
        Ok((pipeline, versions)) => {
            let load_ms = clock.elapsed().saturating_sub(begun).as_millis();
            let found = format!("{versions}: their golden outputs, exactly; loaded and checked in {load_ms} ms");
            (Finding::ok("models", found), Some(pipeline))
        }
        Err(error) => (Finding::fault("models", &error), None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::time::SystemTime;

    use super::*;
    use crate::doctor::Outcome;
    use bloodseg_clock::VirtualClock;
    use bloodseg_tiny_models as fixture;

    #[test]
    fn wrong_or_missing_models_are_a_fault() {
        let clock = VirtualClock::at(SystemTime::UNIX_EPOCH);
        let (finding, pipeline) = check(Ok(fixture::models()), 1, &clock);
        assert_eq!(finding.outcome, Outcome::Ok);
        assert!(pipeline.is_some() && finding.found.contains("in 0 ms"), "{finding:?}");
        let mut draft = fixture::unet();
        draft.manifest.golden.output_sha256 = "0".repeat(64);
        let models = Models { unet: fixture::take(&draft), ..fixture::models() };
        let (finding, pipeline) = check(Ok(models), 1, &clock);
        assert_eq!((finding.outcome, finding.exit_code), (Outcome::Fault, 4));
        assert!(pipeline.is_none() && finding.found.contains("golden"), "{finding:?}");
        let missing = Models::load(std::path::Path::new("nowhere")).map_err(Into::into);
        assert_eq!(check(missing, 1, &clock).0.exit_code, 4);
    }
}
