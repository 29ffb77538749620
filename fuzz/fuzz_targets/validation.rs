//! See `bloodseg::foreign::validation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::validation::meet(bytes);
});
