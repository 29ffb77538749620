//! See `bloodseg::foreign::sample`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::sample::meet(bytes);
});
