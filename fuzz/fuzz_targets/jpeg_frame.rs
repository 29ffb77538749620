//! See `bloodseg::foreign::jpeg_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::jpeg_frame::meet(bytes);
});
