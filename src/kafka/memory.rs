//! How the C library's allocator is set up for the way Kafka's client uses it.

/// Sets the allocator up for messages that are allocated on one thread and freed on another. To be called once, before the first thread.
///
/// The client library allocates every fetched message on a broker's thread, and we free it on a pipeline thread. With one arena per
/// thread each of these frees goes to a foreign arena, with its lock and free lists; with one arena for all, the threads' own caches
/// can serve them. Fetch buffers of a few hundred KiB are otherwise mapped, cleared by the kernel and unmapped once per
/// fetch; from the heap they can be used again. How little is established of the effect: `docs/PERFORMANCE.md`. Elsewhere than on glibc this does nothing.
pub fn prepare_allocator() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes two plain integers; before the first thread nobody else is in the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 32 << 20);
    }
}
