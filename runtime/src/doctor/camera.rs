//! Checks that the cameras exist, can be opened, offer a supported format and deliver a frame, and that their flat fields
//! can be read.

use std::path::{Path, PathBuf};

use super::Finding;
use crate::{
    camera::{
        device::{
            Device, Fault, OrFault, Settings,
            names::{device_of, find, unusable},
            negotiate,
        },
        limits::CAMERA_POLL,
    },
    config::{Config, Source, SourceKind},
    doctor::limits::MAX_FRAME_WAIT,
};
use bloodseg_vision::frame::flat_field::FlatField;

/// The default device of a source.
const FIRST: &str = "camera0";

/// Checks the cameras of the config; without any, all devices in `dev`. `open` creates a device from its file. With
/// `in_service`, the service of this machine runs and may hold the camera: a device that refuses is then not a fault.
pub fn check(config: &Config, dev: &Path, open: &dyn Fn(&Path) -> Box<dyn Device>, in_service: bool) -> Vec<Finding> {
    let there = find(dev);
    let configured = config.source.iter().filter(|(_, source)| source.kind == SourceKind::Camera);
    let configured: Vec<(String, PathBuf, Option<&Source>)> = configured
        .map(|(name, source)| (name.clone(), source.device.clone().unwrap_or_else(|| device_of(FIRST)), Some(source)))
        .collect();
    if configured.is_empty() && there.is_empty() {
        let todo = "Plug one in (on a Raspberry Pi, check the ribbon cable and `camera_auto_detect` in config.txt); `bloodseg \
                    run demo` needs none";
        return vec![Finding::look("camera", format_args!("none in {}", dev.display()), "a camera", todo)];
    }
    let named = !configured.is_empty();
    let all = if named {
        configured
    } else {
        there.iter().map(|path| (path.display().to_string(), path.clone(), None)).collect()
    };
    let findings: Vec<Finding> = all
        .iter()
        .map(|(name, path, source)| match try_out(open(path).as_mut(), *source) {
            Ok(found) => Finding::ok("camera", format_args!("{name}: {}: {found}", path.display())),
            Err(Fault::Refused { found, .. }) if in_service => Finding::look(
                "camera",
                format_args!("{name}: {}: {found}; the service is running and probably uses it", path.display()),
                "an available camera",
                "Stop it for the check: sudo systemctl stop bloodseg",
            ),
            Err(fault) => Finding::fault("camera", &unusable(name, path, &fault, &there, "demo")),
        })
        .collect();
    // Devices that capture nothing (codecs, metadata) are not a fault beside one that does, unless configured.
    let some_work = findings.iter().any(|finding| finding.exit_code == 0);
    let findings = findings.into_iter().filter(|finding| named || !some_work || finding.exit_code == 0);
    // A run reads them before it opens the camera.
    flat_fields(config).into_iter().chain(findings).collect()
}

/// The unreadable ones.
fn flat_fields(config: &Config) -> Vec<Finding> {
    let named = config.source.values().filter_map(|source| source.flatfield.as_deref());
    let errors = named.filter_map(|path| FlatField::read(path).err());
    errors.map(|error| Finding::fault("camera", &error.into())).collect()
}

/// Starts a stream as a run would and waits for a frame.
fn try_out(device: &mut dyn Device, source: Option<&Source>) -> OrFault<String> {
    let wished_px = source.and_then(|source| source.width_px.zip(source.height_px));
    let settings = source.map_or_else(Settings::default, |source| Settings {
        fps: source.fps,
        exposure_us: source.exposure_us,
        gain: source.gain,
    });
    let offers = device.offers()?;
    let (layout, size_px) = negotiate::choose(&offers, wished_px)?;
    let format = device.start(layout, size_px, &settings)?;
    let outcome = negotiate::check_granted(&format, wished_px).and_then(|()| first_frame(device));
    device.close();
    outcome.map(|()| format!("frames of {}x{}, {layout}", format.width_px, format.height_px))
}

fn first_frame(device: &mut dyn Device) -> OrFault<()> {
    let mut whole = false;
    for _ in 0..MAX_FRAME_WAIT.as_millis() / CAMERA_POLL.as_millis() {
        device.next_frame(CAMERA_POLL, &mut |raw| whole = !raw.damaged && !raw.bytes.is_empty())?;
        if whole {
            return Ok(());
        }
    }
    Err(Fault::Refused {
        found: format!("it can be opened, but delivered no complete frame within {} s", MAX_FRAME_WAIT.as_secs()),
        todo:
            "Plug it in again, at another port or without a hub; a smaller width_px and height_px needs less of the bus"
                .into(),
    })
}

