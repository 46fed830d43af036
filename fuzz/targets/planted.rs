//! A fault that chance does not reach and guidance does, one comparison after the other: `fuzz/run` fails unless it is found.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let planted = matches!(data, [b'l', b'o', b'c', b'k', b'g', b'a', b't', b'e', ..]);
    assert!(!planted, "the planted fault");
});
