//! See `bloodseg::foreign::yuyv_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::yuyv_frame::meet(bytes);
});
