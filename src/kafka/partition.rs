//! The partition that a key belongs to, as Java's default partitioner and librdkafka's `murmur2_random` compute it.

pub use crate::codec::murmur2::murmur2;

/// The partition of a key in a topic of `count` partitions. An empty key has its fixed partition too; only a null key has none.
///
/// # Panics
/// If `count` is not positive: a topic has at least one partition.
pub fn partition_for(key: &[u8], count: i32) -> i32 {
    assert!(count > 0, "a topic has at least one partition");
    (murmur2(key) & 0x7fff_ffff) as i32 % count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn equals_java() {
        for (key, hash) in [
            (&b"21"[..], -973932308),
            (b"foobar", -790332482),
            (b"a-little-bit-long-string", -985981536),
            (b"a-little-bit-longer-string", -1486304829),
            (
                b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58897971,
            ),
            (b"abc", 479470107),
        ] {
            assert_eq!(
                murmur2(key) as i32,
                hash,
                "{}",
                String::from_utf8_lossy(key)
            );
        }
    }

    #[test]
    fn equals_librdkafka() {
        for length in 0..64usize {
            let key: Vec<u8> = (0..length).map(|i| (i * 37 + length * 11) as u8).collect();
            // SAFETY: the partitioner reads the key and nothing else; the topic is only used for a null key.
            let theirs = unsafe {
                rdkafka_sys::rd_kafka_msg_partitioner_murmur2(
                    std::ptr::null(),
                    key.as_ptr().cast(),
                    key.len(),
                    48,
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                )
            };
            assert_eq!(partition_for(&key, 48), theirs, "{key:?}");
        }
    }
}
