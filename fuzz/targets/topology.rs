#![no_main]

#[path = "../entries.rs"]
#[allow(dead_code, reason = "the other targets use the rest")]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::topology(data));
