//! See `bloodseg::foreign::flat_field`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::flat_field::meet(bytes);
});
