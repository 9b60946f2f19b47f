//! Real-time priority for the capture thread, where the system allows it. The only file that names `thread_priority`.

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Below the kernel's own threads (50), above everything ordinary.
const PRIORITY: u8 = 40;

/// Asks for first-in-first-out scheduling of this thread; whether it was granted. Without `CAP_SYS_NICE` or a limit
/// `rtprio` it is not, and the microphone's buffer has to do.
pub(super) fn raise() -> bool {
    let Ok(priority) = ThreadPriorityValue::try_from(PRIORITY) else { return false };
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(priority), policy)
        .is_ok()
}

/// Whether the capture thread would get its real-time priority here: a thread asks for it, and ends.
#[must_use]
pub fn real_time_is_granted() -> bool {
    std::thread::spawn(raise).join().unwrap_or(false)
}
