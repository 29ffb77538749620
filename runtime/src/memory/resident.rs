//! Memory that the process really occupies, as the kernel counts it.

/// Greatest resident set of this process so far, in KiB: `VmHWM` of `/proc/self/status`. `None` where the system has no
/// such file.
pub fn peak_rss_kib() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_line_is_found_and_others_are_refused() {
        assert_eq!(super::parse("Name:\tx\nVmPeak:\t  99 kB\nVmHWM:\t   1234 kB\nVmRSS:\t 7 kB\n"), Some(1234));
        assert_eq!(super::parse("VmRSS:\t 7 kB\n"), None);
        assert_eq!(super::parse("VmHWM:\t many kB\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_running_process_occupies_something() {
        assert!(super::peak_rss_kib().is_some_and(|kib| kib > 100));
    }
}
