//! See `bloodseg::foreign::drift`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::drift::meet(bytes);
});
