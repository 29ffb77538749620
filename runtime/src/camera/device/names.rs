//! Names of cameras.

use std::path::{Path, PathBuf};

use super::Fault;
use crate::error::Error;

/// Whether a name means a camera even if the config does not define it: `camera0`, `/dev/video0`.
pub fn is_camera_name(name: &str) -> bool {
    let number = name.strip_prefix("camera").or_else(|| name.strip_prefix("/dev/video"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The device file for a name accepted by [`is_camera_name`].
pub fn device_of(name: &str) -> PathBuf {
    name.strip_prefix("camera").map_or_else(|| PathBuf::from(name), |number| format!("/dev/video{number}").into())
}

/// Video devices in `folder` (usually `/dev`), sorted.
pub fn find(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix("video").is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
    });
    found.sort();
    found
}

/// Why a camera cannot be used, with the devices found and the usable sources.
pub fn unusable(name: &str, device: &Path, fault: &Fault, found: &[PathBuf], sources: &str) -> Error {
    let there: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
    let there = if there.is_empty() { "there is none".to_owned() } else { format!("there is {}", there.join(", ")) };
    let todo = match fault {
        Fault::Refused { todo, .. } if !todo.is_empty() => format!("{todo}. "),
        _ => "Check that the camera is plugged in. ".to_owned(),
    };
    let found = match fault {
        Fault::Gone(found) | Fault::Refused { found, .. } => found,
    };
    Error::frames(
        name,
        format!("{}: {found}; among /dev/video* {there}", device.display()),
        format!("{todo}Available sources: {sources}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn recognises_camera_names_and_devices() {
        assert!(is_camera_name("camera0") && is_camera_name("/dev/video12"));
        assert!(!is_camera_name("camera") && !is_camera_name("cameras/1") && !is_camera_name("demo"));
        assert_eq!(device_of("camera3"), Path::new("/dev/video3"));
        assert_eq!(device_of("/dev/video1"), Path::new("/dev/video1"));
    }

    #[test]
    fn devices_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["video1", "video0", "videodev", "null"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(find(folder.path()), [folder.path().join("video0"), folder.path().join("video1")]);
        assert!(find(&folder.path().join("none")).is_empty());
    }

    #[test]
    fn message_names_device_and_available_cameras() {
        let gone = Fault::Gone("no such device".into());
        let error = unusable("camera0", Path::new("/dev/video0"), &gone, &["/dev/video2".into()], "demo, FOLDER");
        let text = error.to_string();
        assert_eq!(error.exit_code(), 7);
        assert!(text.contains("/dev/video0") && text.contains("/dev/video2") && text.contains("demo"), "{text}");
        assert!(text.contains("no such device") && text.contains("plugged in"), "{text}");
        let busy = Fault::Refused { found: "busy".into(), todo: "End the other program".into() };
        let text = unusable("camera0", Path::new("/dev/video0"), &busy, &[], "demo").to_string();
        assert!(
            text.contains("there is none") && text.contains("busy") && text.contains("End the other program"),
            "{text}"
        );
    }
}
