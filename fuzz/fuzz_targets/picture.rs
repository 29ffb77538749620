//! See `bloodseg::foreign::picture`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::picture::meet(bytes);
});
