//! Checks that the config file is readable and valid.

use std::path::Path;

use super::Finding;
use crate::config::Config;

/// The finding, and the config for the other checks: the defaults if the file is invalid.
pub fn check(path: Option<&Path>) -> (Finding, Config) {
    let Some(path) = path else {
        return (Finding::ok("config", "no file given: using the defaults"), Config::default());
    };
    match Config::load(path) {
        Ok(config) => {
            let sources: Vec<&str> = config.source.keys().map(String::as_str).collect();
            let sources = if sources.is_empty() { "no sources".to_owned() } else { sources.join(", ") };
            (Finding::ok("config", format_args!("{}: {sources}", path.display())), config)
        }
        Err(error) => (Finding::fault("config", &error), Config::default()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn valid_invalid_and_absent_files_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        assert_eq!(check(None).0.outcome, Outcome::Ok);
        assert_eq!(check(Some(&path)).0.exit_code, 6);
        std::fs::write(&path, "[optics]\num_per_pixel = 1.0\n").unwrap();
        let (finding, config) = check(Some(&path));
        assert_eq!((finding.outcome, finding.exit_code, config), (Outcome::Fault, 6, Config::default()));
        assert!(finding.found.contains("line 2") && finding.todo.contains("um_per_px"), "{finding:?}");
        std::fs::write(&path, "[source.scope]\nkind = \"camera\"\n").unwrap();
        let (finding, config) = check(Some(&path));
        assert!(finding.found.contains("scope") && config.source.len() == 1, "{finding:?}");
    }
}
