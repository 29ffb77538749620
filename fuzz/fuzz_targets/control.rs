//! See `bloodseg::foreign::control`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::control::meet(bytes);
});
