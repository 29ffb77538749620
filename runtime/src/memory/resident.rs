//! Resident memory of the process, as reported by the kernel.

/// Peak resident set of this process in KiB: `VmHWM` of `/proc/self/status`. `None` if the system has no such file.
pub fn peak_rss_kib() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Current resident set of this process in KiB: `VmRSS` of the same file.
pub fn rss_kib() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

fn parse(status: &str, key: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn status_line_is_parsed() {
        let status = "Name:\tx\nVmPeak:\t  99 kB\nVmHWM:\t   1234 kB\nVmRSS:\t 7 kB\n";
        assert_eq!(super::parse(status, "VmHWM:"), Some(1234));
        assert_eq!(super::parse(status, "VmRSS:"), Some(7));
        assert_eq!(super::parse("VmRSS:\t 7 kB\n", "VmHWM:"), None);
        assert_eq!(super::parse("VmHWM:\t many kB\n", "VmHWM:"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn running_process_has_resident_memory() {
        assert!(super::peak_rss_kib().is_some_and(|kib| kib > 100));
    }
}
