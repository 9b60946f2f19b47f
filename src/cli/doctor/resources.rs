//! Memory, the state folder's disk, and the right to be on time.

use super::{Finding, Patient};

const MIB: u64 = 1 << 20;
/// Free memory that `listen` needs at least (it holds some 35 MiB: `VmHWM` in /proc/PID/status), and with which nothing is
/// short.
const MEMORY: (u64, u64) = (48 * MIB, 96 * MIB);
/// Free disk that the last good settings need at least, and with which nothing is short.
const DISK: (u64, u64) = (MIB, 16 * MIB);

/// Free memory.
pub(super) fn memory(patient: &Patient<'_>) -> Vec<Finding> {
    let text = patient.machine.files().read("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    let Some(free) = field("MemAvailable:") else {
        return vec![Finding::unknown("memory", "this kernel does not tell how much memory is free")];
    };
    let found = format!("{} MiB free of {} MiB", free / MIB, field("MemTotal:").unwrap_or(0) / MIB);
    let mend =
        "stop what is not needed (a desktop, a browser), or give the graphics less: gpu_mem=16 in config.txt";
    vec![match free {
        least if least < MEMORY.0 => Finding::error("memory", found, mend),
        little if little < MEMORY.1 => Finding::warning("memory", found, mend),
        _ => Finding::ok("memory", found),
    }]
}

/// The folder for the last good settings.
pub(super) fn state(patient: &Patient<'_>) -> Vec<Finding> {
    let Some(folder) = patient.state else {
        let found = "no folder is named: with --state DIR a device goes on with its last good settings";
        return vec![Finding::ok("state", found)];
    };
    // What isn't there yet is made when it is needed.
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
    let name = folder.display();
    vec![match patient.machine.space(there).filter(|_| there.is_dir()) {
        None => Finding::error(
            "state",
            format!("{name}: this user may not write there"),
            "name a writable folder with --state; in a systemd unit: StateDirectory=harmonynet",
        ),
        Some(free) if free < DISK.1 => {
            let found = format!("{name}: {} KiB free", free / 1024);
            let mend = "free some space on that disk";
            if free < DISK.0 {
                Finding::error("state", found, mend)
            } else {
                Finding::warning("state", found, mend)
            }
        }
        Some(free) => Finding::ok("state", format!("{name}: {} MiB free", free / MIB)),
    }]
}

/// Whether the capture thread gets its priority.
pub(super) fn scheduling(patient: &Patient<'_>) -> Vec<Finding> {
    let priority = patient.settings.board().threads.capture_priority;
    if patient.machine.real_time(priority) {
        return vec![Finding::ok("scheduling", "real-time priority is granted to the capture thread")];
    }
    let limits = patient.machine.files().read("/proc/self/limits").unwrap_or_default();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max realtime priority"));
    let limit = limit.and_then(|line| line.split_whitespace().next()).unwrap_or("unknown");
    vec![Finding::warning(
        "scheduling",
        format!("no real-time priority (limit {limit}): under load, sound may be lost"),
        format!(
            "in a systemd unit: LimitRTPRIO={priority}; for users: a line `@audio - rtprio {priority}` in \
             /etc/security/limits.d/audio.conf, then log in again"
        ),
    )]
}
