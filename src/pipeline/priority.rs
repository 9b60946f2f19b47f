//! Where the board and the system want the threads: real-time priority for the capture thread, a core for each. The only
//! file that names `thread_priority` and `rustix::thread`.

use rustix::thread::{CpuSet, sched_setaffinity};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Asks for first-in-first-out scheduling of this thread with this priority, 1–99; whether it was granted. Without
/// `CAP_SYS_NICE` or a limit `rtprio` it is not, and the microphone's buffer has to do.
pub(super) fn raise(priority: u8) -> bool {
    let Ok(priority) = ThreadPriorityValue::try_from(priority) else { return false };
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(priority), policy)
        .is_ok()
}

/// Whether a thread would get this real-time priority here: one asks for it, and ends.
#[must_use]
pub fn real_time_is_granted(priority: u8) -> bool {
    std::thread::spawn(move || raise(priority)).join().unwrap_or(false)
}

/// Keeps this thread, and those that it starts from now on, on a core, counted from 0; whether that was granted. It is not
/// where there is no such core, or where this process may not use it.
pub(super) fn pin(core: u8) -> bool {
    let mut cores = CpuSet::new();
    cores.set(core.into());
    sched_setaffinity(None, &cores).is_ok()
}

#[cfg(test)]
mod tests {
    use rustix::thread::sched_getaffinity;

    use super::*;

    #[test]
    fn a_thread_stays_on_its_core_and_no_other_core_is_granted() {
        let allowed = sched_getaffinity(None).unwrap();
        let core = (0..=u8::MAX).find(|core| allowed.is_set((*core).into())).unwrap();
        std::thread::spawn(move || {
            assert!(pin(core));
            let now = sched_getaffinity(None).unwrap();
            assert!(now.is_set(core.into()) && now.count() == 1);
            assert!((0..=u8::MAX).any(|core| !pin(core)), "nobody has 256 cores");
        })
        .join()
        .unwrap();
    }
}