/// The device behind a file of this machine.
#[cfg(target_os = "linux")]
pub fn of_this_machine(path: &Path) -> Box<dyn Device> {
    Box::new(crate::camera::device::v4l2::V4l2::new(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::{
        camera::device::{
            Format, Offer, RawFrame,
            layout::Layout,
            scripted::{Deed, Scripted, offer},
        },
        doctor::Outcome,
    };

    /// A device that refuses to open.
    #[derive(Debug)]
    struct Refusing(Fault);

    impl Device for Refusing {
        fn offers(&mut self) -> OrFault<Vec<Offer>> {
            Err(self.0.clone())
        }

        fn start(&mut self, _: Layout, _: (u32, u32), _: &Settings) -> OrFault<Format> {
            Err(self.0.clone())
        }

        fn next_frame(&mut self, _: std::time::Duration, _: &mut dyn FnMut(RawFrame<'_>)) -> OrFault<bool> {
            Err(self.0.clone())
        }

        fn close(&mut self) {}
    }

    fn dev(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| std::fs::write(folder.path().join(name), "").unwrap());
        folder
    }

    fn camera(fourcc: &[u8; 4], deeds: &[Deed]) -> impl Fn(&Path) -> Box<dyn Device> {
        let (fourcc, deeds) = (*fourcc, deeds.to_vec());
        move |_| Box::new(Scripted::new(offer(&fourcc, 64, 48), deeds.clone()))
    }

    fn config(text: &str) -> Config {
        Config::parse(text, "test").unwrap()
    }

    #[test]
    fn missing_camera_is_a_fault_only_if_configured() {
        let empty = dev(&["null", "videoX"]);
        let finding = check(&Config::default(), empty.path(), &camera(b"YUYV", &[]), false).remove(0);
        assert_eq!(finding.outcome, Outcome::Look);
        assert!(finding.todo.contains("Plug one in"), "{finding:?}");
        let gone = |_: &Path| -> Box<dyn Device> { Box::new(Refusing(Fault::Gone("no such device".into()))) };
        let named = config("[source.scope]\nkind = \"camera\"\ndevice = \"/dev/video5\"");
        let finding = check(&named, empty.path(), &gone, true).remove(0);
        assert_eq!((finding.outcome, finding.exit_code), (Outcome::Fault, 7));
        assert!(finding.found.contains("/dev/video5") && finding.todo.contains("plugged in"), "{finding:?}");
    }

    #[test]
    fn camera_is_ok_after_a_complete_frame() {
        let dev = dev(&["video0"]);
        let frame = Deed::Frame(vec![128; 64 * 48 * 2]);
        let finding = check(&Config::default(), dev.path(), &camera(b"YUYV", &[Deed::Damaged, frame]), false).remove(0);
        assert_eq!(finding.outcome, Outcome::Ok);
        assert!(finding.found.contains("64x48"), "{finding:?}");
        for deeds in [vec![], vec![Deed::Damaged; 3]] {
            let finding = check(&Config::default(), dev.path(), &camera(b"YUYV", &deeds), false).remove(0);
            assert_eq!((finding.outcome, finding.exit_code), (Outcome::Fault, 7));
            assert!(finding.found.contains("no complete frame"), "{finding:?}");
        }
    }

    #[test]
    fn unsupported_format_and_missing_size_are_faults() {
        let dev = dev(&["video0"]);
        let finding = check(&Config::default(), dev.path(), &camera(b"H264", &[]), false).remove(0);
        assert!(finding.outcome == Outcome::Fault && finding.found.contains("H264"), "{finding:?}");
        let wished = config("[source.a]\nkind = \"camera\"\nwidth_px = 640\nheight_px = 480");
        let finding = check(&wished, dev.path(), &camera(b"YUYV", &[]), false).remove(0);
        assert!(finding.outcome == Outcome::Fault && finding.found.contains("640x480"), "{finding:?}");
    }

    #[test]
    fn refusal_is_a_fault_unless_service_is_running() {
        let dev = dev(&["video0"]);
        let fault = Fault::Refused { found: "Device busy".into(), todo: "End the other program".into() };
        let refusing = |_: &Path| -> Box<dyn Device> { Box::new(Refusing(fault.clone())) };
        let finding = check(&Config::default(), dev.path(), &refusing, false).remove(0);
        assert_eq!(finding.outcome, Outcome::Fault);
        assert!(finding.todo.contains("End the other program"), "{finding:?}");
        let finding = check(&Config::default(), dev.path(), &refusing, true).remove(0);
        assert_eq!(finding.outcome, Outcome::Look);
        assert!(finding.todo.contains("systemctl stop"), "{finding:?}");
    }

    #[test]
    fn unreadable_flat_field_is_a_fault_beside_working_camera() {
        let dev = dev(&["video0"]);
        let file = dev.path().join("lamp.flat");
        let text =
            format!("[source.a]\nkind = \"camera\"\ndevice = \"/dev/video0\"\nflatfield = \"{}\"", file.display());
        let deeds = [Deed::Frame(vec![128; 64 * 48 * 2])];
        let open = camera(b"YUYV", &deeds);
        for damaged in [false, true] {
            if damaged {
                std::fs::write(&file, "no flat field").unwrap();
            }
            let findings = check(&config(&text), dev.path(), &open, false);
            let [flat, camera] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!((flat.outcome, flat.exit_code, camera.outcome), (Outcome::Fault, 3, Outcome::Ok));
            assert!(flat.found.contains("lamp.flat") && flat.todo.contains("bloodseg flatfield"), "{flat:?}");
        }
    }

    #[test]
    fn codec_beside_a_camera_is_not_a_fault() {
        let dev = dev(&["video0", "video10"]);
        let open = |path: &Path| -> Box<dyn Device> {
            match path.ends_with("video0") {
                true => Box::new(Scripted::new(offer(b"YUYV", 64, 48), [Deed::Frame(vec![128; 64 * 48 * 2])])),
                false => Box::new(Refusing(Fault::Refused { found: "captures nothing".into(), todo: String::new() })),
            }
        };
        let findings = check(&Config::default(), dev.path(), &open, false);
        assert!(findings.len() == 1 && findings[0].outcome == Outcome::Ok, "{findings:?}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn regular_file_is_not_a_device() {
        let dev = dev(&["video0"]);
        let finding = check(&Config::default(), dev.path(), &of_this_machine, false).remove(0);
        assert_eq!((finding.outcome, finding.exit_code), (Outcome::Fault, 7));
        assert!(finding.found.contains("not a device"), "{finding:?}");
    }
}
