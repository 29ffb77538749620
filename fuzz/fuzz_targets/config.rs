//! See `bloodseg::foreign::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::config::meet(bytes);
});
