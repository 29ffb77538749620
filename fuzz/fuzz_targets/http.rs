//! See `bloodseg::foreign::http`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::http::meet(bytes);
});
