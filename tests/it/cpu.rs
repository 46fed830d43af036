//! CPU time of a thread: bounds on it hold on a busy machine, too.

use std::time::Duration;

/// What `work` costs this thread.
pub fn cpu_time(work: impl FnOnce()) -> Duration {
    let before = now();
    work();
    now() - before
}

fn now() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call fills the struct, which outlives it.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "the thread's CPU clock cannot be read");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
