//! The host.

/// Its name, if it has one.
pub fn name() -> Option<String> {
    #[cfg(target_os = "linux")]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(target_os = "linux"))]
    let name = std::env::var("COMPUTERNAME").or_else(|_| std::env::var("HOSTNAME")).ok()?;
    Some(name).filter(|name| !name.is_empty())
}
