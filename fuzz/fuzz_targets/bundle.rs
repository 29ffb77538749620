//! See `bloodseg::foreign::bundle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::bundle::meet(bytes);
});
