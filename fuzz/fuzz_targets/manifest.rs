//! See `bloodseg::foreign::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::manifest::meet(bytes);
});
