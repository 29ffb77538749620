//! Checks whether the service is installed and running, and whether its memory limit works.

use super::{Finding, Machine, text_of};

/// The unit.
const UNIT: &str = "bloodseg.service";

/// Its control group, below the root.
pub(super) const GROUP: &str = "system.slice/bloodseg.service";

/// Whether processes of the service are running.
pub fn is_running(machine: &Machine) -> bool {
    text_of(&machine.cgroup.join(GROUP).join("cgroup.procs")).is_some_and(|processes| !processes.is_empty())
}

/// Runs the check.
pub fn check(machine: &Machine) -> Finding {
    let running = is_running(machine);
    if !running && !machine.units.iter().any(|folder| folder.join(UNIT).exists()) {
        return Finding::skipped("service", "not installed here", "");
    }
    if let Some(controllers) = text_of(&machine.cgroup.join("cgroup.controllers"))
        && !controllers.split_whitespace().any(|name| name == "memory")
    {
        let todo =
            "Append `cgroup_enable=memory cgroup_memory=1` to the line of /boot/firmware/cmdline.txt, and restart";
        let found = "the kernel's memory controller is off: the service runs without its memory limit";
        return Finding::look("service", found, "a controller `memory`", todo);
    }
    if running {
        Finding::ok("service", "running")
    } else {
        Finding::ok("service", "installed but not running; start it with: sudo systemctl enable --now bloodseg")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn service_state_is_read_from_files() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let (cgroup, units) = (root.path().join("cgroup"), vec![root.path().join("none"), root.path().join("units")]);
        let machine = Machine { cgroup, units, ..Machine::default() };
        assert_eq!(check(&machine).outcome, Outcome::Skipped);
        write("units/bloodseg.service", "");
        assert!(check(&machine).found.contains("not running"));
        write("cgroup/cgroup.controllers", "cpu memory pids\n");
        write("cgroup/system.slice/bloodseg.service/cgroup.procs", "\n");
        assert!(!is_running(&machine));
        write("cgroup/system.slice/bloodseg.service/cgroup.procs", "123\n");
        assert_eq!(check(&machine), Finding::ok("service", "running"));
        write("cgroup/cgroup.controllers", "cpu pids\n");
        let finding = check(&machine);
        assert_eq!(finding.outcome, Outcome::Look);
        assert!(finding.todo.contains("cmdline.txt"), "{finding:?}");
    }
}
