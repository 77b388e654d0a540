//! The name under which a run marks the function.

use std::{env, fs};

/// The user and the host, which others see in the function's tags.
pub(super) fn whoami() -> String {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| env::var(name).ok());
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.as_deref().map_or("unknown host", str::trim);
    format!("{}@{host}", user.as_deref().unwrap_or("unknown"))
}
