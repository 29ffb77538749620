//! Checks whether a run fits into the memory of the config, the control group and the machine.

use std::path::Path;

use super::{Finding, Machine, text_of};
use crate::error::Error;

/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;

/// Checks a need of `need_bytes` against `[budget] total_mib` and the kernel's limits.
pub fn check(need_bytes: u64, total_mib: Option<f64>, machine: &Machine) -> Finding {
    let allowed = total_mib.map(|mib| ("budget.total_mib of the config".to_owned(), (mib * MIB) as u64));
    let memory = |key: &str| meminfo(&machine.proc, key);
    let ram = memory("MemTotal").map(|bytes| ("the memory of this machine".to_owned(), bytes));
    let limits: Vec<(String, u64)> = allowed.into_iter().chain(group_limits(machine)).chain(ram).collect();
    let need = mib(need_bytes);
    if let Some((whose, most)) = limits.iter().find(|(_, most)| need_bytes > *most) {
        return Finding::fault(
            "budget",
            &Error::config(
                "memory",
                format!("a run needs {need}, more than {whose}, {}", mib(*most)),
                "Raise it, choose smaller frames or one thread, or see `bloodseg budget`",
            ),
        );
    }
    if let Some(free) = memory("MemAvailable").filter(|free| need_bytes > *free) {
        let found = format!("a run needs {need}, and {} are free now", mib(free));
        return Finding::look("budget", found, "as much free memory as a run needs", "Close other programs");
    }
    let within: Vec<String> = limits.iter().map(|(whose, most)| format!("{} ({whose})", mib(*most))).collect();
    let within = if within.is_empty() { "no limit known here".to_owned() } else { within.join(", ") };
    Finding::ok("budget", format!("a run needs {need}; {within}"))
}

/// Limits of the control groups of this process and of the service, and of their parents.
fn group_limits(machine: &Machine) -> Vec<(String, u64)> {
    let own = text_of(&machine.proc.join("self/cgroup")).unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
    let mut limits = Vec::new();
    for group in [own.as_str(), super::service::GROUP] {
        for folder in Path::new(group).ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
            let Some(text) = text_of(&machine.cgroup.join(folder).join("memory.max")) else { continue };
            // `max` is no limit.
            if let Ok(bytes) = text.parse() {
                limits.push((format!("memory.max of {}", folder.display()), bytes));
            }
        }
    }
    limits.dedup();
    limits
}

/// A value of `meminfo` in bytes.
fn meminfo(proc: &Path, key: &str) -> Option<u64> {
    let text = text_of(&proc.join("meminfo"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::doctor::Outcome;

    const NEED: u64 = 20 << 20;

    fn machine(root: &Path, files: &[(&str, &str)]) -> Machine {
        for (name, text) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Machine { proc: root.join("proc"), cgroup: root.join("cgroup"), ..Machine::default() }
    }

    #[test]
    fn every_limit_is_checked() {
        let ram = |kib: u64| ("proc/meminfo", format!("MemTotal: {kib} kB\nMemAvailable:  {} kB\n", kib / 2));
        let (plenty, little) = (ram(1 << 20), ram(10 << 10));
        let group = ("proc/self/cgroup", "0::/a/b\n");
        let (max, tight) = (("cgroup/a/memory.max", "max\n"), ("cgroup/a/memory.max", "4194304\n"));
        let plenty = (plenty.0, plenty.1.as_str());
        let half = ram(30 << 10);
        let service = ("cgroup/system.slice/bloodseg.service/memory.max", "4194304\n");
        for (files, total_mib, outcome, word) in [
            (vec![plenty], None, Outcome::Ok, "1024.0 MiB (the memory of this machine)"),
            (vec![plenty], Some(32.0), Outcome::Ok, "32.0 MiB (budget"),
            (vec![plenty], Some(8.0), Outcome::Fault, "budget.total_mib"),
            (vec![plenty, group, max], None, Outcome::Ok, "1024"),
            (vec![plenty, group, tight], None, Outcome::Fault, "memory.max of a, 4.0 MiB"),
            (vec![plenty, service], None, Outcome::Fault, "bloodseg.service"),
            (vec![(little.0, little.1.as_str())], None, Outcome::Fault, "memory of this machine"),
            (vec![(half.0, half.1.as_str())], None, Outcome::Look, "15.0 MiB are free"),
            (vec![], None, Outcome::Ok, "no limit known"),
            (vec![("proc/meminfo", "MemTotal: many kB\n")], None, Outcome::Ok, "no limit known"),
        ] {
            let root = tempfile::tempdir().unwrap();
            let finding = check(NEED, total_mib, &machine(root.path(), &files));
            assert_eq!(finding.outcome, outcome, "{finding:?}");
            assert!(finding.found.contains(word), "{word}: {finding:?}");
            assert_eq!(finding.exit_code, if outcome == Outcome::Fault { 6 } else { 0 });
        }
    }
}
